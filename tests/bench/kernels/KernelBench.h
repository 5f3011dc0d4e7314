//===- KernelBench.h - time one kernel against the roofline -----*- C++ -*-===//
//
// What the measurements of kernels share: a compiled kernel called as the only worker would call it, and the
// counters, which put the median time of a call beside the limits measured right before.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TESTS_BENCH_KERNELS_KERNELBENCH_H
#define LLMC_TESTS_BENCH_KERNELS_KERNELBENCH_H

#include "tests/codegen/KernelJit.h"
#include "tools/llmc/Roofline.h"

#include <benchmark/benchmark.h>

#include <functional>

namespace llmc::bench {

/// `--tiny`: shapes that take milliseconds, to show that everything works.
extern bool isTiny;

/// Zeroed memory whose start is aligned as buffers of the arena are.
class Buffer {
public:
  explicit Buffer(size_t bytes)
      : size(bytes), storage(bytes + 64),
        start(storage.data() + (64 - reinterpret_cast<uintptr_t>(storage.data()) % 64)) {}
  Buffer(const Buffer &) = delete;
  template <typename T = uint8_t> T *data() { return reinterpret_cast<T *>(start); }
  const size_t size;

private:
  std::vector<uint8_t> storage;
  uint8_t *start;
};

/// One emitted kernel, compiled when it is first asked for.
class LazyKernel {
public:
  using Emit = std::function<mlir::FailureOr<cpu::KernelResult>(mlir::ModuleOp, llvm::StringRef name)>;
  explicit LazyKernel(Emit emit) : emit(std::move(emit)) {}
  bool compile(); // false if it cannot be had

  /// A call for `rows` rows and `keys` keys of the step.
  struct Call {
    llmc_step step = {};
    llmc_kernel_fn prepare = nullptr, run = nullptr; // prepare: null if that phase does not apply
    std::unique_ptr<Buffer> scratch;
    uint8_t *scratchPointer = nullptr;
    Call() = default;
    Call(const Call &) = delete;
    void operator()(const void *const *args) const;
  };
  void prepareCall(Call &call, uint64_t rows, uint64_t keys);

private:
  Emit emit;
  test::KernelJit jit;
  std::optional<cpu::KernelResult> kernel;
  bool failed = false;
};

/// What one call works through, and with which unit at best.
struct Work {
  double bytes, operations;
  cli::Arithmetic arithmetic;
  llvm::StringRef variant;
  const uint8_t *memory; // the bytes, as far as they come from memory, for the read loop
  size_t memoryBytes;
};

/// Times the calls and sets the counters GB/s, GOPS, read (GB/s), peak (GOPS) and %roof: the time that the
/// slower of reading the bytes and doing the operations takes at least, over the median time of a call.
void measure(benchmark::State &state, const Work &work, const std::function<void()> &call);

void registerLinear();
void registerAttention();

} // namespace llmc::bench
#endif
