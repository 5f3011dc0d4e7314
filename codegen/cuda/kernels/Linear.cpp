//===- Linear.cpp - the launches of a linear kernel -----------------------===//
#include "codegen/cuda/kernels/Linear.h"

using namespace mlir;

namespace llmc::cuda {

using namespace linear;
using emit::ActivationType;
using emit::Emitter;
using quant::Storage;

static bool knows(const quant::QuantScheme &scheme) {
  if (!scheme.isInteger())
    return scheme.storage == Storage::Float16 || scheme.storage == Storage::BFloat16;
  const bool isPlain = !scheme.codebook && scheme.highBits == 0 && scheme.group == 32;
  return isPlain && scheme.scale == quant::ScaleKind::Half && (scheme.lowBits == 4 || scheme.lowBits == 8);
}

bool hasLinear(const emit::LinearSpec &spec) {
  // Planes stand in an order that the scheme decides.
  const quant::QuantScheme *scheme = spec.weights.front().scheme;
  return knows(*scheme) && spec.activations != ActivationType::Int8 &&
         llvm::all_of(spec.weights, [&](const auto &weight) { return weight.scheme == scheme; });
}

int64_t linearPackedRowBytes(const emit::LinearSpec &spec) { return Plan(spec).packedRowBytes(); }

/// Integers up to 127 and what f16 weights are stand in f16; bf16 reaches further.
Plan::Plan(const emit::LinearSpec &spec, int64_t mostGroups)
    : spec(spec), mostGroups(mostGroups), scheme(*spec.weights.front().scheme),
      type(scheme.storage == Storage::BFloat16 ? MatrixType::BF16 : MatrixType::F16),
      columns(scheme.isInteger() ? 64 : 32), chunks((spec.k + columns - 1) / columns),
      slices((chunks * columns + sliceColumns - 1) / sliceColumns), weights(spec.glu ? 2 : 1) {
  // A second plane holds what a number has beyond the bits of the first.
  const bool isExact = spec.activations == ActivationType::BF16 ||
                       (spec.activations == ActivationType::F16 && type == MatrixType::F16);
  planes = isExact ? 1 : 2;
}

/// Slices are as long as each other, or a chunk longer.
Value Plan::firstChunk(Emitter &e, Value slice) const { return e.div(e.mul(slice, chunks), slices); }

namespace linear {

int64_t rowBlocks(const Plan &plan, int64_t warps) {
  int64_t blocks = 0;
  for (int64_t i = 0; i < plan.outputs(); ++i)
    blocks += llvm::divideCeil(plan.panels(i), warps * warpPanels);
  return blocks;
}

Target targetOf(Emitter &e, const Plan &plan, const emit::KernelArguments &arguments, Value block,
                int64_t warps) {
  auto ofOutput = [&](int64_t i, Value rowBlock) {
    Target target;
    target.rowBlock = rowBlock;
    target.panels = e.c(plan.panels(i));
    target.rowStride = e.c(emit::rowStride(plan.width(i)));
    for (int64_t w = i * plan.weights; w < (i + 1) * plan.weights; ++w) {
      target.weights.push_back(arguments.pointer(e, plan.weight(w)));
      if (plan.spec.bias)
        target.biases.push_back(arguments.pointer(e, plan.bias(w)));
    }
    if (plan.spec.residual)
      target.residual = arguments.pointer(e, plan.residual());
    target.output = arguments.pointer(e, plan.output(i));
    return target;
  };
  Target target = ofOutput(0, block);
  int64_t first = 0;
  for (int64_t i = 1; i < plan.outputs(); ++i) {
    first += llvm::divideCeil(plan.panels(i - 1), warps * warpPanels);
    Value isLater = e.less(e.c(first - 1), block);
    Target later = ofOutput(i, e.sub(block, first));
    auto choose = [&](Value &value, Value other) { value = e.select(isLater, other, value); };
    choose(target.rowBlock, later.rowBlock);
    choose(target.panels, later.panels);
    choose(target.rowStride, later.rowStride);
    for (auto [mine, other] : llvm::zip(target.weights, later.weights))
      choose(mine, other);
    for (auto [mine, other] : llvm::zip(target.biases, later.biases))
      choose(mine, other);
    choose(target.output, later.output);
  }
  return target;
}

Target ofWarp(Emitter &e, Target target, int64_t warps) {
  target.rowBlock = e.add(e.mul(target.rowBlock, warps), warpNumber(e));
  return target;
}

} // namespace linear

codegen::DeviceKernel emitLinear(ModuleOp module, StringRef name, const emit::LinearSpec &spec,
                                 int64_t mostGroups) {
  const Plan plan(spec, mostGroups);
  codegen::DeviceKernel kernel;
  for (int64_t tiles = 1; tiles <= fewRows / tileTokens; tiles *= 2)
    kernel.launches.push_back(emitFewRows(module, name, plan, tiles, kernel.commonPerRow));
  kernel.commonRows = fewRows;
  kernel.launches.push_back(emitPack(module, name, plan));
  kernel.launches.push_back(emitManyRows(module, name, plan));
  return kernel;
}

} // namespace llmc::cuda
