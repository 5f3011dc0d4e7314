//===- Vector.h - sums and roundings over small blocks ----------*- C++ -*-===//
//
// Loops of constant length that a compiler turns into vector code, written so that their order of additions
// does not depend on the width of the vectors: each function is compiled for the plain CPU and for AVX2
// (without fused multiply-add), and both give the same bits.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_IR_QUANT_QUANTIZE_VECTOR_H
#define LLMC_IR_QUANT_QUANTIZE_VECTOR_H

#include "ir/quant/Schemes.h"

#include <cmath>
#include <cstdint>
#include <cstring>

namespace llmc::quant {

/// Calls `function(x, k, out)`, which must be LLMC_INLINE, compiled for this CPU.
template <auto function> void plainRow(const float *x, int64_t k, uint8_t *out) { function(x, k, out); }
#if defined(__x86_64__)
template <auto function> [[gnu::target("avx2")]] void avx2Row(const float *x, int64_t k, uint8_t *out) {
  function(x, k, out);
}
template <auto function> void dispatchRow(const float *x, int64_t k, uint8_t *out) {
  static const bool isWide = __builtin_cpu_supports("avx2");
  isWide ? avx2Row<function>(x, k, out) : plainRow<function>(x, k, out);
}
#else
template <auto function> void dispatchRow(const float *x, int64_t k, uint8_t *out) {
  plainRow<function>(x, k, out);
}
#endif

/// The nearest integer, ties to even; |x| < 2^22.
LLMC_INLINE float roundEven(float x) {
  constexpr float shift = 0x1.8p23f; // above it floats are integers
  return (x + shift) - shift;
}

LLMC_INLINE float clampTo(float x, float low, float high) {
  x = x < low ? low : x;
  return x > high ? high : x;
}

/// f32 to f16, to nearest, ties to even; what is too large becomes infinite, NaN stays quiet.
LLMC_INLINE uint16_t halfOf(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value), sign = bits >> 16 & 0x8000u,
                 magnitude = bits & 0x7fffffffu;
  // Normal halves: the exponent moves by 112, thirteen bits go. Subnormal ones: adding 1/2 leaves the bits
  // that a multiple of 2^-24 has at the end of the float, rounded by the addition.
  const uint32_t normal = (magnitude - (112u << 23) + 0xfffu + (magnitude >> 13 & 1u)) >> 13;
  const uint32_t subnormal = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
  uint32_t half = magnitude < (113u << 23) ? subnormal : normal;
  half = magnitude >= 0x477ff000u ? 0x7c00u : half; // 65520 and above
  half = magnitude > 0x7f800000u ? 0x7e00u : half;
  return static_cast<uint16_t>(half | sign);
}

/// What a scale becomes when it is stored as f16; too large ones saturate.
LLMC_INLINE float roundToHalf(float value) { return halfToFloat(halfOf(clampTo(value, -65504, 65504))); }

/// The sum of N numbers, a power of two, by halves.
template <int N> LLMC_INLINE float fold(const float *t) {
  if constexpr (N == 1)
    return t[0];
  float half[(N + 1) / 2];
  for (int i = 0; i < N / 2; ++i)
    half[i] = t[i] + t[i + N / 2];
  return fold<N / 2>(half);
}

template <int N> LLMC_INLINE float foldLargest(const float *t) {
  if constexpr (N == 1)
    return t[0];
  float half[(N + 1) / 2];
  for (int i = 0; i < N / 2; ++i)
    half[i] = t[i] < t[i + N / 2] ? t[i + N / 2] : t[i];
  return foldLargest<N / 2>(half);
}

template <int N> LLMC_INLINE float largestMagnitude(const float *x) {
  float t[N];
  for (int i = 0; i < N; ++i)
    t[i] = std::fabs(x[i]);
  return foldLargest<N>(t);
}

/// Copies `n` values and fills up with zeros to N.
template <int N> LLMC_INLINE void loadPadded(const float *x, int64_t n, float *out) {
  if (n >= N) {
    std::memcpy(out, x, N * sizeof(float));
    return;
  }
  std::memcpy(out, x, n * sizeof(float));
  std::memset(out + n, 0, (N - n) * sizeof(float));
}

} // namespace llmc::quant
#endif
