//===- Blocks.cpp - blocks of 32 values with a scale ----------------------===//
//
// q4_0, q4_1, q5_0, q5_1, q8_0, iq4_nl and mxfp4.
//
//===----------------------------------------------------------------------===//
#include "ir/quant/Schemes.h"

#include <cstring>

namespace llmc::quant {

void readNibbleBlock(const QuantScheme &scheme, const uint8_t *block, StoredBlock &to) {
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
  uint32_t high = 0;
  if (scheme.highBits) {
    high = uint32_t(load16(block)) | uint32_t(load16(block + 2)) << 16;
    block += 4;
  }
  // Byte i holds values i and i + 16.
  for (int64_t i = 0; i < half; ++i) {
    to.quants[i] = uint8_t((block[i] & 15) | ((high >> i) & 1) << 4);
    to.quants[i + half] = uint8_t(block[i] >> 4 | ((high >> (i + half)) & 1) << 4);
  }
}

void readByteBlock(const QuantScheme &scheme, const uint8_t *block, StoredBlock &to) {
  to.scale = load16(block);
  std::memcpy(to.quants, block + 2, scheme.blockValues);
}

} // namespace llmc::quant
