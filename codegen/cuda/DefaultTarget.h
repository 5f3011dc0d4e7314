//===- DefaultTarget.h - default kernels on a GPU ---------------*- C++ -*-===//
//
// A row is a block's: its threads run the whole kernel side by side, share the elements of every op, and meet
// before and after it. What reduces is one thread's, in the order of the CPU, so that the bits are the same.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_CUDA_DEFAULTTARGET_H
#define LLMC_CODEGEN_CUDA_DEFAULTTARGET_H

#include "codegen/DefaultTarget.h"
#include "codegen/cuda/Entry.h"

namespace llmc::cuda {

/// Threads of a block of a default kernel, and how many blocks have a scratch of their own.
constexpr uint32_t defaultThreads = 128, defaultBlocks = 256;

/// Linalg ops on memrefs => loops over elements by all threads of the block, reductions by one, barriers
/// between them; what stands outside of them is stored by one thread.
mlir::LogicalResult spreadOverThreads(mlir::ModuleOp module);

class Defaults : public codegen::DefaultTarget {
public:
  void emitEntry(emit::Emitter &e, mlir::ModuleOp module, llvm::StringRef name,
                 llvm::function_ref<void(const emit::KernelArguments &)> body) const override {
    cuda::emitEntry(e, module, name, defaultThreads, body);
  }
  emit::KernelArguments arguments(emit::Emitter &e, mlir::ValueRange functionArguments) const override {
    return argumentsOf(e, functionArguments);
  }
  mlir::LogicalResult lowerToLoops(mlir::ModuleOp module) const override { return spreadOverThreads(module); }
};

} // namespace llmc::cuda
#endif
