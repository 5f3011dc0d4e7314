//===- LowerToStep.h - lm model => step program -----------------*- C++ -*-===//
#ifndef LLMC_CODEGEN_LOWERTOSTEP_H
#define LLMC_CODEGEN_LOWERTOSTEP_H

#include "ir/StepOps.h"
#include "ir/quant/QuantScheme.h"

#include "llvm/ADT/StringMap.h"

#include <functional>
#include <optional>
#include <string>

namespace llmc::codegen {

class DeviceTarget;

/// Where packed weights and constants lie, by what they are: one set for all programs of a model.so.
struct WeightPlaces {
  llvm::StringMap<int64_t> offsets;
  int64_t end = 0;
};

struct LowerToStepOptions {
  /// How the weight that `expression` makes in `layer` is stored; fails with a diagnostic.
  std::function<mlir::FailureOr<const quant::QuantScheme *>(mlir::Value expression,
                                                            std::optional<int64_t> layer)>
      scheme;
  /// What matmuls multiply in: f32, f16, bf16; int8 where all weights of a matmul are integers, else f32.
  std::string activations = "int8";
  /// What the program is for: it says which ops can be kernels as they are. Null: the CPU (KernelSpecs.h).
  const DeviceTarget *target = nullptr;
  bool defaultKernels = false;    // of the target: all kernels are decompositions
  WeightPlaces *places = nullptr; // null: the program has weights of its own
};

/// Unrolls the layers into a table of dispatches over deduplicated kernels and replaces `model` by the
/// program.
mlir::FailureOr<step::ProgramOp> lowerToStep(lm::ModelOp model, const LowerToStepOptions &options);

} // namespace llmc::codegen
#endif
