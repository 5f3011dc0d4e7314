//===- Attention.cpp - rope, append and attention on a GPU ----------------===//
#include "codegen/cuda/kernels/Attention.h"

#include "codegen/cuda/kernels/AttentionQueries.h"

using namespace mlir;
using namespace llmc::codegen;

namespace llmc::cuda {

constexpr int64_t mostDimV = 1024;
constexpr uint32_t mostBlocks = 65535;

std::string whyNoAttention(const emit::AttentionSpec &spec) {
  if (!spec.causal)
    return "only causal attention is supported over the paged cache";
  if (spec.pageTokens % AttentionShape::unitKeys)
    return "expected pages of a multiple of 32 tokens, but got " + std::to_string(spec.pageTokens);
  if (spec.dimV > mostDimV)
    return "expected values of at most 1024 dimensions, but got " + std::to_string(spec.dimV);
  const int64_t bytes = attentionSharedBytes(AttentionShape(spec));
  if (bytes > mostSharedBytes)
    return "needs " + std::to_string(bytes) + " bytes of shared memory, more than a block may have";
  return "";
}

FailureOr<DeviceKernel> emitAttention(ModuleOp module, StringRef name, const emit::AttentionSpec &spec) {
  if (std::string why = whyNoAttention(spec); !why.empty()) {
    module.emitError() << "attention kernel '" << name << "': " << why;
    return failure();
  }
  const AttentionShape shape(spec);
  const std::string split = name.str(), combine = split + "_combine", append = split + "_append",
                    prompt = split + "_prompt";
  emitAttentionSplit(module, split, shape);
  emitAttentionCombine(module, combine, shape);
  emitAttentionAppend(module, append, shape);
  emitAttentionPrompt(module, prompt, shape);
  DeviceKernel kernel;
  const DeviceLaunch few = {.entry = {},
                            .threads = AttentionShape::threads,
                            .maxRows = AttentionShape::mostSplitRows,
                            .rowsPerBlock = 1,
                            .maxRowBlocks = AttentionShape::mostSplitRows};
  DeviceLaunch launch = few;
  launch.entry = split;
  launch.blocks = spec.kvHeads;
  launch.keysPerBlock = shape.blockKeys();
  launch.maxKeyBlocks = mostBlocks;
  kernel.launches.push_back(launch);
  launch = few;
  launch.entry = combine;
  launch.blocks = (spec.heads + AttentionShape::warps - 1) / AttentionShape::warps;
  kernel.launches.push_back(launch);
  launch = few;
  launch.minRows = AttentionShape::mostSplitRows + 1;
  launch.maxRows = UINT32_MAX;
  launch.maxRowBlocks = mostBlocks;
  launch.blocks = spec.kvHeads;
  launch.entry = append;
  kernel.launches.push_back(launch);
  launch.entry = prompt;
  kernel.launches.push_back(launch);
  // A key block of every query; the last one of a sequence may be short.
  kernel.commonPerRow = shape.recordBytesPerRow();
  kernel.commonPerRowKey = (kernel.commonPerRow + shape.blockKeys() - 1) / shape.blockKeys();
  kernel.commonRows = AttentionShape::mostSplitRows;
  return kernel;
}

} // namespace llmc::cuda
