//===- ElfTables.h - the tables of a model.so, read as bytes ----*- C++ -*-===//
//
// Finds llmc_module in an ELF file that is not loaded, follows its pointers through the relocations, and
// reads the sizes of functions from the symbols.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_EXPLORE_ELFTABLES_H
#define LLMC_TOOLS_EXPLORE_ELFTABLES_H

#include "llmc/module_abi.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace llmc::explore {

struct ElfFunction {
  std::string name;
  uint64_t bytes = 0;
};

struct ElfTables {
  llmc_module head = {}; // its pointers mean nothing
  std::vector<llmc_kernel> kernels;
  std::vector<llmc_buffer> buffers;
  std::vector<llmc_dispatch> dispatches;
  std::vector<llmc_arg> args;
  std::vector<llmc_kv_layout> caches;
  std::string strings;
  std::vector<std::string> variants;
  std::vector<ElfFunction> functions; // empty if the file has no symbols

  /// Empty for LLMC_NONE and for what is out of range.
  std::string text(uint32_t offset) const;
};

/// Nothing, with the reason, if the bytes are not such a file.
std::optional<ElfTables> readElfTables(std::span<const uint8_t> file, std::string &error);

} // namespace llmc::explore
#endif
