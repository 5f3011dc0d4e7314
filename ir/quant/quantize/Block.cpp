//===- Block.cpp - q8_0, q4_0, q4_1, q5_0 and q5_1 from floats ------------===//
//
// All values of a block of q8_0 weigh the same; with fewer bits larger ones weigh more.
//
//===----------------------------------------------------------------------===//
#include "ir/quant/quantize/Fit.h"
#include "ir/quant/quantize/Rows.h"

namespace llmc::quant {
namespace {

constexpr int blockValues = 32;

/// 1 for values of the row, 0 for padding.
LLMC_INLINE void countedWeights(const float *, int64_t n, float *w) {
  for (int i = 0; i < blockValues; ++i)
    w[i] = i < n ? 1.0f : 0.0f;
}

/// The low four bits of unsigned quants, value i beside value i + 16; before them, where there is a fifth
/// bit, these as one word.
template <bool hasFifth> LLMC_INLINE void storeQuants(const float *q, uint8_t *out) {
  uint32_t bits[blockValues];
  for (int i = 0; i < blockValues; ++i)
    bits[i] = static_cast<uint32_t>(static_cast<int32_t>(q[i]));
  if constexpr (hasFifth) {
    uint32_t fifth = 0;
    for (int i = 0; i < blockValues; ++i)
      fifth |= (bits[i] >> 4) << i;
    std::memcpy(out, &fifth, sizeof fifth);
    out += sizeof fifth;
  }
  for (int i = 0; i < blockValues / 2; ++i)
    out[i] = static_cast<uint8_t>((bits[i] & 15) | (bits[i + blockValues / 2] & 15) << 4);
}

/// Quants from `low` on, as unsigned ones.
template <int low> LLMC_INLINE void storeAbove(float *q, uint8_t *out) {
  for (int i = 0; i < blockValues; ++i)
    q[i] -= low;
  storeQuants<low == -16>(q, out);
}

LLMC_INLINE void storeBytes(float *q, uint8_t *out) {
  for (int i = 0; i < blockValues; ++i)
    out[i] = static_cast<uint8_t>(static_cast<int8_t>(static_cast<int32_t>(q[i])));
}

/// Quants low … high.
template <int low, int high, int bytes, auto weigh, auto store>
LLMC_INLINE void symmetricRow(const float *x, int64_t k, uint8_t *out, std::span<const float> candidates) {
  for (int64_t first = 0; first < k; first += blockValues, out += bytes) {
    float values[blockValues], w[blockValues], q[blockValues];
    loadPadded<blockValues>(x + first, k - first, values);
    weigh(values, k - first, w);
    float d = fitSymmetric<blockValues>(values, w, low, high, candidates, HalfScale());
    symmetricQuants<blockValues>(values, d != 0 ? 1 / d : 0, low, high, q);
    store16(out, halfOf(d));
    store(q, out + 2);
  }
}

LLMC_INLINE void rowQ8_0(const float *x, int64_t k, uint8_t *out) {
  constexpr float candidates[] = {127, 126, 125};
  symmetricRow<-127, 127, 34, countedWeights, storeBytes>(x, k, out, candidates);
}

LLMC_INLINE void rowQ4_0(const float *x, int64_t k, uint8_t *out) {
  // The whole numbers find the scale of values that are on a grid already. Negative: the value of largest
  // magnitude takes the longer end of -8 … 7.
  constexpr float candidates[] = {-8,    -7,    -6,    -5,    -4,    -3,    -2,    -1,
                                  7,     6,     5,     4,     -7.2f, -7.4f, -7.6f, -7.8f,
                                  -8.2f, -8.4f, -8.6f, -8.8f, -9.1f, -9.4f, -9.8f, -10.4f,
                                  6.4f,  6.7f,  7.3f,  7.6f,  7.9f,  8.2f,  8.6f,  9.2f};
  symmetricRow<-8, 7, 18, groupWeights<blockValues>, storeAbove<-8>>(x, k, out, candidates);
}

LLMC_INLINE void rowQ5_0(const float *x, int64_t k, uint8_t *out) {
  constexpr float candidates[] = {-16,    -15, -14,    15,     14,    -15.3f, -15.6f, -16.3f, -16.6f, -17,
                                  -17.5f, -18, -18.6f, -19.3f, 15.4f, 15.8f,  16.2f,  16.7f,  17.3f,  18};
  symmetricRow<-16, 15, 22, groupWeights<blockValues>, storeAbove<-16>>(x, k, out, candidates);
}

/// Quants 0 … high above a minimum.
template <int high, int bytes>
LLMC_INLINE void affineRow(const float *x, int64_t k, uint8_t *out, std::span<const float> candidates) {
  for (int64_t first = 0; first < k; first += blockValues, out += bytes) {
    float values[blockValues], w[blockValues], q[blockValues];
    loadPadded<blockValues>(x + first, k - first, values);
    groupWeights<blockValues>(values, k - first, w);
    float least = x[first], top = x[first];
    for (int64_t i = first; i < k && i < first + blockValues; ++i) {
      least = x[i] < least ? x[i] : least;
      top = x[i] > top ? x[i] : top;
    }
    Affine fit =
        fitAffine<blockValues>(values, w, least, top, high, /*isBelowZero=*/false, candidates, HalfScale());
    affineQuants<blockValues>(values, fit, high, q);
    store16(out, halfOf(fit.d));
    store16(out + 2, halfOf(fit.m));
    storeQuants<high == 31>(q, out + 4);
  }
}

LLMC_INLINE void rowQ4_1(const float *x, int64_t k, uint8_t *out) {
  constexpr float candidates[] = {14.2f, 14.5f, 14.8f, 15, 15.3f, 15.6f,
                                  15.9f, 16.2f, 16.6f, 17, 17.5f, 18.2f};
  affineRow<15, 20>(x, k, out, candidates);
}

LLMC_INLINE void rowQ5_1(const float *x, int64_t k, uint8_t *out) {
  constexpr float candidates[] = {30.2f, 30.6f, 31, 31.4f, 31.8f, 32.3f, 32.9f, 33.6f, 34.4f, 35.5f};
  affineRow<31, 24>(x, k, out, candidates);
}

} // namespace

void quantizeRowQ8_0(const float *x, int64_t k, uint8_t *out) { dispatchRow<rowQ8_0>(x, k, out); }
void quantizeRowQ4_0(const float *x, int64_t k, uint8_t *out) { dispatchRow<rowQ4_0>(x, k, out); }
void quantizeRowQ4_1(const float *x, int64_t k, uint8_t *out) { dispatchRow<rowQ4_1>(x, k, out); }
void quantizeRowQ5_0(const float *x, int64_t k, uint8_t *out) { dispatchRow<rowQ5_0>(x, k, out); }
void quantizeRowQ5_1(const float *x, int64_t k, uint8_t *out) { dispatchRow<rowQ5_1>(x, k, out); }

} // namespace llmc::quant
