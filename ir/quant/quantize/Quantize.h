//===- Quantize.h - floats to the blocks of a scheme ------------*- C++ -*-===//
//
// The inverse of QuantScheme::unpackRow, as near as the scheme allows: rows of finite floats become rows of
// file blocks. A row that ends within a block is padded with zeros. The same row gives the same bytes on
// every CPU.
//
// A scale is never taken from the largest value alone: candidates for it are tried, each improved by weighted
// least squares (scale = sum w x q / sum w q^2 for the quants q that a scale gives), and the one of least
// error stays.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_IR_QUANT_QUANTIZE_QUANTIZE_H
#define LLMC_IR_QUANT_QUANTIZE_QUANTIZE_H

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace llmc::quant {

struct Quantizer {
  std::string_view scheme; // a name of the table of schemes
  int64_t blockValues, blockBytes;
  int64_t headerBytes; // before the blocks of a row
  float largest;       // magnitude that can be stored
  /// Root mean square error of a group, as a part of the largest magnitude in it (for schemes with a minimum:
  /// of the distance from the least to the greatest value, zero included). Groups below 2^-20 may lose
  /// everything.
  float budget;
  int64_t group; // values that share a scale; 0: the whole row
  void (*row)(const float *x, int64_t k, uint8_t *out);

  int64_t rowBytes(int64_t k) const { return headerBytes + (k + blockValues - 1) / blockValues * blockBytes; }
  /// The first of the `k` values that cannot be stored (NaN, infinite, above `largest`), or k.
  int64_t firstUnfit(const float *x, int64_t k) const;
};

const Quantizer *quantizerByName(std::string_view scheme);
std::span<const Quantizer> allQuantizers();
/// "f16, bf16, q8_0, …": for messages.
std::string quantizerNames();

} // namespace llmc::quant
#endif
