//===- Blocks.h - blocks of 32 values with a scale --------------*- C++ -*-===//
//
// q4_0, q4_1, q5_0, q5_1, q8_0, iq4_nl and mxfp4: the scale, the minimum if there is one, four bytes of high
// bits if there are any, then nibbles or bytes.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_IR_QUANT_BLOCKS_H
#define LLMC_IR_QUANT_BLOCKS_H

#include "ir/quant/Schemes.h"

namespace llmc::quant {

/// Bit i of `bits` becomes the fifth bit of quant i.
LLMC_INLINE void setFifthBits(uint8_t bits, uint8_t *quants) {
  constexpr uint64_t ones = 0x0101010101010101u;
  // Byte i keeps bit i; adding 127 moves it into the top bit, wherever it was.
  const uint64_t apart = bits * ones & 0x8040201008040201u, fifth = (apart + 127 * ones) >> 7 & ones;
  store64(quants, load64(quants) | fifth << 4);
}

LLMC_INLINE void readNibbleBlock(const QuantScheme &scheme, const uint8_t *block, StoredBlock &to) {
  constexpr int64_t half = 16;
  if (scheme.scale == ScaleKind::Exponent) {
    to.scale = *block++;
  } else {
    to.scale = load16(block);
    block += 2;
  }
  if (scheme.hasMin) {
    to.minimum = load16(block);
    block += 2;
  }
  const uint8_t *high = block;
  if (scheme.highBits)
    block += 4;
  // Byte i holds values i and i + 16.
  splitNibbles(block, half, to.quants);
  if (scheme.highBits)
    for (int64_t i = 0; i < 2 * half; i += 8)
      setFifthBits(high[i / 8], to.quants + i);
}

LLMC_INLINE void readByteBlock(const QuantScheme &scheme, const uint8_t *block, StoredBlock &to) {
  to.scale = load16(block);
  std::memcpy(to.quants, block + 2, scheme.blockValues);
}

} // namespace llmc::quant
#endif
