//===- Machine.h - this machine's roofline, remembered ----------*- C++ -*-===//
#ifndef LLMC_TOOLS_LLMC_MACHINE_H
#define LLMC_TOOLS_LLMC_MACHINE_H

#include "tools/llmc/Commands.h"
#include "tools/llmc/Roofline.h"

#include <llmc/llmc.h>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace llmc::cli {

/// What is known of this CPU with the threads and the units of a loaded model, from the user's cache folder;
/// measured where nothing is known, or `anew`, and remembered then. Without a cache folder it is measured
/// every time.
Roofline machineRoofline(const llmc_model *model, bool anew);

/// {"read_gb_s", "f32_gops", "f32_unit", "bf16_gops", …, "cache_bytes"}; a unit that is not there has 0.
nlohmann::ordered_json jsonOf(const Roofline &);
/// "reads 29.6 GB/s; f32 222 GOPS (avx512), int8 806 GOPS (avx512vnni)": the units that are there.
std::string textOf(const Roofline &);

} // namespace llmc::cli
#endif
