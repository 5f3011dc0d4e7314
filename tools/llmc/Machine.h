//===- Machine.h - this machine's roofline, remembered ----------*- C++ -*-===//
#ifndef LLMC_TOOLS_LLMC_MACHINE_H
#define LLMC_TOOLS_LLMC_MACHINE_H

#include "tools/llmc/Commands.h"
#include "tools/llmc/Roofline.h"

#include <llmc/llmc.h>

namespace llmc::cli {

/// What is known of this CPU with the threads and the units of a loaded model, from the user's cache folder; measured where nothing is
/// known, or `anew`, and remembered then. Without a cache folder it is measured every time.
Roofline machineRoofline(const llmc_model *model, bool anew);

} // namespace llmc::cli
#endif
