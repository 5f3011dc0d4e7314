//===- Float.cpp - f16 and bf16 from f32 ----------------------------------===//
//
// To nearest, ties to even.
//
//===----------------------------------------------------------------------===//
#include "ir/quant/quantize/Rows.h"
#include "ir/quant/quantize/Vector.h"

namespace llmc::quant {
namespace {

LLMC_INLINE void rowF16(const float *x, int64_t k, uint8_t *out) {
  for (int64_t i = 0; i < k; ++i)
    store16(out + 2 * i, halfOf(x[i]));
}

LLMC_INLINE void rowBF16(const float *x, int64_t k, uint8_t *out) {
  for (int64_t i = 0; i < k; ++i) {
    const uint32_t bits = std::bit_cast<uint32_t>(x[i]);
    const uint32_t rounded = bits + 0x7fffu + (bits >> 16 & 1u);
    const bool isNaN = (bits & 0x7fffffffu) > 0x7f800000u;
    store16(out + 2 * i, static_cast<uint16_t>((isNaN ? bits | 0x400000u : rounded) >> 16));
  }
}

} // namespace

void quantizeRowF16(const float *x, int64_t k, uint8_t *out) { dispatchRow<rowF16>(x, k, out); }
void quantizeRowBF16(const float *x, int64_t k, uint8_t *out) { dispatchRow<rowBF16>(x, k, out); }

} // namespace llmc::quant
