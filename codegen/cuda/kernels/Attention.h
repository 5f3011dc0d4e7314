//===- Attention.h - rope, append and attention on a GPU --------*- C++ -*-===//
//
// Few rows (split): each block takes a kv head, a sequence and a key block; it appends the step's keys that
// belong there and attends to the block for all of the sequence's queries. A second launch puts the key
// blocks together. Many rows (prompt): a launch appends, then each block takes a kv head and a tile of tokens
// through all key blocks. Both do the same arithmetic in the same order, so a query's bits depend on its
// sequence alone.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_CUDA_KERNELS_ATTENTION_H
#define LLMC_CODEGEN_CUDA_KERNELS_ATTENTION_H

#include "codegen/DeviceTarget.h"
#include "codegen/cuda/kernels/AttentionShape.h"

namespace llmc::cuda {

/// Empty, or why there is no kernel for this.
std::string whyNoAttention(const emit::AttentionSpec &spec);

/// The kernel's launches; what comes back has no images.
mlir::FailureOr<codegen::DeviceKernel> emitAttention(mlir::ModuleOp module, llvm::StringRef name,
                                                     const emit::AttentionSpec &spec);

// One entry each.
void emitAttentionSplit(mlir::ModuleOp module, const std::string &name, const AttentionShape &shape);
void emitAttentionCombine(mlir::ModuleOp module, const std::string &name, const AttentionShape &shape);
void emitAttentionAppend(mlir::ModuleOp module, const std::string &name, const AttentionShape &shape);
void emitAttentionPrompt(mlir::ModuleOp module, const std::string &name, const AttentionShape &shape);

/// Bytes of shared memory of the largest of them.
int64_t attentionSharedBytes(const AttentionShape &shape);

} // namespace llmc::cuda
#endif
