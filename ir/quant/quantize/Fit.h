//===- Fit.h - scales of least weighted error -------------------*- C++ -*-===//
//
// For x ~ d q with integers q of a range, and for x ~ d q + m. Given the quants, the best d (and m) solves
// linear normal equations; given d (and m), the best quants are the nearest integers. Candidates start the
// alternation from several scales, as its fixed points are many (Lloyd's method with a uniform grid; P.
// Lloyd, Least Squares Quantization in PCM, 1982).
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_IR_QUANT_QUANTIZE_FIT_H
#define LLMC_IR_QUANT_QUANTIZE_FIT_H

#include "ir/quant/quantize/Vector.h"

namespace llmc::quant {

/// Below it a group is zero: its scale would be less than half of the smallest f16.
constexpr float leastMagnitude = 0x1p-26f;

/// Weights of a group of N values, of which `n` are of the row. Larger values weigh more: their products are
/// what an output is made of, and they are the ones that were kept large by training. llama.cpp's K-quants
/// found sqrt(mean x^2) + |x| best as well.
template <int N> LLMC_INLINE void groupWeights(const float *x, int64_t n, float *w) {
  float t[N];
  for (int i = 0; i < N; ++i)
    t[i] = x[i] * x[i];
  const float mean = n > 0 ? std::sqrt(fold<N>(t) / static_cast<float>(n < N ? n : N)) : 0;
  for (int i = 0; i < N; ++i)
    w[i] = i < n ? mean + std::fabs(x[i]) + 0x1p-100f : 0.0f;
}

struct ExactScale {
  LLMC_INLINE float operator()(float scale) const { return scale; }
};
struct HalfScale {
  LLMC_INLINE float operator()(float scale) const { return roundToHalf(scale); }
};

/// q of N values for x ~ d q.
template <int N>
LLMC_INLINE void symmetricQuants(const float *x, float inverse, float low, float high, float *q) {
  for (int i = 0; i < N; ++i)
    q[i] = clampTo(roundEven(clampTo(x[i] * inverse, low - 1, high + 1)), low, high);
}

template <int N> LLMC_INLINE float symmetricError(const float *x, const float *w, float d, const float *q) {
  float t[N];
  for (int i = 0; i < N; ++i) {
    float e = x[i] - d * q[i];
    t[i] = w[i] * e * e;
  }
  return fold<N>(t);
}

/// Weighted sums over a group, the coefficients of the normal equations.
struct SymmetricSums {
  float xq, qq;
};
template <int N> LLMC_INLINE SymmetricSums symmetricSums(const float *x, const float *w, const float *q) {
  float xq[N], qq[N];
  for (int i = 0; i < N; ++i) {
    float wq = w[i] * q[i];
    xq[i] = wq * x[i];
    qq[i] = wq * q[i];
  }
  return {fold<N>(xq), fold<N>(qq)};
}

/// The scale that fits the quants best, and by how much it lowers the squared error below that of zero.
struct ScaleAndGain {
  float scale = 0, gain = 0;
};
template <int N> LLMC_INLINE ScaleAndGain symmetricScale(const float *x, const float *w, const float *q) {
  const auto [product, square] = symmetricSums<N>(x, w, q);
  const float scale = square > 0 ? product / square : 0;
  return {scale, scale * product};
}

/// The value of largest magnitude.
template <int N> LLMC_INLINE float signedMaximum(const float *x) {
  const float magnitude = largestMagnitude<N>(x);
  float isPositive = 0;
  for (int i = 0; i < N; ++i)
    isPositive += x[i] == magnitude ? 1.0f : 0.0f;
  return isPositive > 0 ? magnitude : -magnitude;
}

/// The best scale found. Each candidate says to what the value of largest magnitude is mapped.
template <int N, typename Rounding>
LLMC_INLINE float fitSymmetric(const float *x, const float *w, float low, float high,
                               std::span<const float> candidates, Rounding rounding) {
  const float maximum = signedMaximum<N>(x);
  if (!(std::fabs(maximum) >= leastMagnitude))
    return 0;
  float q[N];
  ScaleAndGain start;
  for (float candidate : candidates) {
    symmetricQuants<N>(x, candidate / maximum, low, high, q);
    ScaleAndGain fit = symmetricScale<N>(x, w, q);
    if (fit.gain > start.gain)
      start = fit;
  }
  float best = 0, bestError = INFINITY, next = rounding(start.scale);
  for (int round = 0; round < 4 && next != 0; ++round) {
    symmetricQuants<N>(x, 1 / next, low, high, q);
    const float error = symmetricError<N>(x, w, next, q);
    if (!(error < bestError))
      break;
    bestError = error;
    best = next;
    next = rounding(symmetricScale<N>(x, w, q).scale);
  }
  return best;
}

struct Affine {
  float d = 0, m = 0; // x ~ d q + m
};

template <int N> LLMC_INLINE void affineQuants(const float *x, Affine fit, float high, float *q) {
  const float inverse = fit.d > 0 ? 1 / fit.d : 0;
  for (int i = 0; i < N; ++i)
    q[i] = clampTo(roundEven(clampTo((x[i] - fit.m) * inverse, -1, high + 1)), 0, high);
}

template <int N> LLMC_INLINE float affineError(const float *x, const float *w, Affine fit, const float *q) {
  float t[N];
  for (int i = 0; i < N; ++i) {
    float e = x[i] - (fit.d * q[i] + fit.m);
    t[i] = w[i] * e * e;
  }
  return fold<N>(t);
}

/// The same with a minimum.
struct AffineSums {
  float ww, wq, qq, wx, xq;
};
template <int N> LLMC_INLINE AffineSums affineSums(const float *x, const float *w, const float *q) {
  float wq[N], wx[N];
  for (int i = 0; i < N; ++i) {
    wq[i] = w[i] * q[i];
    wx[i] = w[i] * x[i];
  }
  const auto [xq, qq] = symmetricSums<N>(x, w, q);
  return {fold<N>(w), fold<N>(wq), qq, fold<N>(wx), xq};
}

/// The scale and minimum that fit the quants best, and by how much they lower the squared error below that of
/// zero. With `isBelowZero` the minimum is at most 0.
struct AffineAndGain {
  Affine fit;
  float gain = -INFINITY;
};
template <int N>
LLMC_INLINE AffineAndGain affineScale(const float *x, const float *w, const float *q, bool isBelowZero) {
  const auto [ww, wq, qq, wx, xq] = affineSums<N>(x, w, q);
  const float determinant = ww * qq - wq * wq;
  Affine fit;
  if (determinant > 0) {
    fit.d = (ww * xq - wx * wq) / determinant;
    fit.m = (qq * wx - wq * xq) / determinant;
  } else {
    fit.m = ww > 0 ? wx / ww : 0; // all quants are one number
  }
  if (isBelowZero && fit.m > 0) {
    fit.m = 0;
    fit.d = qq > 0 ? xq / qq : 0;
  }
  const float gain =
      2 * (fit.d * xq + fit.m * wx) - fit.d * (fit.d * qq + 2 * fit.m * wq) - fit.m * fit.m * ww;
  return {fit, gain};
}

/// The best scale and minimum found for quants 0 … high; `low` and `top` are the range of the values.
template <int N, typename Rounding>
LLMC_INLINE Affine fitAffine(const float *x, const float *w, float low, float top, float high,
                             bool isBelowZero, std::span<const float> candidates, Rounding rounding) {
  if (isBelowZero && low > 0)
    low = 0;
  if (!(top - low >= leastMagnitude))
    return {0, rounding(low)};
  float q[N];
  AffineAndGain start;
  for (float candidate : candidates) {
    affineQuants<N>(x, {(top - low) / candidate, low}, high, q);
    AffineAndGain found = affineScale<N>(x, w, q, isBelowZero);
    if (found.gain > start.gain && found.fit.d >= 0)
      start = found;
  }
  Affine best;
  float bestError = INFINITY;
  // Rounding may hurt a minimum that is far from zero more than the search helps: the plain grid is tried,
  // too.
  for (Affine next : {Affine{(top - low) / high, low}, start.fit})
    for (int round = 0; round < 4; ++round) {
      next = {rounding(next.d), rounding(next.m)};
      affineQuants<N>(x, next, high, q);
      const float error = affineError<N>(x, w, next, q);
      if (next.d < 0 || !(error < bestError))
        break;
      bestError = error;
      best = next;
      next = affineScale<N>(x, w, q, isBelowZero).fit;
    }
  return best;
}

} // namespace llmc::quant
#endif
