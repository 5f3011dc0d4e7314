//===- AttentionShape.cpp - how attention is cut over a GPU ---------------===//
#include "codegen/cuda/kernels/AttentionShape.h"

namespace llmc::cuda {

int64_t powerOfTwo(int64_t n) {
  int64_t power = 1;
  while (power < n)
    power *= 2;
  return power;
}

AttentionShape::AttentionShape(const emit::AttentionSpec &spec)
    : spec(spec), layout(spec.layout()), group(spec.heads / spec.kvHeads), bytes(spec.cacheType->bytes),
      dimV(layout.dimVPadded()), groupsK(layout.groups(spec.dimK)), groupsV(layout.groups(spec.dimV)) {
  const int64_t ofKey = (layout.headBytesK() + layout.headBytesV()) / spec.pageTokens;
  const int64_t ofQueries = 4 * group * (spec.dimK + 2 * (dimV + 2));
  blockUnits = warps;
  while (blockUnits < mostBlockUnits && 10 * ofQueries > blockKeys() * ofKey)
    blockUnits *= 2;
  // Wide vectors, but not so wide that lanes of the last ones have nothing to do.
  width = vectors = 0;
  for (int64_t w : {4, 2, 1}) {
    const int64_t n = (dimV + 32 * w - 1) / (32 * w);
    if (spec.dimV % w == 0 && (!width || n * w < vectors * width))
      width = w, vectors = n;
  }
  // So many that their sums stay in registers and, for all warps, the queries in 16 KB of shared memory.
  rows = 8;
  while (rows > 1 && (rows * vectors * width > 32 || rows * spec.dimK * 4 * warps > (16 << 10)))
    rows /= 2;
  tileTokens = std::max<int64_t>(1, warps * rows / group);
}

AttentionShape::Stages AttentionShape::stages(int64_t wanted) const {
  const int64_t ofDim = unitKeys * bytes, ofValue = dimV * bytes;
  Stages result;
  result.bytes = std::max({wanted, ofDim, ofValue});
  result.dims = std::min(spec.dimK, result.bytes / ofDim);
  result.keys = unitKeys;
  while (result.keys * ofValue > result.bytes)
    result.keys /= 2;
  return result;
}

} // namespace llmc::cuda
