//===- QuantScheme.h - how a weight matrix is stored and packed -*- C++ -*-===//
//
// A scheme is one object: the file's block format, the packed panel layout that every kernel reads, and the
// error budget of its use. This half knows bytes only; unpacking inside kernels is SchemeIR
// (ir/quant/SchemeIR.h).
//
// Packed layout, the same for every CPU and every number of rows: the N output rows are cut into panels of 16
// (the last one padded with zero rows), panels follow each other, and a panel is a sequence of records along
// K. A record covers `recordValues` values of K for all 16 rows (K padded with zeros to a whole record):
//   integer schemes: for each group of the record: the quants in quads, 64 bytes = 16 rows x 4 consecutive k
//                    (4-bit: one 64-byte line holds quad 2j in the low nibbles and quad 2j+1 in the high
//                    ones); then for each group 16 scales (f16), then for each group 16 minimums (f16) if the
//                    scheme has them
//   float schemes:   one record per k: 16 values
// A vector (norm gain, bias) is not packed by a scheme: it is f32, padded with zeros to a multiple of 16.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_IR_QUANT_QUANTSCHEME_H
#define LLMC_IR_QUANT_QUANTSCHEME_H

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace llmc::quant {

constexpr int64_t panelRows = 16;

enum class Storage { Float32, Float16, BFloat16, Int4, Int8 };

struct QuantScheme {
  std::string_view name; // "q4_1"
  uint32_t ggmlType;     // the file format it keeps losslessly
  Storage storage;
  int64_t blockValues;  // values of one row in a block of the file
  int64_t blockBytes;   // bytes of that block
  int64_t group;        // values of K that share a scale; 1 for float schemes
  bool hasMin;          // value = scale * q + min, else scale * (q - zeroPoint)
  int32_t zeroPoint;    // 8 for q4_0; 0 for signed int8
  int64_t recordValues; // values of K in one packed record
  int64_t recordBytes;  // for 16 rows
  double
      int8Budget; // largest logit error, in standard deviations, with int8 activations (0: no integer path)

  bool isInteger() const { return storage == Storage::Int4 || storage == Storage::Int8; }
  int64_t panels(int64_t n) const { return (n + panelRows - 1) / panelRows; }
  int64_t records(int64_t k) const { return (k + recordValues - 1) / recordValues; }
  int64_t panelBytes(int64_t k) const { return records(k) * recordBytes; }
  int64_t packedBytes(int64_t n, int64_t k) const { return panels(n) * panelBytes(k); }
  int64_t rowBytes(int64_t k) const {
    return k / blockValues * blockBytes;
  } // of the file; k is a multiple of blockValues

  /// Packs up to 16 rows of `k` values (file blocks, rowBytes(k) each) into one panel of panelBytes(k) bytes.
  /// A null row is a zero row. `out` is written completely.
  void packPanel(std::span<const uint8_t *const> rows, int64_t k, uint8_t *out) const;
  /// One row of file blocks to floats: the exact values that every kernel must compute with.
  void unpackRow(const uint8_t *row, int64_t k, float *out) const;
};

/// By the number of the file format, or by name; null if there is no scheme.
const QuantScheme *schemeForGgmlType(uint32_t type);
const QuantScheme *schemeByName(std::string_view name);
std::span<const QuantScheme> allSchemes();

} // namespace llmc::quant
#endif
