//===- QuantScheme.cpp - what is asked of the table of schemes ------------===//
#include "ir/quant/CodedFloat.h"
#include "ir/quant/SchemeTable.h"

namespace llmc::quant {

bool QuantScheme::packPanel(std::span<const uint8_t *const> rows, int64_t k, uint8_t *out) const {
  if (isCoded())
    return coded::packPanel(rows, k, out);
  isInteger() ? packIntegerPanel(*this, rows, k, out) : packFloatPanel(*this, rows, k, out);
  return true;
}

bool QuantScheme::fits(std::span<const uint8_t *const> rows, int64_t k) const {
  return !isCoded() || coded::fits(rows, k);
}

int64_t QuantScheme::codedListBytes(int64_t k) { return coded::listBytes(k); }

bool QuantScheme::sharesRowsWith(const QuantScheme &other) const {
  auto rowsOf = [](const QuantScheme &scheme) { return scheme.isCoded() ? "bf16" : scheme.name; };
  return rowsOf(*this) == rowsOf(other);
}

void QuantScheme::unpackRow(const uint8_t *row, int64_t k, float *out) const {
  return isInteger() ? unpackIntegerRow(*this, row, k, out) : unpackFloatRow(*this, row, k, out);
}

const QuantScheme *schemeForGgmlType(uint32_t type) {
  for (const QuantScheme &scheme : schemes)
    if (scheme.ggmlType == type && type != noGgmlType)
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

std::string fileSchemeNames() {
  std::string names;
  for (const QuantScheme &scheme : schemes)
    if (scheme.ggmlType != noGgmlType)
      names += (names.empty() ? "" : ", ") + std::string(scheme.name);
  return names;
}

} // namespace llmc::quant
