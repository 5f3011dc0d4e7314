//===- Quantize.cpp - the table of quantizers -----------------------------===//
#include "ir/quant/quantize/Quantize.h"

#include "ir/quant/quantize/Rows.h"

namespace llmc::quant {
namespace {

constexpr float largestHalf = 65504;

// Budgets: half a step of the grid that spans the group, and the rounding of its scale. A grid of n steps
// errs by at most 1/(2n) of what it spans; the search only improves on that grid, in sums of squares that
// K-quants weight.
constexpr Quantizer quantizers[] = {
    // scheme, block values and bytes, header bytes, largest, budget, group
    {"f16", 1, 2, 0, largestHalf, 0x1p-11f, 1, quantizeRowF16},
    {"bf16", 1, 2, 0, 3.38e38f, 0x1p-8f, 1, quantizeRowBF16},
    {"bf16z", 1, 2, 0, 3.38e38f, 0x1p-8f, 1, quantizeRowBF16},
    {"q8_0", 32, 34, 0, largestHalf * 64, 0.5f / 126, 32, quantizeRowQ8_0},
    {"q4_0", 32, 18, 0, largestHalf, 0.5f / 6.9f, 32, quantizeRowQ4_0},
    {"q4_1", 32, 20, 0, largestHalf / 2, 0.5f / 14.9f, 32, quantizeRowQ4_1},
    {"q5_0", 32, 22, 0, largestHalf, 0.5f / 14.9f, 32, quantizeRowQ5_0},
    {"q5_1", 32, 24, 0, largestHalf / 2, 0.5f / 30.9f, 32, quantizeRowQ5_1},
    {"q4_k", 256, 144, 0, largestHalf, 0.07f, 32, quantizeRowQ4K},
    {"q6_k", 256, 210, 0, largestHalf, 0.03f, 16, quantizeRowQ6K},
    {"int8", 1, 1, 4, 1e15f, 0.5f / 126, 0, quantizeRowInt8},
};

} // namespace

int64_t Quantizer::firstUnfit(const float *x, int64_t k) const {
  // Whole chunks first, so that the comparison is one a vector unit can do.
  constexpr int64_t chunk = 64;
  int64_t i = 0;
  for (; i + chunk <= k; i += chunk) {
    int32_t fits = 1;
    for (int64_t j = 0; j < chunk; ++j)
      fits &= x[i + j] <= largest && x[i + j] >= -largest;
    if (!fits)
      break;
  }
  while (i < k && x[i] <= largest && x[i] >= -largest)
    ++i;
  return i;
}

const Quantizer *quantizerByName(std::string_view scheme) {
  for (const Quantizer &quantizer : quantizers)
    if (quantizer.scheme == scheme)
      return &quantizer;
  return nullptr;
}

std::span<const Quantizer> allQuantizers() { return quantizers; }

std::string quantizerNames() {
  std::string names;
  for (const Quantizer &quantizer : quantizers)
    names.append(names.empty() ? "" : ", ").append(quantizer.scheme);
  return names;
}

} // namespace llmc::quant
