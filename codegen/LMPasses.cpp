//===- LMPasses.cpp - the passes over the lm dialect ----------------------===//
//
// A pass stands in one line, with the phase it belongs to.
//
//===----------------------------------------------------------------------===//
#include "codegen/LMPasses.h"

#include "codegen/PackingFits.h"
#include "passes/Passes.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;

/// A norm goes into its matmuls first, so that matmuls with the same norm still share an input; fuse-qkv
/// comes last of the matmul fusions, since it takes what has no epilogue and is not half of a gated pair.
const std::vector<LMPass> &codegen::lmPasses() {
  static const std::vector<LMPass> passes = {
      {"fuse-rmsnorm-matmul", Phase::Fuse, true, [](auto &&) { return createFuseRMSNormMatmulPass(); }},
      {"fuse-swiglu", Phase::Fuse, true, [](auto &&) { return createFuseSwigluPass(); }},
      {"fuse-epilogue", Phase::Fuse, true, [](auto &&) { return createFuseEpiloguePass(); }},
      {"fuse-qkv", Phase::Fuse, true, [](auto &&) { return createFuseQKVPass(); }},
      {"fuse-rope-attention", Phase::Fuse, true, [](auto &&) { return createFuseRopeAttentionPass(); }},
      {"quantize", Phase::Quantize, false,
       [](const LMPassInputs &inputs) { return createQuantizePass(inputs.options.quantize); }},
      {"pack-bf16", Phase::Quantize, true,
       [](const LMPassInputs &inputs) {
         return createPackBF16Pass(packingOf(inputs.weights, inputs.options));
       }},
      {"plan-kv-cache", Phase::Plan, false,
       [](const LMPassInputs &inputs) {
         PlanKVCachePassOptions options;
         options.type = inputs.cacheType.str();
         return createPlanKVCachePass(options);
       }},
  };
  return passes;
}

std::vector<std::string> codegen::optionalPasses() {
  std::vector<std::string> names;
  for (const LMPass &pass : lmPasses())
    if (pass.isOptional)
      names.push_back(pass.name);
  return names;
}
