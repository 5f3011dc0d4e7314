// A GPU that is none: it runs kernels that were compiled for the CPU (simt_abi.h), and finds what a GPU would
// pass over. For tests: a launch takes as long as all its threads one after the other.
#pragma once

#include "runtime/device/simt/Block.h"

#include <memory>
#include <string>
#include <vector>

namespace llmc::simt {

/// A loaded shared object of kernels.
class Library {
public:
  Library() = default;
  ~Library();
  Library(const Library &) = delete;
  Library &operator=(const Library &) = delete;

  /// Empty, or one sentence that names the file.
  std::string load(const std::string &path);
  /// What dlopen gave for `path`; it is closed with this object.
  std::string take(void *opened, const std::string &path);
  /// The module made from bitcode with this hash; null: there is none.
  const llmc_simt_code *find(uint64_t sourceHash) const;
  const llmc_simt_library &table() const { return *library; }
  bool isLoaded() const { return library; }

private:
  void *handle = nullptr;
  const llmc_simt_library *library = nullptr;
};

const llmc_simt_kernel *findKernel(const llmc_simt_code &code, const char *name);

class Emulator {
public:
  Memory memory;
  RunOptions options;

  /// Before its kernels are launched; its variables are memory of the device from now on.
  void add(const Library &library);
  void remove(const Library &library);
  /// Runs all blocks. Empty, or one sentence with kernel, block and thread. From any system thread;
  /// launches of all emulators run one after the other.
  std::string launch(const Launch &launch, bool isInstrumented);
  const Counters &counters() const { return block.counters; }

private:
  Block block{memory};
};

} // namespace llmc::simt
