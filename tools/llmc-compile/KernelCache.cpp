//===- KernelCache.cpp - where compiled kernels are kept ------------------===//
#include "Commands.h"

#include "tools/support/CacheFolder.h"

#include "llvm/Support/FileSystem.h"

#include <cerrno>
#include <cstdio>
#include <unistd.h>

using namespace llmc;

/// Where compiled kernels are kept when nobody says; empty if there is no such place.
std::string tools::defaultCacheDir() {
  const std::string folder = llmc::cacheFolder();
  return folder.empty() ? "" : folder + "/kernels";
}

/// A cache that cannot be written costs time at every compile, and nothing else.
void tools::noteUnwritableCache(const std::string &folder) {
  if (folder.empty())
    return;
  std::error_code code = llvm::sys::fs::create_directories(folder);
  if (!code && !llvm::sys::fs::is_directory(folder))
    code = std::make_error_code(std::errc::not_a_directory);
  if (!code && access(folder.c_str(), W_OK | X_OK) != 0)
    code = std::error_code(errno, std::generic_category());
  if (code)
    std::fprintf(stderr, "llmc: %s: cannot write: %s; compiled kernels are not kept (see --cache-dir)\n",
                 folder.c_str(), code.message().c_str());
}
