//===- KernelArguments.h - what a kernel is told ----------------*- C++ -*-===//
#ifndef LLMC_CODEGEN_EMIT_KERNELARGUMENTS_H
#define LLMC_CODEGEN_EMIT_KERNELARGUMENTS_H

#include "codegen/emit/Emitter.h"

namespace llmc::emit {

/// What a kernel's entry is given (llmc_kernel_fn).
struct KernelArguments {
  mlir::Value step, args;
  mlir::Value number, count; // of the share, i64
  mlir::Value worker, again; // i64; again: 1 if the worker has run a share of this row before
  mlir::Value lane, lanes;   // i64: which thread of those that do a share together; null if one does it

  KernelArguments() = default;
  KernelArguments(Emitter &e, mlir::ValueRange arguments);
  mlir::Value pointer(Emitter &e, int64_t index) const; // args[index]
  mlir::Value immediate(Emitter &e, int64_t index) const;
  mlir::Value rows(Emitter &e, uint32_t space) const;
  mlir::Value scratch(Emitter &e) const; // this worker's
  /// The share [first, last) of `items`, contiguous.
  std::pair<mlir::Value, mlir::Value> share(Emitter &e, mlir::Value items) const;
  /// for (i = 0; i < items; i += step), by the threads of a share together.
  void forEach(Emitter &e, int64_t items, int64_t step, llvm::function_ref<void(mlir::Value)> body) const;
};

/// step->count_load(step, address, bytes): for instrumented kernels.
void emitCountLoad(Emitter &e, mlir::Value step, mlir::Value address, mlir::Value bytes);

} // namespace llmc::emit
#endif
