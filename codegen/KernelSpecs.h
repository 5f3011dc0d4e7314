//===- KernelSpecs.h - which ops have kernels of their own ------*- C++ -*-===//
//
// The one place that knows which ops of the lm dialect the CPU emitters take, and turns a step.kernel into
// their specs. What is not here runs through its decomposition (DefaultKernels).
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_KERNELSPECS_H
#define LLMC_CODEGEN_KERNELSPECS_H

#include "codegen/cpu/Kernels.h"
#include "ir/StepOps.h"

#include <optional>
#include <string>
#include <variant>

namespace llmc::codegen {

/// The op can be a kernel, by an emitter or by its decomposition. If not, it must be split into the ops it is
/// made from.
bool hasKernel(mlir::Operation *op);

/// A name that says op, shape and scheme: "fused_linear_rms_576x576_192x576_192x576_q4_1".
std::string kernelName(mlir::Operation *op, llvm::ArrayRef<llvm::StringRef> schemes, llvm::StringRef space,
                       llvm::StringRef activations);

/// f32 frequencies that the op's kernel takes as an argument (cached attention with a rope); nothing for
/// other ops.
std::optional<llvm::SmallVector<float>> rotaryFrequencies(mlir::Operation *op);

/// An emitter's spec, or nothing for a kernel that runs through its decomposition.
using KernelSpec =
    std::variant<std::monostate, emit::LinearSpec, emit::NormSpec, emit::AttentionSpec, emit::EmbedSpec>;
mlir::FailureOr<KernelSpec> kernelSpec(step::KernelOp kernel);
/// Of an attention over a cache that lies in this way.
emit::AttentionSpec attentionSpec(lm::CachedAttentionOp op, const emit::KVLayout &layout);

/// Bytes a row of the packed-activation buffer of the kernel; 0: it has none.
mlir::FailureOr<int64_t> packedRowBytes(step::KernelOp kernel);

/// Floating-point operations of one row, and of one row for each key it sees.
struct KernelWork {
  uint64_t flopsPerRow = 0, flopsPerKey = 0, keyBytes = 0;
};
KernelWork kernelWork(step::KernelOp kernel);

} // namespace llmc::codegen
#endif
