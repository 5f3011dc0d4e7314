//===- DeviceKernelRunner.h - emitted GPU kernels in the emulator -*- C++ -*-===//
#ifndef LLMC_TESTS_CUDA_DEVICEKERNELRUNNER_H
#define LLMC_TESTS_CUDA_DEVICEKERNELRUNNER_H

#include "codegen/DeviceTarget.h"
#include "runtime/device/simt/Emulator.h"
#include "runtime/include/llmc/module_abi.h"

#include "llvm/IR/Module.h"

#include <functional>

namespace llmc::test {

/// Puts the entries of a kernel into the module.
using EmitKernel = std::function<mlir::FailureOr<codegen::DeviceKernel>(mlir::ModuleOp)>;

/// The kernel with its images for sm_80, compiled as the compiler would; `error` tells what went wrong.
codegen::DeviceKernel compileKernel(const EmitKernel &emit, std::string &error);
/// The first one of a kind.
llvm::StringRef imageOf(const codegen::DeviceKernel &kernel, uint32_t kind);

/// A compiled kernel, launched as the runtime would.
class DeviceKernelRunner {
public:
  /// Makes of what was compiled what the emulator is to run instead.
  using Change = std::function<void(llvm::Module &)>;
  /// error() tells what went wrong. Instrumented code is checked for bounds and races.
  explicit DeviceKernelRunner(const EmitKernel &emit, const Change &change = {}, bool isInstrumented = true);
  ~DeviceKernelRunner();
  const std::string &error() const { return failure; }
  const codegen::DeviceKernel &kernel() const { return made; }

  /// Device memory, filled with NaN or with these values; freed by reset().
  template <typename T> T *allocate(size_t n, const char *name) {
    void *memory = emulator.memory.allocate(n * sizeof(T), name);
    owned.push_back(memory);
    return static_cast<T *>(memory);
  }
  template <typename T> T *upload(const T *values, size_t n, const char *name) {
    T *memory = allocate<T>(n, name);
    std::copy_n(values, n, memory);
    return memory;
  }
  /// Frees what was allocated since there were `count` allocations.
  void reset(size_t count = 0);
  size_t allocations() const { return owned.size(); }

  /// Runs the launches for `rows` rows. `step` needs no scratch; `longest`: keys of its longest sequence.
  /// Empty, or what the emulator says.
  std::string run(llmc_step step, uint64_t rows, uint64_t longest, const std::vector<const void *> &args);
  uint32_t launches = 0; // of the last run
  /// A variable of the module.
  void *variable(llvm::StringRef name) const;
  /// Blocks in y and z are multiplied by these; there are no more than those.
  uint32_t moreRowBlocks = 1, moreKeyBlocks = 1, mostRowBlocks = UINT32_MAX, mostKeyBlocks = UINT32_MAX;

  simt::Emulator emulator;

private:
  codegen::DeviceKernel made;
  std::string failure;
  simt::Library library;
  std::vector<void *> owned;
};

} // namespace llmc::test
#endif
