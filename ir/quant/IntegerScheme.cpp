//===- IntegerScheme.cpp - panels of integers -----------------------------===//
//
// One packer and one unpacker for every integer scheme: blocks are read into single numbers, and these are
// put into planes of bits. Packing moves bits and never rounds.
//
//===----------------------------------------------------------------------===//
#include "ir/quant/SchemeTable.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

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

/// Values that are read at once: a block, or a piece of a row of single bytes.
constexpr int64_t unitValues(const QuantScheme &scheme) {
  return scheme.readBlock ? scheme.blockValues : chunkValues;
}

/// The unit that starts at value `first` of a row of `k`.
LLMC_INLINE void readUnit(const QuantScheme &scheme, const uint8_t *row, int64_t first, int64_t k,
                          StoredBlock &to) {
  row += scheme.rowHeader;
  if (scheme.readBlock)
    return scheme.readBlock(scheme, row + first / scheme.blockValues * scheme.blockBytes, to);
  const int64_t count = std::min(chunkValues, k - first);
  std::memcpy(to.quants, row + first, count);
  std::memset(to.quants + count, 0, chunkValues - count);
}

/// `bits` of each of `values` quants of one row, one a byte, from bit `from` on, into the lines of a plane.
template <int bits, int64_t values>
LLMC_INLINE void putPlane(const uint8_t *quants, int from, uint8_t *line) {
  constexpr int64_t perLine = 8 / bits;
  constexpr uint32_t mask = 0x01010101u * ((1u << bits) - 1);
  for (int64_t at = 0; at < values; at += 4 * perLine, line += lineBytes) {
    uint32_t sum = 0;
    for (int64_t i = 0; i < perLine; ++i) {
      uint32_t quad;
      std::memcpy(&quad, quants + at + 4 * i, 4);
      sum |= (quad >> from & mask) << (bits * i);
    }
    std::memcpy(line, &sum, 4);
  }
}

/// The scheme's packer, compiled with its row of the table as constants.
template <size_t index> struct Packer {
  static constexpr const QuantScheme &scheme = schemes[index];
  static constexpr int64_t unit = unitValues(scheme), groups = unit / scheme.group;

  /// Unit `i` of a record, of row `r`.
  LLMC_INLINE static void putUnit(const StoredBlock &from, int64_t i, int64_t r, uint8_t *record) {
    putPlane<scheme.lowBits, unit>(from.quants, 0,
                                   record + i * (unit / 8 * scheme.lowBits * panelRows) + 4 * r);
    if constexpr (scheme.highBits != 0)
      putPlane<scheme.highBits, unit>(from.quants, scheme.lowBits,
                                      record + scheme.highOffset() +
                                          i * (unit / 8 * scheme.highBits * panelRows) + 4 * r);
    uint8_t *scales = record + scheme.scalesOffset(), *minimums = record + scheme.minimumsOffset();
    for (int64_t g = 0; g < groups; ++g) {
      const int64_t at = (i * groups + g) * panelRows + r;
      if constexpr (scheme.scale == ScaleKind::Half)
        store16(scales + 2 * at, from.scale);
      else if constexpr (scheme.scale == ScaleKind::Exponent)
        scales[at] = static_cast<uint8_t>(from.scale);
      else if constexpr (scheme.scale == ScaleKind::SuperNibbles)
        scales[at] = static_cast<uint8_t>(from.scales[g] | from.minimums[g] << 4);
      else if constexpr (scheme.scale == ScaleKind::SuperBlock)
        scales[at] = static_cast<uint8_t>(from.scales[g]);
      if constexpr (scheme.hasMin && scheme.scale == ScaleKind::Half)
        store16(minimums + 2 * at, from.minimum);
      else if constexpr (scheme.hasMin && scheme.scale == ScaleKind::SuperBlock)
        minimums[at] = static_cast<uint8_t>(from.minimums[g]);
    }
    if constexpr (scheme.hasSuperBlocks()) {
      store16(record + scheme.superScalesOffset() + 2 * r, from.scale);
      if constexpr (scheme.hasMin)
        store16(record + scheme.superMinimumsOffset() + 2 * r, from.minimum);
    }
  }

  /// A row from value `first`, the start of a record, up to `last`.
  LLMC_INLINE static void putRow(const uint8_t *row, int64_t r, int64_t first, int64_t last, int64_t k,
                                 uint8_t *record) {
    StoredBlock stored;
    for (; first < last; record += scheme.recordBytes)
      for (int64_t i = 0; i < scheme.recordValues / unit && first < last; ++i, first += unit) {
        readUnit(scheme, row, first, k, stored);
        putUnit(stored, i, r, record);
      }
  }

  static void pack(std::span<const uint8_t *const> rows, int64_t k, uint8_t *out) {
    std::memset(out, 0, scheme.panelHeader);
    if constexpr (scheme.scale == ScaleKind::Row)
      for (size_t r = 0; r < rows.size(); ++r)
        if (rows[r])
          std::memcpy(out + 4 * r, rows[r], 4);
    // All rows of a few records before the next ones: these stay in the first-level cache.
    constexpr int64_t step = std::max<int64_t>(256, scheme.recordValues);
    uint8_t *record = out + scheme.panelHeader;
    for (int64_t first = 0; first < k; first += step) {
      const int64_t last = std::min(first + step, k),
                    bytes = scheme.records(last - first) * scheme.recordBytes;
      // Padding is q = 0 with scale 0 (and minimum 0), hence value 0 whatever the zero point is.
      std::memset(record, 0, bytes);
      for (size_t r = 0; r < rows.size(); ++r)
        if (rows[r])
          putRow(rows[r], static_cast<int64_t>(r), first, last, k, record);
      record += bytes;
    }
  }
};

using PackFunction = void (*)(std::span<const uint8_t *const> rows, int64_t k, uint8_t *out);

template <size_t index> constexpr PackFunction packerOf() {
  if constexpr (schemes[index].isInteger())
    return Packer<index>::pack;
  else
    return nullptr;
}

template <size_t... indices>
constexpr std::array<PackFunction, sizeof...(indices)> allPackers(std::index_sequence<indices...>) {
  return {packerOf<indices>()...};
}

constexpr auto packers = allPackers(std::make_index_sequence<std::size(schemes)>());

} // namespace

void packIntegerPanel(const QuantScheme &scheme, std::span<const uint8_t *const> rows, int64_t k,
                      uint8_t *out) {
  packers[&scheme - schemes](rows, k, out);
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
