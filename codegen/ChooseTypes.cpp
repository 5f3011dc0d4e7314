//===- ChooseTypes.cpp - what a model computes in and keeps ---------------===//
#include "codegen/ChooseTypes.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;

/// One matrix of a matmul with an integer scheme is enough.
static bool hasIntegerWeights(lm::ModelOp model, WeightSource &weights) {
  ScopedDiagnosticHandler quiet(model->getContext(), [](Diagnostic &) { return success(); });
  lm::LayersOp stack = model.layers();
  const int64_t layers = stack ? stack.getCount() : 0;
  auto isInteger = [&](Value weight, std::optional<int64_t> layer) {
    FailureOr<const quant::QuantScheme *> scheme = weights.schemeOf(weight, layer);
    return succeeded(scheme) && (*scheme)->isInteger();
  };
  WalkResult walk = model.walk([&](Operation *op) {
    if (!isa<lm::LinearOp, lm::FusedLinearOp>(op))
      return WalkResult::advance();
    for (Value operand : op->getOperands()) {
      auto type = dyn_cast<lm::WeightType>(operand.getType());
      if (!type || type.rank() != 2)
        continue;
      if (!op->getParentOfType<lm::LayersOp>() && isInteger(operand, std::nullopt))
        return WalkResult::interrupt();
      for (int64_t layer = 0; layer < layers; ++layer)
        if (stack.getBodies()[stack.kindOf(layer)].isAncestor(op->getParentRegion()) &&
            isInteger(operand, layer))
          return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return walk.wasInterrupted();
}

std::string codegen::deviceActivations(const PipelineOptions &options) {
  const bool isRounded = options.activations == "f16" || options.activations == "bf16";
  return isRounded && !options.defaultKernels ? options.activations : "f32";
}

void codegen::chooseTypes(lm::ModelOp model, WeightSource &weights, const PipelineOptions &options,
                          PipelineState &state) {
  if (options.defaultKernels || options.variants.empty())
    state.activations = deviceActivations(options);
  else if (options.activations == "auto")
    state.activations = hasIntegerWeights(model, weights) ? "int8" : "f32";
  else
    state.activations = options.activations;
  SmallVector<StringRef> words, types;
  StringRef(options.cacheTypes).split(words, ',');
  for (StringRef word : words) {
    StringRef type = word != "auto" ? word : state.activations == "f32" ? "f32" : "f16";
    if (!llvm::is_contained(types, type))
      types.push_back(type);
  }
  state.cacheType = llvm::join(types, ",");
}
