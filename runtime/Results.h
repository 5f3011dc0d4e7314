// The values that a dispatch writes and a trace shows: their names, buffers and columns, as the module's
// tables say.
#pragma once

#include "llmc/module_abi.h"

#include <cstdlib>
#include <cstring>

namespace llmc {

/// A value that a dispatch writes.
struct DispatchResult {
  const char *name; ///< may be null
  uint32_t buffer;
  uint64_t columns; ///< those of the buffer's rows that count
};

/// Calls each(result) for the values of a row of the dispatch table: those with names, which stand in
/// `output` and the arguments behind it; without names `output` alone, with all its columns. False: the row's
/// names and columns do not fit its arguments.
template <typename Each> bool forEachResult(const llmc_module &module, const llmc_dispatch &row, Each each) {
  if (row.output == LLMC_NONE)
    return row.values == 0;
  if (row.values == 0) {
    each(DispatchResult{nullptr, row.output, module.buffers[row.output].row_bytes / sizeof(float)});
    return true;
  }
  uint32_t arg = 0;
  auto isOutput = [&](const llmc_arg &a) { return a.kind == LLMC_ARG_BUFFER && a.value == row.output; };
  while (arg < row.n_args && !isOutput(module.args[row.first_arg + arg]))
    ++arg;
  for (uint32_t at = row.values; at < module.n_strings && module.strings[at]; ++arg) {
    if (arg >= row.n_args || module.args[row.first_arg + arg].kind != LLMC_ARG_BUFFER)
      return false;
    const char *name = module.strings + at;
    at += uint32_t(std::strlen(name)) + 1;
    const uint32_t buffer = uint32_t(module.args[row.first_arg + arg].value);
    char *end = nullptr;
    const uint64_t columns = at < module.n_strings ? std::strtoull(module.strings + at, &end, 10) : 0;
    if (columns == 0 || *end || columns > module.buffers[buffer].row_bytes / sizeof(float))
      return false;
    each(DispatchResult{name, buffer, columns});
    at += uint32_t(std::strlen(module.strings + at)) + 1;
  }
  return true;
}

} // namespace llmc
