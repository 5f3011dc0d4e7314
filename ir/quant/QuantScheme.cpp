//===- QuantScheme.cpp - the table of schemes -----------------------------===//
//
// One row per storage format; a new parameter set of a known family is a new row and nothing else.
//
//===----------------------------------------------------------------------===//
#include "ir/quant/QuantScheme.h"

#include "ir/quant/Schemes.h"

namespace llmc::quant {
namespace {

// Bytes of a packed record: `groups` groups of 32 values for 16 rows, an f16 scale (and minimum) per row and
// group.
constexpr int64_t blockRecord(int64_t groups, int64_t bits, bool hasMin) {
  return groups * panelRows * (32 * bits / 8 + (hasMin ? 4 : 2));
}

// Records are whole cache lines: one group of q4_1 fills five, the others need two groups.
constexpr QuantScheme schemes[] = {
    // name, ggml type, storage, block values and bytes, group, min, zero, record values and bytes, int8
    // budget
    {"f32", 0, Storage::Float32, 1, 4, 1, false, 0, 1, 64, 0},
    {"f16", 1, Storage::Float16, 1, 2, 1, false, 0, 1, 32, 0},
    {"bf16", 30, Storage::BFloat16, 1, 2, 1, false, 0, 1, 32, 0},
    {"q8_0", 8, Storage::Int8, 32, 34, 32, false, 0, 64, blockRecord(2, 8, false), 0.35},
    {"q4_0", 2, Storage::Int4, 32, 18, 32, false, 8, 64, blockRecord(2, 4, false), 0.35},
    {"q4_1", 3, Storage::Int4, 32, 20, 32, true, 0, 32, blockRecord(1, 4, true), 0.35},
};

} // namespace

void QuantScheme::packPanel(std::span<const uint8_t *const> rows, int64_t k, uint8_t *out) const {
  return isInteger() ? packBlockPanel(*this, rows, k, out) : packFloatPanel(*this, rows, k, out);
}

void QuantScheme::unpackRow(const uint8_t *row, int64_t k, float *out) const {
  return isInteger() ? unpackBlockRow(*this, row, k, out) : unpackFloatRow(*this, row, k, out);
}

const QuantScheme *schemeForGgmlType(uint32_t type) {
  for (const QuantScheme &scheme : schemes)
    if (scheme.ggmlType == type)
      return &scheme;
  return nullptr;
}

const QuantScheme *schemeByName(std::string_view name) {
  for (const QuantScheme &scheme : schemes)
    if (scheme.name == name)
      return &scheme;
  return nullptr;
}

std::span<const QuantScheme> allSchemes() { return schemes; }

} // namespace llmc::quant
