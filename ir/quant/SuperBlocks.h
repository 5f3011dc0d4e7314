//===- SuperBlocks.h - blocks of 256 values with scales of scales -*- C++ -*-===//
//
// q2_k, q3_k, q4_k, q5_k, q6_k and iq4_xs: groups of 16 or 32 with integer scales, one f16 for all of them.
// Only bits move here.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_IR_QUANT_SUPERBLOCKS_H
#define LLMC_IR_QUANT_SUPERBLOCKS_H

#include "ir/quant/Schemes.h"

namespace llmc::quant {

// 16 bytes of (scale, minimum) nibbles, 64 bytes of 2-bit quants, f16 scale, f16 minimum. A run of 128 values
// is four planes of the same 32 bytes.
LLMC_INLINE void readQ2K(const QuantScheme &, const uint8_t *block, StoredBlock &to) {
  for (int g = 0; g < 16; ++g) {
    to.scales[g] = int8_t(block[g] & 15);
    to.minimums[g] = int8_t(block[g] >> 4);
  }
  const uint8_t *low = block + 16;
  for (int plane = 0; plane < 8; ++plane)
    for (int i = 0; i < 32; i += 8)
      store64(to.quants + 32 * plane + i, fieldsOf<2>(low + plane / 4 * 32 + i, 2 * (plane % 4)));
  to.scale = load16(block + 80);
  to.minimum = load16(block + 82);
}

// 32 bytes of third bits, 64 bytes of 2-bit quants, 12 bytes of 6-bit scales (low nibbles first, then pairs
// of high bits) that count from -32, f16 scale. A set third bit means four more: the value is quant - 4.
LLMC_INLINE void readQ3K(const QuantScheme &, const uint8_t *block, StoredBlock &to) {
  const uint8_t *high = block, *low = block + 32, *scales = block + 96;
  for (int plane = 0; plane < 8; ++plane)
    for (int i = 0; i < 32; i += 8)
      store64(to.quants + 32 * plane + i,
              fieldsOf<2>(low + plane / 4 * 32 + i, 2 * (plane % 4)) | fieldsOf<1>(high + i, plane) << 2);
  for (int g = 0; g < 16; ++g) {
    const int nibble = g < 8 ? scales[g] & 15 : scales[g - 8] >> 4;
    const int pair = scales[8 + g % 4] >> (2 * (g / 4)) & 3;
    to.scales[g] = int8_t((nibble | pair << 4) - 32);
  }
  to.scale = load16(block + 108);
}

// f16 scale, f16 minimum, 12 bytes of 6-bit scales and minimums, for q5_k 32 bytes of fifth bits, 128 bytes
// of nibbles. The first four scales and minimums stand in bytes 0-3 and 4-7; of the last four the low nibbles
// in bytes 8-11, the high pairs in the tops of the other bytes.
LLMC_INLINE void readQ4K(const QuantScheme &scheme, const uint8_t *block, StoredBlock &to) {
  to.scale = load16(block);
  to.minimum = load16(block + 2);
  const uint8_t *scales = block + 4, *high = block + 16, *low = block + (scheme.highBits ? 48 : 16);
  for (int g = 0; g < 4; ++g) {
    to.scales[g] = int8_t(scales[g] & 63);
    to.minimums[g] = int8_t(scales[g + 4] & 63);
    to.scales[g + 4] = int8_t((scales[g + 8] & 15) | scales[g] >> 6 << 4);
    to.minimums[g + 4] = int8_t(scales[g + 8] >> 4 | scales[g + 4] >> 6 << 4);
  }
  for (int plane = 0; plane < 8; ++plane)
    for (int i = 0; i < 32; i += 8)
      store64(to.quants + 32 * plane + i, fieldsOf<4>(low + plane / 2 * 32 + i, 4 * (plane % 2)) |
                                              (scheme.highBits ? fieldsOf<1>(high + i, plane) << 4 : 0));
}

// 128 bytes of nibbles, 64 bytes of bit pairs, 16 int8 scales, f16 scale. A run of 128 values takes 64 of the
// first bytes (low nibbles, then high ones) and 32 of the second (four planes).
LLMC_INLINE void readQ6K(const QuantScheme &, const uint8_t *block, StoredBlock &to) {
  const uint8_t *low = block, *high = block + 128;
  for (int plane = 0; plane < 8; ++plane)
    for (int i = 0; i < 32; i += 8)
      store64(to.quants + 32 * plane + i,
              fieldsOf<4>(low + plane / 4 * 64 + plane % 2 * 32 + i, 4 * (plane % 4 / 2)) |
                  fieldsOf<2>(high + plane / 4 * 32 + i, 2 * (plane % 4)) << 4);
  for (int g = 0; g < 16; ++g)
    to.scales[g] = int8_t(block[192 + g]);
  to.scale = load16(block + 208);
}

// f16 scale, 16 bits of high pairs and 4 bytes of low nibbles of 6-bit scales that count from -32, then eight
// times 16 bytes whose nibbles are values i and i + 16.
LLMC_INLINE void readIq4Xs(const QuantScheme &, const uint8_t *block, StoredBlock &to) {
  to.scale = load16(block);
  const uint32_t high = load16(block + 2);
  for (int g = 0; g < 8; ++g) {
    const uint32_t nibble = block[4 + g / 2] >> (4 * (g % 2)) & 15;
    to.scales[g] = int8_t(int(nibble | (high >> (2 * g) & 3) << 4) - 32);
    splitNibbles(block + 8 + 16 * g, 16, to.quants + 32 * g);
  }
}

} // namespace llmc::quant
#endif
