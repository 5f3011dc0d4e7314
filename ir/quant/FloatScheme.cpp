//===- FloatScheme.cpp - f32, f16 and bf16 weights ------------------------===//
//
// A panel is the transpose of its 16 rows: 16 values for each k.
//
//===----------------------------------------------------------------------===//
#include "ir/quant/Schemes.h"

#include <algorithm>
#include <cstring>

namespace llmc::quant {

namespace {

/// Columns of elements of one size; a row that is not there is zeros.
template <typename T> void packColumns(std::span<const uint8_t *const> rows, int64_t k, uint8_t *out) {
  constexpr int64_t step = 64;
  const uint8_t zeros[step * sizeof(T)] = {};
  for (int64_t first = 0; first < k; first += step) {
    const uint8_t *from[panelRows];
    for (int64_t r = 0; r < panelRows; ++r)
      from[r] = r < int64_t(rows.size()) && rows[r] ? rows[r] + first * sizeof(T) : zeros;
    const int64_t n = std::min(step, k - first);
    for (int64_t i = 0; i < n; ++i) {
      T column[panelRows];
      for (int64_t r = 0; r < panelRows; ++r)
        std::memcpy(&column[r], from[r] + i * sizeof(T), sizeof(T));
      std::memcpy(out + (first + i) * sizeof column, column, sizeof column);
    }
  }
}

} // namespace

void packFloatPanel(const QuantScheme &scheme, std::span<const uint8_t *const> rows, int64_t k,
                    uint8_t *out) {
  return scheme.blockBytes == 2 ? packColumns<uint16_t>(rows, k, out) : packColumns<uint32_t>(rows, k, out);
}

void unpackFloatRow(const QuantScheme &scheme, const uint8_t *row, int64_t k, float *out) {
  switch (scheme.storage) {
  case Storage::Float32:
    std::memcpy(out, row, k * sizeof(float));
    return;
  case Storage::Float16:
    for (int64_t i = 0; i < k; ++i)
      out[i] = halfToFloat(load16(row + 2 * i));
    return;
  default: // bf16, coded or not
    for (int64_t i = 0; i < k; ++i)
      out[i] = std::bit_cast<float>(uint32_t(load16(row + 2 * i)) << 16);
  }
}

} // namespace llmc::quant
