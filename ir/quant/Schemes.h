//===- Schemes.h - the scheme families, inside ir/quant ---------*- C++ -*-===//
//
// A family is one packer and one unpacker that serve several parameter sets (rows of the table in
// QuantScheme.cpp).
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_IR_QUANT_SCHEMES_H
#define LLMC_IR_QUANT_SCHEMES_H

#include "ir/quant/QuantScheme.h"

#include <bit>

namespace llmc::quant {

// f32, f16, bf16 (FloatScheme.cpp).
void packFloatPanel(const QuantScheme &, std::span<const uint8_t *const> rows, int64_t k, uint8_t *out);
void unpackFloatRow(const QuantScheme &, const uint8_t *row, int64_t k, float *out);

// Blocks of 32 with an f16 scale, perhaps an f16 minimum, and 4- or 8-bit quants (BlockScheme.cpp).
void packBlockPanel(const QuantScheme &, std::span<const uint8_t *const> rows, int64_t k, uint8_t *out);
void unpackBlockRow(const QuantScheme &, const uint8_t *row, int64_t k, float *out);

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

inline uint16_t load16(const uint8_t *p) { return uint16_t(p[0] | p[1] << 8); }

} // namespace llmc::quant
#endif
