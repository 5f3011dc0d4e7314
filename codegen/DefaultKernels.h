//===- DefaultKernels.h - kernels made from decompositions ------*- C++ -*-===//
//
// The way every op of the lm dialect runs the day it is written: its decomposition, one row at a time. Slow,
// exact, and the same bits for every batch and number of workers, because a row never meets another.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_DEFAULTKERNELS_H
#define LLMC_CODEGEN_DEFAULTKERNELS_H

#include "codegen/DefaultTarget.h"
#include "ir/StepOps.h"

#include "mlir/IR/BuiltinOps.h"

namespace llmc::codegen {

/// What the tables of module_abi.h must say of the kernel.
struct DefaultKernel {
  uint64_t scratchConstant = 0, scratchPerRow = 0, scratchPerKey = 0, scratchPerRowKey = 0;
  bool usesKeys = false; // reads step->keys or the number of keys: llmc_module.uses_keys must be set
};

/// Emits `name`, an entry of `target`, into `into`, as far as the target lowers it by itself.
///
/// Arguments, in the order of the kernel's block arguments: an address for each tensor and weight (none for
/// tokens); then, for lm.kv_append and lm.kv_view, three immediates (cache number, byte offset of the layer's
/// K in a page, of its V); then an address for each value that step.return names.
///
/// Buffers of floats have a row stride of the width rounded up to 16 floats, and the columns beyond the width
/// are written as zero; the keys (sequence, position) are dense, 8 bytes a row. K and V that lm.attention
/// reads and the results of lm.kv_view are in the row space `keys`, all else in the kernel's own.
///
/// `schemes` names a scheme of ir/quant or `vector` (f32 numbers in a row) for each weight. lm.kv_append and
/// lm.kv_view need `cache = {heads, dim_k, dim_v, page_tokens, type}`, with pages laid out as
/// emit::AttentionSpec says.
///
/// An op that touches the cache together with other things (lm.cached_attention) is refused: split it first.
mlir::FailureOr<DefaultKernel> emitDefaultKernel(mlir::ModuleOp into, llvm::StringRef name,
                                                 step::KernelOp kernel, const DefaultTarget &target);

/// The dialects and interfaces that emitDefaultKernel works with; to be in the context before it is called.
void registerDefaultKernelDialects(mlir::DialectRegistry &registry);

} // namespace llmc::codegen
#endif
