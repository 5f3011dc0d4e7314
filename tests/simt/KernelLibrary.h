// Kernels written in LLVM IR, from text to the emulator.
#pragma once

#include "runtime/device/simt/Emulator.h"

#include <map>
#include <string>
#include <vector>

namespace llmc::test {

/// The text of tests/simt/kernels/NAME.ll, with some words replaced by others; each must occur.
std::string kernelText(const std::string &name, const std::map<std::string, std::string> &replaced = {});

/// A kernel @k(ptr addrspace(1) %out) with this body, and what the module declares besides.
std::string kernelOf(const std::string &body, const std::string &declarations = "");

/// Compiles the text to a file for the emulator, and says the hash of its bitcode. Returns the path, or why
/// not and no hash.
std::string buildKernels(const std::string &text, bool isInstrumented, uint64_t &hash);

class KernelLibrary {
public:
  /// Compiles the text; error() tells why not.
  KernelLibrary(const std::string &text, bool isInstrumented);
  ~KernelLibrary();
  const std::string &error() const { return failure; }

  /// Device memory with these bytes in it; whoever reads it back copies it from there.
  template <typename T> T *upload(const std::vector<T> &values, const char *name = "data") {
    T *memory = allocate<T>(values.size(), name);
    std::copy(values.begin(), values.end(), memory);
    return memory;
  }
  template <typename T> T *allocate(size_t n, const char *name = "data") {
    return static_cast<T *>(emulator.memory.allocate(n * sizeof(T), name));
  }

  /// Launches a kernel; empty, or what the emulator says.
  template <typename... Values>
  std::string launch(const char *name, simt::Extent grid, simt::Extent block, Values... values) {
    void *params[] = {&values..., nullptr};
    return launchWith(name, grid, block, params);
  }

  simt::Emulator emulator;
  uint64_t dynamicShared = 0;

private:
  std::string launchWith(const char *name, simt::Extent grid, simt::Extent block, void *const *params);

  std::string failure;
  simt::Library library;
};

} // namespace llmc::test
