//===- Entry.h - kernels of a GPU as functions ------------------*- C++ -*-===//
#ifndef LLMC_CODEGEN_CUDA_ENTRY_H
#define LLMC_CODEGEN_CUDA_ENTRY_H

#include "codegen/emit/KernelArguments.h"

namespace llmc::cuda {

/// Emits `name`, a kernel of a GPU, into the gpu.module of `module`: two addresses, and `threads` threads a
/// block.
void emitEntry(emit::Emitter &e, mlir::ModuleOp module, llvm::StringRef name, uint32_t threads,
               llvm::function_ref<void(const emit::KernelArguments &)> body);

/// What an entry is given: the share of a block among those in y, and the thread within it.
emit::KernelArguments argumentsOf(emit::Emitter &e, mlir::ValueRange functionArguments);

/// `bytes` of static shared memory by this name in the gpu.module, 16-byte aligned; its address is one of
/// shared memory (address space 3).
mlir::Value sharedArray(emit::Emitter &e, mlir::ModuleOp module, llvm::StringRef name, int64_t bytes);

} // namespace llmc::cuda
#endif
