//===- InspectMemory.h - the memory plan of a compiled model ----*- C++ -*-===//
//
// What a session of it takes, and where in it: computed from the tables in the file as a session does it,
// with nothing executed.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_LLMC_INSPECTMEMORY_H
#define LLMC_TOOLS_LLMC_INSPECTMEMORY_H

#include "runtime/ModuleFile.h"

#include <nlohmann/json.hpp>
#include <string>

namespace llmc::cli {

/// The session that a program gets which asks for nothing, on one thread; buffers of its arena, caches,
/// scratch of kernels. {"unknown": reason} for tables that cannot be read.
nlohmann::ordered_json memoryJson(const std::string &path, std::span<const uint8_t> elf, const llmc_footer &);

/// The same for people.
std::string memoryText(const nlohmann::ordered_json &);

} // namespace llmc::cli
#endif
