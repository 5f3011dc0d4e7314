//===- LowerToStep.h - lm model => step program -----------------*- C++ -*-===//
#ifndef LLMC_CODEGEN_LOWERTOSTEP_H
#define LLMC_CODEGEN_LOWERTOSTEP_H

#include "ir/StepOps.h"
#include "ir/quant/QuantScheme.h"

#include <functional>
#include <optional>
#include <string>

namespace llmc::codegen {

struct LowerToStepOptions {
  /// How the weight that `expression` makes in `layer` is stored; fails with a diagnostic.
  std::function<mlir::FailureOr<const quant::QuantScheme *>(mlir::Value expression,
                                                            std::optional<int64_t> layer)>
      scheme;
  /// What matmuls multiply in: f32, f16, bf16; int8 where all weights of a matmul are integers, else f32.
  std::string activations = "int8";
};

/// Unrolls the layers into a table of dispatches over deduplicated kernels and replaces `model` by the
/// program.
mlir::FailureOr<step::ProgramOp> lowerToStep(lm::ModelOp model, const LowerToStepOptions &options);

} // namespace llmc::codegen
#endif
