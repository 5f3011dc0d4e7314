//===- KernelSpecs.h - step.kernel => the emitters' specs -------*- C++ -*-===//
//
// The one place that turns a step.kernel into what the emitters of all targets take. What has no spec runs
// through its decomposition (DefaultKernels).
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

/// Floating-point operations of one row, and of one row for each key it sees.
struct KernelWork {
  uint64_t flopsPerRow = 0, flopsPerKey = 0, keyBytes = 0;
};
KernelWork kernelWork(step::KernelOp kernel);

} // namespace llmc::codegen
#endif
