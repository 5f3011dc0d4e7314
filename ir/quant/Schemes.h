//===- Schemes.h - the scheme families, inside ir/quant ---------*- C++ -*-===//
//
// Float schemes copy values. Integer schemes share one packer and one unpacker (IntegerScheme.cpp); what
// differs between families is how a block of the file is read into a StoredBlock.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_IR_QUANT_SCHEMES_H
#define LLMC_IR_QUANT_SCHEMES_H

#include "ir/quant/QuantScheme.h"

#include <bit>
#include <cstring>

#define LLMC_INLINE [[gnu::always_inline]] inline

namespace llmc::quant {

/// A block of a file with every number on its own, nothing rounded.
struct StoredBlock {
  static constexpr int64_t maxValues = 256, maxGroups = 16;
  uint8_t quants[maxValues]; // with the zero point, or indices of the codebook, or int8
  uint16_t scale, minimum;   // f16, of the block; or the exponent byte
  int8_t scales[maxGroups];  // of the groups of a super-block
  int8_t minimums[maxGroups];

  float scaleOf(const QuantScheme &, int64_t group) const;
  float minimumOf(const QuantScheme &, int64_t group) const;
};

// f32, f16, bf16 (FloatScheme.cpp).
void packFloatPanel(const QuantScheme &, std::span<const uint8_t *const> rows, int64_t k, uint8_t *out);
void unpackFloatRow(const QuantScheme &, const uint8_t *row, int64_t k, float *out);

// Integers of any scale (IntegerScheme.cpp).
void packIntegerPanel(const QuantScheme &, std::span<const uint8_t *const> rows, int64_t k, uint8_t *out);
void unpackIntegerRow(const QuantScheme &, const uint8_t *row, int64_t k, float *out);

/// The value of an IEEE half; every half is a float.
inline float halfToFloat(uint16_t h) {
  uint32_t sign = uint32_t(h & 0x8000u) << 16, exponent = (h >> 10) & 31u, mantissa = h & 0x3ffu;
  if (exponent == 31)
    return std::bit_cast<float>(sign | 0x7f800000u | mantissa << 13);
  if (exponent != 0)
    return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
  float magnitude = float(mantissa) * 0x1p-24f; // subnormal or zero
  return sign ? -magnitude : magnitude;
}

/// 2^(e - 128); the two smallest are subnormal.
inline float exponentToFloat(uint32_t e) {
  return std::bit_cast<float>(e < 2 ? 0x00200000u << e : (e - 1) << 23);
}

inline uint16_t load16(const uint8_t *p) { return uint16_t(p[0] | p[1] << 8); }
inline void store16(uint8_t *p, uint16_t value) { std::memcpy(p, &value, 2); }
inline uint64_t load64(const uint8_t *p) {
  uint64_t value;
  std::memcpy(&value, p, 8);
  return value;
}
inline void store64(uint8_t *p, uint64_t value) { std::memcpy(p, &value, 8); }

/// `bits` of each of eight bytes, from bit `from` on.
template <int bits> LLMC_INLINE uint64_t fieldsOf(const uint8_t *bytes, int from) {
  return load64(bytes) >> from & 0x0101010101010101u * ((1u << bits) - 1);
}

/// The low nibbles of `n` bytes, then the high ones; n is a multiple of 8.
LLMC_INLINE void splitNibbles(const uint8_t *bytes, int64_t n, uint8_t *out) {
  for (int64_t i = 0; i < n; i += 8) {
    store64(out + i, fieldsOf<4>(bytes + i, 0));
    store64(out + n + i, fieldsOf<4>(bytes + i, 4));
  }
}

} // namespace llmc::quant
#endif
