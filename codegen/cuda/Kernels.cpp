//===- Kernels.cpp - step kernels => launches on a GPU --------------------===//
#include "codegen/cuda/Kernels.h"

#include "codegen/CacheLayout.h"
#include "codegen/DefaultKernels.h"
#include "codegen/KernelSpecs.h"
#include "codegen/cuda/DefaultTarget.h"
#include "codegen/cuda/kernels/Attention.h"
#include "codegen/cuda/kernels/Choose.h"
#include "codegen/cuda/kernels/Embed.h"
#include "codegen/cuda/kernels/Linear.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace llmc::codegen;

namespace llmc::cuda {

/// Whether the emitter takes the op with every storage type of its cache.
static bool hasAttention(lm::CachedAttentionOp op) {
  auto cache = SymbolTable::lookupNearestSymbolFrom<lm::CacheOp>(op, op.getCacheAttr());
  return cache && cache.getPageTokens() && llvm::all_of(cache.storageTypes(), [&](StringRef type) {
           return whyNoAttention(attentionSpec(op, cacheLayout(cache, type))).empty();
         });
}

/// Decompositions can do all but touch the cache together with other things.
bool hasKernel(Operation *op, bool defaultKernels) {
  auto attention = dyn_cast<lm::CachedAttentionOp>(op);
  return !attention || (!defaultKernels && hasAttention(attention));
}

/// The spec of a kernel with an emitter of its own; empty for others.
static FailureOr<KernelSpec> ownSpec(step::KernelOp kernel, bool defaultKernels) {
  if (defaultKernels)
    return KernelSpec();
  FailureOr<KernelSpec> spec = kernelSpec(kernel);
  if (failed(spec))
    return failure();
  auto *linear = std::get_if<emit::LinearSpec>(&*spec);
  const bool isOwn = linear ? hasLinear(*linear) : !std::holds_alternative<emit::NormSpec>(*spec);
  return isOwn ? std::move(*spec) : KernelSpec();
}

/// Of a kernel that has no emitter: the schemes of its weights if it is a matmul, "q4_k+q6_k", each once.
static FailureOr<std::string> slowSchemesOf(step::KernelOp kernel) {
  FailureOr<KernelSpec> spec = kernelSpec(kernel);
  if (failed(spec))
    return failure();
  llvm::SetVector<StringRef> names;
  if (auto *linear = std::get_if<emit::LinearSpec>(&*spec))
    for (const emit::LinearSpec::Weight &weight : linear->weights)
      names.insert(weight.scheme->name);
  return llvm::join(names, "+");
}

FailureOr<int64_t> packedRowBytes(step::KernelOp kernel, bool defaultKernels) {
  FailureOr<KernelSpec> spec = ownSpec(kernel, defaultKernels);
  if (failed(spec))
    return failure();
  auto *linear = std::get_if<emit::LinearSpec>(&*spec);
  return linear ? linearPackedRowBytes(*linear) : 0;
}

std::string samplingKernel(step::ProgramOp program, bool defaultKernels) {
  return defaultKernels ? "" : "choose_" + std::to_string(program.getVocab());
}

FailureOr<DeviceKernel> emitSamplingKernel(ModuleOp module, step::ProgramOp program) {
  return emitChoose(module, samplingKernel(program, false), int64_t(program.getVocab()));
}

FailureOr<DeviceKernel> emitKernel(ModuleOp module, step::KernelOp kernel, bool defaultKernels) {
  module->setLoc(kernel.getLoc()); // emitters give it to all that they make
  FailureOr<KernelSpec> spec = ownSpec(kernel, defaultKernels);
  if (failed(spec))
    return failure();
  if (const auto *embed = std::get_if<emit::EmbedSpec>(&*spec))
    return emitEmbed(module, kernel.getSymName(), *embed);
  if (const auto *attention = std::get_if<emit::AttentionSpec>(&*spec))
    return emitAttention(module, kernel.getSymName(), *attention);
  if (const auto *linear = std::get_if<emit::LinearSpec>(&*spec))
    return emitLinear(module, kernel.getSymName(), *linear);
  FailureOr<std::string> slowSchemes = defaultKernels ? std::string() : slowSchemesOf(kernel);
  if (failed(slowSchemes))
    return failure();
  FailureOr<DefaultKernel> made = emitDefaultKernel(module, kernel.getSymName(), kernel, Defaults());
  if (failed(made))
    return failure();
  DeviceKernel result;
  result.slowSchemes = std::move(*slowSchemes);
  result.facts = {.usesKeys = made->usesKeys,
                  .scratchConstant = made->scratchConstant,
                  .scratchPerRow = made->scratchPerRow,
                  .scratchPerKey = made->scratchPerKey,
                  .scratchPerRowKey = made->scratchPerRowKey};
  result.launches = {{.entry = kernel.getSymName().str(),
                      .threads = defaultThreads,
                      .rowsPerBlock = 1,
                      .maxRowBlocks = defaultBlocks}};
  return result;
}

} // namespace llmc::cuda
