//===- BlockScheme.cpp - blocks of 32 with a scale: q8_0, q4_0, q4_1 ------===//
//
// A file block is: f16 scale, f16 minimum if the scheme has one, quants. Four-bit quants keep value i in the
// low and value i + 16 in the high half of byte i. Packing moves bits and never rounds.
//
//===----------------------------------------------------------------------===//
#include "ir/quant/Schemes.h"

#include <cmath>
#include <cstring>

namespace llmc::quant {
namespace {

constexpr int64_t groupValues = 32;

/// The 32 stored quants of a block, one a byte: unsigned nibbles, or the bytes themselves.
void blockQuants(const QuantScheme &scheme, const uint8_t *block, uint8_t *quants) {
  const uint8_t *stored = block + (scheme.hasMin ? 4 : 2);
  if (scheme.storage == Storage::Int8) {
    std::memcpy(quants, stored, groupValues);
    return;
  }
  for (int64_t i = 0; i < groupValues / 2; ++i) {
    quants[i] = stored[i] & 15;
    quants[i + groupValues / 2] = stored[i] >> 4;
  }
}

} // namespace

void packBlockPanel(const QuantScheme &scheme, std::span<const uint8_t *const> rows, int64_t k,
                    uint8_t *out) {
  const bool nibbles = scheme.storage == Storage::Int4;
  const int64_t groups = scheme.recordValues / groupValues;
  const int64_t quantBytes = panelRows * groupValues / (nibbles ? 2 : 1);
  const int64_t blocks = k / groupValues, records = scheme.records(k);
  const size_t tailBytes = size_t(scheme.recordBytes - groups * quantBytes);
  for (int64_t record = 0; record < records; ++record, out += scheme.recordBytes) {
    uint8_t *scales = out + groups * quantBytes, *minimums = scales + groups * panelRows * 2;
    std::memset(scales, 0, tailBytes);
    for (int64_t g = 0; g < groups; ++g) {
      const int64_t block = record * groups + g;
      uint8_t *lines = out + g * quantBytes;
      for (int64_t r = 0; r < panelRows; ++r) {
        // Padding is q = 0 with scale 0 (and minimum 0), hence value 0 whatever the zero point is.
        uint8_t quants[groupValues] = {};
        if (r < int64_t(rows.size()) && rows[r] && block < blocks) {
          const uint8_t *source = rows[r] + block * scheme.blockBytes;
          blockQuants(scheme, source, quants);
          std::memcpy(scales + (g * panelRows + r) * 2, source, 2);
          if (scheme.hasMin)
            std::memcpy(minimums + (g * panelRows + r) * 2, source + 2, 2);
        }
        if (nibbles) {
          for (int64_t j = 0; j < groupValues / 8; ++j) {
            uint32_t low, high; // four nibbles, one a byte
            std::memcpy(&low, quants + 8 * j, 4);
            std::memcpy(&high, quants + 8 * j + 4, 4);
            low |= high << 4;
            std::memcpy(lines + j * 64 + r * 4, &low, 4);
          }
        } else {
          for (int64_t j = 0; j < groupValues / 4; ++j)
            std::memcpy(lines + j * 64 + r * 4, quants + 4 * j, 4);
        }
      }
    }
  }
}

void unpackBlockRow(const QuantScheme &scheme, const uint8_t *row, int64_t k, float *out) {
  for (int64_t first = 0; first < k; first += groupValues, row += scheme.blockBytes) {
    uint8_t quants[groupValues];
    blockQuants(scheme, row, quants);
    const float scale = halfToFloat(load16(row)), minimum = scheme.hasMin ? halfToFloat(load16(row + 2)) : 0;
    for (int64_t i = 0; i < groupValues; ++i) {
      int32_t q = scheme.storage == Storage::Int8 ? int8_t(quants[i]) : quants[i] - scheme.zeroPoint;
      // The product of an 11-bit and an 8-bit number is exact, so only the sum rounds.
      out[first + i] = scheme.hasMin ? std::fma(scale, float(q), minimum) : scale * float(q);
    }
  }
}

} // namespace llmc::quant
