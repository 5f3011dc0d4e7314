// The values that a dispatch writes and a trace shows: their names and buffers, as the module's tables say.
#pragma once

#include "llmc/module_abi.h"

#include <cstring>

namespace llmc {

/// Calls each(name, buffer number) for the values of a row of the dispatch table: those with names, which
/// stand in `output` and the arguments behind it; without names `output` alone, its name null. False: the
/// row's names do not fit its arguments.
template <typename Each> bool forEachResult(const llmc_module &module, const llmc_dispatch &row, Each each) {
  if (row.output == LLMC_NONE)
    return row.values == 0;
  if (row.values == 0) {
    each(static_cast<const char *>(nullptr), row.output);
    return true;
  }
  uint32_t arg = 0;
  auto isOutput = [&](const llmc_arg &a) { return a.kind == LLMC_ARG_BUFFER && a.value == row.output; };
  while (arg < row.n_args && !isOutput(module.args[row.first_arg + arg]))
    ++arg;
  for (uint32_t at = row.values; at < module.n_strings && module.strings[at]; ++arg) {
    if (arg >= row.n_args || module.args[row.first_arg + arg].kind != LLMC_ARG_BUFFER)
      return false;
    each(module.strings + at, uint32_t(module.args[row.first_arg + arg].value));
    at += uint32_t(std::strlen(module.strings + at)) + 1;
  }
  return true;
}

} // namespace llmc
