//===- ChannelInt8.cpp - one f32 scale and int8 quants for a row ----------===//
#include "ir/quant/quantize/Rows.h"
#include "ir/quant/quantize/Vector.h"

namespace llmc::quant {
namespace {

constexpr int chunk = 64;
constexpr float high = 127;

/// Squared error of the row with the scale.
LLMC_INLINE double rowError(const float *x, int64_t k, float d) {
  double sum = 0;
  const float inverse = 1 / d;
  for (int64_t first = 0; first < k; first += chunk) {
    float values[chunk], error[chunk];
    loadPadded<chunk>(x + first, k - first, values);
    for (int i = 0; i < chunk; ++i) {
      float e = values[i] - d * roundEven(clampTo(values[i] * inverse, -high, high));
      error[i] = e * e;
    }
    sum += fold<chunk>(error);
  }
  return sum;
}

LLMC_INLINE void rowInt8(const float *x, int64_t k, uint8_t *out) {
  float magnitude = 0;
  for (int64_t first = 0; first < k; first += chunk) {
    float values[chunk];
    loadPadded<chunk>(x + first, k - first, values);
    float here = largestMagnitude<chunk>(values);
    magnitude = here > magnitude ? here : magnitude;
  }
  // Long rows may gain by cutting off their few largest values.
  constexpr float candidates[] = {127, 130, 135, 142, 152, 165};
  float best = 0;
  double bestError = INFINITY;
  for (float candidate : candidates) {
    const float d = magnitude / candidate;
    if (!(d >= 0x1p-120f))
      break;
    const double error = rowError(x, k, d);
    if (!(error < bestError))
      break;
    best = d;
    bestError = error;
  }
  std::memcpy(out, &best, sizeof best);
  const float inverse = best > 0 ? 1 / best : 0;
  for (int64_t i = 0; i < k; ++i)
    out[4 + i] = static_cast<uint8_t>(
        static_cast<int8_t>(static_cast<int32_t>(roundEven(clampTo(x[i] * inverse, -high, high)))));
}

} // namespace

void quantizeRowInt8(const float *x, int64_t k, uint8_t *out) { dispatchRow<rowInt8>(x, k, out); }

} // namespace llmc::quant
