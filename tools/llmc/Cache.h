//===- Cache.h - models compiled on the way to running them -----*- C++ -*-===//
#ifndef LLMC_TOOLS_LLMC_CACHE_H
#define LLMC_TOOLS_LLMC_CACHE_H

#include "tools/llmc/Common.h"

#include <filesystem>

namespace llmc::cli {

/// Where this program keeps what it can make again. A Failure if the user has no such folder.
std::filesystem::path cacheFolder();
/// How large it may grow.
uint64_t cacheBytes();
/// Removes an entry unless somebody has it.
bool removeUnused(const std::filesystem::path &entry);

/// A compiled model to load. While this lives, nobody removes the file.
struct CompiledModel {
  std::string path;
  bool isCached = false;        // an entry of the cache: if it turns out damaged it may be made again
  FileDescriptor inUse;         // holds a shared lock on a cache entry
  std::filesystem::path folder; // of --no-cache: to be removed once the model is loaded

  CompiledModel() = default;
  CompiledModel(CompiledModel &&) = default;
  ~CompiledModel();
};

/// MODEL itself if it is a compiled model; otherwise compiles it, or takes what was compiled from the same
/// bytes by the same compiler before. A Failure before any of that if it is neither, or if the device that it
/// is to run on is not here.
CompiledModel compiledModel(const ModelOptions &options, LoadFor purpose);

/// A name for the content of a file that changes when a byte of it does. Contents are read once: what they
/// were is kept in `memory` under path, size, times and number of the file.
std::string contentHash(const std::filesystem::path &file, const std::filesystem::path &memory);

/// The files that decide what a model is, in a fixed order: itself, the other parts of a split GGUF file,
/// those that a model.mlir names, those of a directory.
std::vector<std::filesystem::path> sourceFiles(const std::filesystem::path &model);

} // namespace llmc::cli
#endif
