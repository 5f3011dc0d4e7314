//===- KBlock.cpp - q4_k and q6_k from floats -----------------------------===//
//
// Blocks of 256 whose groups have small integer scales: value = d sc q (- dmin m). First each group gets its
// own best scale as if it were a float; then, in turns, the groups choose among the integer scales near it
// and d (and dmin) is fitted to what they chose.
//
//===----------------------------------------------------------------------===//
#include "ir/quant/quantize/Fit.h"
#include "ir/quant/quantize/Rows.h"

namespace llmc::quant {
namespace {

constexpr int blockValues = 256;

/// A half that is at least `scale` where halves are so coarse that less would cut the group of the largest
/// scale.
LLMC_INLINE float blockScale(float scale) {
  const float half = roundToHalf(scale), magnitude = std::fabs(scale);
  if (magnitude >= 0x1p-14f || std::fabs(half) >= magnitude)
    return half;
  return half + (scale > 0 ? 0x1p-24f : -0x1p-24f);
}

//===----------------------------------------------------------------------===//
// q4_k: eight groups of 32 with scales and minimums of 6 bits
//===----------------------------------------------------------------------===//

struct Q4K {
  static constexpr int groups = 8, n = 32;
  float x[blockValues], w[blockValues], q[blockValues];
  float sc[groups], m[groups]; // 0 … 63
  float d = 0, dmin = 0;       // as stored

  LLMC_INLINE Affine fitOf(float scale, float minimum) const { return {d * scale, -dmin * minimum}; }

  /// The best integer scale and minimum of a group near the ones given; yields its error.
  LLMC_INLINE float chooseGroup(int g, float nearScale, float nearMinimum, float reach) {
    const float *gx = x + g * n, *gw = w + g * n;
    float best = INFINITY, trial[n];
    for (float ds = -reach; ds <= reach; ++ds)
      for (float dm = -reach; dm <= reach; ++dm) {
        float scale = clampTo(nearScale + ds, 0, 63), minimum = clampTo(nearMinimum + dm, 0, 63);
        affineQuants<n>(gx, fitOf(scale, minimum), 15, trial);
        float error = affineError<n>(gx, gw, fitOf(scale, minimum), trial);
        if (!(error < best))
          continue;
        best = error;
        sc[g] = scale;
        m[g] = minimum;
        std::memcpy(q + g * n, trial, sizeof trial);
      }
    return best;
  }

  /// d and dmin that fit the groups' choices best.
  LLMC_INLINE void fitScales(float &newD, float &newMin) const {
    double aa = 0, ab = 0, bb = 0, xa = 0, xb = 0;
    for (int g = 0; g < groups; ++g) {
      const auto [ww, wq, qq, wx, xq] = affineSums<n>(x + g * n, w + g * n, q + g * n);
      aa += static_cast<double>(sc[g]) * sc[g] * qq;
      ab -= static_cast<double>(sc[g]) * m[g] * wq;
      bb += static_cast<double>(m[g]) * m[g] * ww;
      xa += static_cast<double>(sc[g]) * xq;
      xb -= static_cast<double>(m[g]) * wx;
    }
    const double determinant = aa * bb - ab * ab;
    newD = d;
    newMin = dmin;
    if (determinant > 1e-9 * aa * bb) {
      newD = static_cast<float>((bb * xa - ab * xb) / determinant);
      newMin = static_cast<float>((aa * xb - ab * xa) / determinant);
    } else if (aa > 0 && bb == 0) {
      newD = static_cast<float>(xa / aa);
    }
    newD = newD > 0 ? roundToHalf(newD) : d;
    newMin = newMin > 0 ? roundToHalf(newMin) : dmin;
  }

  LLMC_INLINE void quantize(const float *row, int64_t count) {
    loadPadded<blockValues>(row, count, x);
    Affine fits[groups];
    float largestScale = 0, largestMinimum = 0;
    constexpr float candidates[] = {13.6f, 14.0f, 14.3f, 14.6f, 14.9f, 15.2f,
                                    15.5f, 15.8f, 16.2f, 16.6f, 17.1f, 17.8f};
    for (int g = 0; g < groups; ++g) {
      const int64_t valid = count - g * n;
      groupWeights<n>(x + g * n, valid, w + g * n);
      float low = 0, top = x[g * n];
      for (int i = 0; i < n && i < valid; ++i) {
        low = x[g * n + i] < low ? x[g * n + i] : low;
        top = x[g * n + i] > top ? x[g * n + i] : top;
      }
      fits[g] =
          fitAffine<n>(x + g * n, w + g * n, low, top, 15, /*isBelowZero=*/true, candidates, ExactScale());
      largestScale = fits[g].d > largestScale ? fits[g].d : largestScale;
      largestMinimum = -fits[g].m > largestMinimum ? -fits[g].m : largestMinimum;
    }
    d = blockScale(largestScale / 63);
    dmin = blockScale(largestMinimum / 63);
    float error = 0;
    for (int g = 0; g < groups; ++g)
      error += chooseGroup(g, d > 0 ? roundEven(clampTo(fits[g].d / d, 0, 63)) : 0,
                           dmin > 0 ? roundEven(clampTo(-fits[g].m / dmin, 0, 63)) : 0, 1);
    for (int round = 0; round < 2; ++round) {
      Q4K other = *this;
      fitScales(other.d, other.dmin);
      float otherError = 0;
      for (int g = 0; g < groups; ++g)
        otherError += other.chooseGroup(g, sc[g], m[g], 1);
      if (!(otherError < error))
        break;
      error = otherError;
      *this = other;
    }
  }

  LLMC_INLINE void store(uint8_t *out) const {
    store16(out, halfOf(d));
    store16(out + 2, halfOf(dmin));
    uint8_t *packed = out + 4;
    for (int g = 0; g < 4; ++g) {
      const auto s = static_cast<uint32_t>(sc[g]), highS = static_cast<uint32_t>(sc[g + 4]);
      const auto o = static_cast<uint32_t>(m[g]), highO = static_cast<uint32_t>(m[g + 4]);
      packed[g] = static_cast<uint8_t>(s | highS >> 4 << 6);
      packed[g + 4] = static_cast<uint8_t>(o | highO >> 4 << 6);
      packed[g + 8] = static_cast<uint8_t>((highS & 15) | (highO & 15) << 4);
    }
    for (int pair = 0; pair < groups / 2; ++pair)
      for (int i = 0; i < n; ++i)
        out[16 + pair * n + i] = static_cast<uint8_t>(static_cast<int32_t>(q[2 * pair * n + i]) |
                                                      static_cast<int32_t>(q[(2 * pair + 1) * n + i]) << 4);
  }
};

LLMC_INLINE void rowQ4K(const float *x, int64_t k, uint8_t *out) {
  for (int64_t first = 0; first < k; first += blockValues, out += 144) {
    Q4K block;
    block.quantize(x + first, k - first);
    block.store(out);
  }
}

//===----------------------------------------------------------------------===//
// q6_k: sixteen groups of 16 with scales of 8 bits
//===----------------------------------------------------------------------===//

struct Q6K {
  static constexpr int groups = 16, n = 16;
  float x[blockValues], w[blockValues], q[blockValues];
  float sc[groups]; // -128 … 127
  float d = 0;      // as stored

  LLMC_INLINE float chooseGroup(int g, float near) {
    const float *gx = x + g * n, *gw = w + g * n;
    float best = INFINITY, trial[n];
    for (float ds = -1; ds <= 1; ++ds) {
      const float scale = clampTo(near + ds, -128, 127), whole = d * scale;
      symmetricQuants<n>(gx, whole != 0 ? 1 / whole : 0, -32, 31, trial);
      float error = symmetricError<n>(gx, gw, whole, trial);
      if (!(error < best))
        continue;
      best = error;
      sc[g] = scale;
      std::memcpy(q + g * n, trial, sizeof trial);
    }
    return best;
  }

  LLMC_INLINE float fitScale() const {
    double xa = 0, aa = 0;
    for (int g = 0; g < groups; ++g) {
      const auto [xq, qq] = symmetricSums<n>(x + g * n, w + g * n, q + g * n);
      xa += static_cast<double>(sc[g]) * xq;
      aa += static_cast<double>(sc[g]) * sc[g] * qq;
    }
    return aa > 0 ? roundToHalf(static_cast<float>(xa / aa)) : d;
  }

  LLMC_INLINE void quantize(const float *row, int64_t count) {
    loadPadded<blockValues>(row, count, x);
    constexpr float candidates[] = {-32, -31.4f, -32.6f, -33.2f, -33.8f, -30.8f, 31, 31.6f, 32.3f};
    float scales[groups], largest = 0;
    for (int g = 0; g < groups; ++g) {
      groupWeights<n>(x + g * n, count - g * n, w + g * n);
      scales[g] = fitSymmetric<n>(x + g * n, w + g * n, -32, 31, candidates, ExactScale());
      largest = std::fabs(scales[g]) > std::fabs(largest) ? scales[g] : largest;
    }
    // The largest scale takes the longer end of -128 … 127.
    d = blockScale(largest / -128);
    float error = 0;
    for (int g = 0; g < groups; ++g)
      error += chooseGroup(g, d != 0 ? roundEven(clampTo(scales[g] / d, -128, 127)) : 0);
    for (int round = 0; round < 2; ++round) {
      Q6K other = *this;
      other.d = fitScale();
      float otherError = 0;
      for (int g = 0; g < groups; ++g)
        otherError += other.chooseGroup(g, sc[g]);
      if (!(otherError < error))
        break;
      error = otherError;
      *this = other;
    }
  }

  LLMC_INLINE void store(uint8_t *out) const {
    uint8_t *low = out, *high = out + 128, *scales = out + 192;
    for (int h = 0; h < 2; ++h)
      for (int l = 0; l < 32; ++l) {
        uint32_t v[4]; // of the four chunks of 32 in this half
        for (int c = 0; c < 4; ++c)
          v[c] = static_cast<uint32_t>(static_cast<int32_t>(q[h * 128 + c * 32 + l]) + 32);
        low[64 * h + l] = static_cast<uint8_t>((v[0] & 15) | (v[2] & 15) << 4);
        low[64 * h + 32 + l] = static_cast<uint8_t>((v[1] & 15) | (v[3] & 15) << 4);
        high[32 * h + l] = static_cast<uint8_t>(v[0] >> 4 | v[1] >> 4 << 2 | v[2] >> 4 << 4 | v[3] >> 4 << 6);
      }
    for (int g = 0; g < groups; ++g)
      scales[g] = static_cast<uint8_t>(static_cast<int8_t>(static_cast<int32_t>(sc[g])));
    store16(out + 208, halfOf(d));
  }
};

LLMC_INLINE void rowQ6K(const float *x, int64_t k, uint8_t *out) {
  for (int64_t first = 0; first < k; first += blockValues, out += 210) {
    Q6K block;
    block.quantize(x + first, k - first);
    block.store(out);
  }
}

} // namespace

void quantizeRowQ4K(const float *x, int64_t k, uint8_t *out) { dispatchRow<rowQ4K>(x, k, out); }
void quantizeRowQ6K(const float *x, int64_t k, uint8_t *out) { dispatchRow<rowQ6K>(x, k, out); }

} // namespace llmc::quant
