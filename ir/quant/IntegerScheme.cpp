//===- IntegerScheme.cpp - panels of integers -----------------------------===//
//
// One packer and one unpacker for every integer scheme: blocks are read into single numbers, and these are
// put into planes of bits. Packing moves bits and never rounds.
//
//===----------------------------------------------------------------------===//
#include "ir/quant/Schemes.h"

#include <algorithm>
#include <cstring>

namespace llmc::quant {

float StoredBlock::scaleOf(const QuantScheme &scheme, int64_t group) const {
  switch (scheme.scale) {
  case ScaleKind::Half:
    return halfToFloat(scale);
  case ScaleKind::SuperBlock:
  case ScaleKind::SuperNibbles:
    return halfToFloat(scale) * float(scales[group]);
  case ScaleKind::Exponent:
    return exponentToFloat(scale);
  default:
    return 1; // of the row
  }
}

float StoredBlock::minimumOf(const QuantScheme &scheme, int64_t group) const {
  return scheme.hasSuperBlocks() ? -(halfToFloat(minimum) * float(minimums[group])) : halfToFloat(minimum);
}

namespace {

/// The 4 * `quads` quants of one row, one a byte, into lines of a plane: `bits` of each from bit `from` on.
void putPlane(const uint8_t *quants, int64_t firstQuad, int64_t quads, int bits, int from, uint8_t *plane) {
  const int64_t perLine = 8 / bits;
  const uint32_t mask = 0x01010101u * ((1u << bits) - 1);
  for (int64_t line = 0; line < quads / perLine; ++line) {
    uint32_t sum = 0;
    for (int64_t i = 0; i < perLine; ++i) {
      uint32_t quad;
      std::memcpy(&quad, quants + 4 * (line * perLine + i), 4);
      sum |= (quad >> from & mask) << (bits * i);
    }
    std::memcpy(plane + (firstQuad / perLine + line) * lineBytes, &sum, 4);
  }
}

/// Values that are read at once: a block, or a piece of a row of single bytes.
int64_t unitValues(const QuantScheme &scheme) { return scheme.readBlock ? scheme.blockValues : chunkValues; }

/// The unit that starts at value `first` of a row of `k`.
void readUnit(const QuantScheme &scheme, const uint8_t *row, int64_t first, int64_t k, StoredBlock &to) {
  row += scheme.rowHeader;
  if (scheme.readBlock)
    return scheme.readBlock(scheme, row + first / scheme.blockValues * scheme.blockBytes, to);
  const int64_t count = std::min(chunkValues, k - first);
  std::memcpy(to.quants, row + first, count);
  std::memset(to.quants + count, 0, chunkValues - count);
}

/// A unit of row `r` into a record, where it is number `unit`.
void putUnit(const QuantScheme &scheme, const StoredBlock &from, int64_t unit, int64_t r, uint8_t *record) {
  const int64_t quads = unitValues(scheme) / 4, groups = unitValues(scheme) / scheme.group;
  putPlane(from.quants, unit * quads, quads, scheme.lowBits, 0, record + 4 * r);
  if (scheme.highBits)
    putPlane(from.quants, unit * quads, quads, scheme.highBits, scheme.lowBits,
             record + scheme.highOffset() + 4 * r);
  const bool isSuper = scheme.hasSuperBlocks(), isShared = scheme.scale == ScaleKind::SuperNibbles;
  for (int64_t g = 0; g < groups; ++g) {
    auto put = [&](int64_t offset, const void *scale) {
      const int64_t at = ((unit * groups + g) * panelRows + r) * scheme.scaleBytes();
      std::memcpy(record + offset + at, scale, scheme.scaleBytes());
    };
    const int8_t both = int8_t(from.scales[g] | from.minimums[g] << 4);
    put(scheme.scalesOffset(), isShared  ? &both
                               : isSuper ? &from.scales[g]
                                         : static_cast<const void *>(&from.scale));
    if (scheme.hasMin && !isShared)
      put(scheme.minimumsOffset(), isSuper ? &from.minimums[g] : static_cast<const void *>(&from.minimum));
  }
  if (isSuper) {
    std::memcpy(record + scheme.superScalesOffset() + 2 * r, &from.scale, 2);
    if (scheme.hasMin)
      std::memcpy(record + scheme.superMinimumsOffset() + 2 * r, &from.minimum, 2);
  }
}

} // namespace

void packIntegerPanel(const QuantScheme &scheme, std::span<const uint8_t *const> rows, int64_t k,
                      uint8_t *out) {
  // Padding is q = 0 with scale 0 (and minimum 0), hence value 0 whatever the zero point is.
  std::memset(out, 0, scheme.panelBytes(k));
  uint8_t *records = out + scheme.panelHeader;
  const int64_t unit = unitValues(scheme);
  StoredBlock stored;
  // All rows of a record before the next one: it stays in the first-level cache.
  for (int64_t first = 0; first < k; first += unit) {
    uint8_t *record = records + first / scheme.recordValues * scheme.recordBytes;
    for (int64_t r = 0; r < int64_t(rows.size()); ++r) {
      if (!rows[r])
        continue;
      readUnit(scheme, rows[r], first, k, stored);
      putUnit(scheme, stored, first % scheme.recordValues / unit, r, record);
    }
  }
  if (scheme.scale == ScaleKind::Row)
    for (int64_t r = 0; r < int64_t(rows.size()); ++r)
      if (rows[r])
        std::memcpy(out + 4 * r, rows[r], 4);
}

void unpackIntegerRow(const QuantScheme &scheme, const uint8_t *row, int64_t k, float *out) {
  float rowScale = 1;
  if (scheme.scale == ScaleKind::Row)
    std::memcpy(&rowScale, row, 4);
  const int64_t unit = unitValues(scheme);
  StoredBlock stored;
  for (int64_t first = 0; first < k; first += unit) {
    readUnit(scheme, row, first, k, stored);
    for (int64_t at = 0; at < std::min(unit, k - first); at += scheme.group) {
      const int64_t group = at / scheme.group;
      const float scale = scheme.scale == ScaleKind::Row ? rowScale : stored.scaleOf(scheme, group);
      const float minimum = scheme.hasMin ? stored.minimumOf(scheme, group) : 0;
      for (int64_t i = at; i < std::min(at + scheme.group, k - first); ++i) {
        const uint8_t q = stored.quants[i];
        const int32_t value = scheme.codebook     ? scheme.codebook[q]
                              : scheme.isSigned() ? int8_t(q)
                                                  : q - scheme.zeroPoint;
        // Scale and integer have at most 24 bits together, so the product is exact and only the sum rounds.
        const float product = scale * float(value);
        out[first + i] = scheme.hasMin ? product + minimum : product;
      }
    }
  }
}

} // namespace llmc::quant
