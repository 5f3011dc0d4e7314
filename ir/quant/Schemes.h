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

// Blocks of 32 (Blocks.cpp): the scale, the minimum if there is one, four bytes of high bits if there are
// any, then nibbles or bytes.
void readNibbleBlock(const QuantScheme &, const uint8_t *block, StoredBlock &);
void readByteBlock(const QuantScheme &, const uint8_t *block, StoredBlock &);

// Super-blocks of 256 (SuperBlocks.cpp).
void readQ2K(const QuantScheme &, const uint8_t *block, StoredBlock &);
void readQ3K(const QuantScheme &, const uint8_t *block, StoredBlock &);
void readQ4K(const QuantScheme &, const uint8_t *block, StoredBlock &); // and q5_k
void readQ6K(const QuantScheme &, const uint8_t *block, StoredBlock &);
void readIq4Xs(const QuantScheme &, const uint8_t *block, StoredBlock &);

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

} // namespace llmc::quant
#endif
