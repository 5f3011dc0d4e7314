//===- RandomRows.h - random rows of every scheme ---------------*- C++ -*-===//
//
// Every bit of a row is random but the exponents of its scales, which are of moderate size: a number of
// random bits would be NaN or huge. Scales have any sign. Of coded floats about one in 1024 has another
// exponent than the others, and as many are zero or subnormal.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TESTS_SUPPORT_RANDOMROWS_H
#define LLMC_TESTS_SUPPORT_RANDOMROWS_H

#include "ir/quant/QuantScheme.h"

#include <algorithm>
#include <random>
#include <vector>

namespace llmc::test {

/// Where the f16 scale and minimum of a block stand.
inline std::vector<int64_t> halvesOf(const quant::QuantScheme &scheme) {
  static const struct {
    std::string_view name;
    std::vector<int64_t> offsets;
  } table[] = {{"q2_k", {80, 82}}, {"q3_k", {108}}, {"q6_k", {208}}, {"mxfp4", {}},
               {"f32", {}},        {"bf16", {}},    {"bf16z", {}},   {"int8", {}}};
  for (const auto &[name, offsets] : table)
    if (scheme.name == name)
      return offsets;
  return scheme.hasMin ? std::vector<int64_t>{0, 2} : std::vector<int64_t>{0};
}

/// Gives the scales and floats of a row of random bits a middle exponent.
inline void tameRow(const quant::QuantScheme &scheme, uint8_t *row, int64_t k) {
  auto tameFloat = [](uint8_t *top) { *top = uint8_t((*top & 0x80) | 0x3d); };
  if (scheme.scale == quant::ScaleKind::Row)
    tameFloat(row + 3);
  for (int64_t at = scheme.rowHeader; at < scheme.rowBytes(k); at += scheme.blockBytes) {
    uint8_t *block = row + at;
    for (int64_t half : halvesOf(scheme)) {
      uint8_t &top = block[half + 1]; // sign, five bits of exponent, two of mantissa
      const int exponent = (scheme.hasSuperBlocks() ? 2 : 8) + (top >> 2 & 31) % 6;
      top = uint8_t((top & 0x83) | exponent << 2);
    }
    if (scheme.scale == quant::ScaleKind::Exponent)
      block[0] = uint8_t(118 + block[0] % 8);
    if (scheme.storage == quant::Storage::Float32 || scheme.storage == quant::Storage::BFloat16)
      tameFloat(block + scheme.blockBytes - 1);
    if (scheme.isCoded()) {
      const int bits = block[0] | block[1] << 8, any = bits >> 7 & 0xff, mantissa = bits & 0x7f;
      const bool isRare = any < 2 && mantissa < 32;
      const int rare = mantissa % 2 ? 123 + mantissa % 8 : 92 + mantissa % 16;
      const int exponent = !isRare ? 110 + any % 13 : any ? 0 : rare;
      block[0] = uint8_t((block[0] & 0x7f) | exponent << 7);
      block[1] = uint8_t((block[1] & 0x80) | exponent >> 1);
    }
  }
}

template <typename Random>
std::vector<uint8_t> randomRow(const quant::QuantScheme &scheme, int64_t k, Random &random) {
  std::vector<uint8_t> row(scheme.rowBytes(k));
  std::generate(row.begin(), row.end(), [&] { return uint8_t(random()); });
  tameRow(scheme, row.data(), k);
  return row;
}

} // namespace llmc::test
#endif
