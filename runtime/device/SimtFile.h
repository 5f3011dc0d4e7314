// The file of a model's kernels for the emulator (llmc/simt_abi.h). It is checked before anything in it runs,
// as a model.so is.
#pragma once

#include "runtime/Error.h"
#include "runtime/device/simt/Emulator.h"

namespace llmc {

/// `modelPath`: whose kernels they should be, for the advice where the file is missing.
llmc_status loadSimtFile(const std::string &path, const char *modelPath, simt::Library &out);

} // namespace llmc
