//===- FloatScheme.cpp - f32, f16 and bf16 weights ------------------------===//
//
// A panel is the transpose of its 16 rows: 16 values for each k.
//
//===----------------------------------------------------------------------===//
#include "ir/quant/Schemes.h"

#include <algorithm>
#include <cstring>

namespace llmc::quant {

void packFloatPanel(const QuantScheme &scheme, std::span<const uint8_t *const> rows, int64_t k,
                    uint8_t *out) {
  const int64_t size = scheme.blockBytes;
  // In blocks of k, so that both the 16 source rows and the destination stay in the first-level cache.
  constexpr int64_t step = 64;
  for (int64_t first = 0; first < k; first += step) {
    const int64_t last = std::min(first + step, k);
    for (int64_t r = 0; r < panelRows; ++r) {
      const uint8_t *source = r < int64_t(rows.size()) ? rows[r] : nullptr;
      for (int64_t i = first; i < last; ++i) {
        uint8_t *target = out + (i * panelRows + r) * size;
        if (source)
          std::memcpy(target, source + i * size, size);
        else
          std::memset(target, 0, size);
      }
    }
  }
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
  default:
    for (int64_t i = 0; i < k; ++i)
      out[i] = std::bit_cast<float>(uint32_t(load16(row + 2 * i)) << 16);
  }
}

} // namespace llmc::quant
