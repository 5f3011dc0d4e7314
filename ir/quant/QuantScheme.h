//===- QuantScheme.h - how a weight matrix is stored and packed -*- C++ -*-===//
//
// A scheme is one object: the block format of a file's rows, the packed panel layout that every kernel reads,
// and the error budget of its use. This half knows bytes only; unpacking inside kernels is SchemeIR
// (ir/quant/SchemeIR.h).
//
// Packed layout, the same for every CPU and every number of rows: the N output rows are cut into panels of 16
// (the last one padded with zero rows), panels follow each other, and a panel is a sequence of records along
// K. A record covers `recordValues` values of K for all 16 rows (K padded with zeros to a whole record):
//   integer schemes: a plane of the quants' low bits, a plane of their high bits; then for each group 16
//   scales,
//                    then for each group 16 minimums if the scheme has them; the scales (and minimums) of a
//                    super-block as 16 (and 16) f16; zeros to a whole cache line.
//                    A plane of b bits is lines of 64 bytes; a line holds 8/b quads, quad i in bits b*i of
//                    each byte. A quad is 4 consecutive k of 16 rows: byte 4r+j is row r, column j.
//   float schemes:   one record per k: 16 values
//   coded floats:    bf16 in 12 bits, without loss: CodedFloat.h
// A scale of a whole row stands once, before the records of its panel: 16 f32.
// A vector (norm gain, bias) is not packed by a scheme: it is f32, padded with zeros to a multiple of 16.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_IR_QUANT_QUANTSCHEME_H
#define LLMC_IR_QUANT_QUANTSCHEME_H

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace llmc::quant {

constexpr int64_t panelRows = 16;
/// Every group divides a chunk of 32 columns, and a chunk divides every record of an integer scheme.
constexpr int64_t chunkValues = 32;
constexpr int64_t lineBytes = 64;
/// Instead of a file format's number: rows that only a quantizer makes.
constexpr uint32_t noGgmlType = ~0u;

enum class Storage { Float32, Float16, BFloat16, CodedBFloat16, Integer };

/// What an integer is multiplied by.
enum class ScaleKind {
  None,
  Half,         // an f16 of the group, and an f16 minimum
  SuperBlock,   // an int8 of the group times an f16 of the block; the minimum is minus such a product
  SuperNibbles, // the same; scale and minimum of a group are the low and the high half of one byte
  Exponent,     // a byte e of the group: 2^(e - 128)
  Row           // an f32 of the row
};

struct StoredBlock; // Schemes.h

struct QuantScheme {
  std::string_view name; // "q4_1"
  uint32_t ggmlType;     // the file format it keeps losslessly, or noGgmlType
  Storage storage;
  // Rows of a file: a header, then blocks; values beyond the row in its last block count for nothing.
  int64_t rowHeader, blockValues, blockBytes;
  void (*readBlock)(const QuantScheme &, const uint8_t *block, StoredBlock &); // null: single values
  // Integers.
  int64_t group;         // values of K that share a scale; 1 for float schemes
  int lowBits, highBits; // of the two planes: quant = low + (high << lowBits)
  ScaleKind scale;
  bool hasMin;            // value = scale * q + min, else scale * (q - zeroPoint)
  int32_t zeroPoint;      // 8 for q4_0; 0 for signed int8
  const int8_t *codebook; // what the 16 quants stand for; null: themselves
  // Panels.
  int64_t recordValues; // values of K in one packed record
  int64_t recordBytes;  // for 16 rows
  int64_t panelHeader;  // bytes before the records
  /// Largest logit error, in standard deviations, with int8 activations (0: no integer path).
  double int8Budget;

  constexpr bool isInteger() const { return storage == Storage::Integer; }
  constexpr bool isCoded() const { return storage == Storage::CodedBFloat16; }
  /// Whether a row of a file in one scheme is one in the other.
  bool sharesRowsWith(const QuantScheme &other) const;
  constexpr bool hasSuperBlocks() const {
    return scale == ScaleKind::SuperBlock || scale == ScaleKind::SuperNibbles;
  }
  /// Whether quants (out of the codebook, where there is one) are int8; else they are unsigned.
  bool isSigned() const { return codebook || lowBits == 8; }
  constexpr int64_t panels(int64_t n) const { return (n + panelRows - 1) / panelRows; }
  constexpr int64_t records(int64_t k) const { return (k + recordValues - 1) / recordValues; }
  int64_t panelBytes(int64_t k) const {
    return panelHeader + records(k) * recordBytes + (isCoded() ? codedListBytes(k) : 0);
  }
  int64_t packedBytes(int64_t n, int64_t k) const { return panels(n) * panelBytes(k); }
  /// Of a file; k is rounded up to whole blocks.
  int64_t rowBytes(int64_t k) const { return rowHeader + (k + blockValues - 1) / blockValues * blockBytes; }

  // Offsets in a record of an integer scheme.
  constexpr int64_t highOffset() const { return recordValues * panelRows * lowBits / 8; }
  constexpr int64_t scalesOffset() const { return highOffset() + recordValues * panelRows * highBits / 8; }
  constexpr int64_t scaleBytes() const { // of one row and group
    return scale == ScaleKind::Half ? 2 : scale == ScaleKind::Row ? 0 : 1;
  }
  constexpr int64_t allScaleBytes() const { return recordValues / group * panelRows * scaleBytes(); }
  constexpr int64_t minimumsOffset() const { return scalesOffset() + allScaleBytes(); }
  constexpr int64_t superScalesOffset() const {
    return minimumsOffset() + (hasMin && scale != ScaleKind::SuperNibbles ? allScaleBytes() : 0);
  }
  constexpr int64_t superMinimumsOffset() const { return superScalesOffset() + 2 * panelRows; }

  /// Packs up to 16 rows of `k` values (rowBytes(k) each) into one panel of panelBytes(k) bytes.
  /// A null row is a zero row. `out` is written completely; false, and `out` is worth nothing, where they do
  /// not fit.
  [[nodiscard]] bool packPanel(std::span<const uint8_t *const> rows, int64_t k, uint8_t *out) const;
  /// Whether packPanel can pack these rows: always, but for coded floats.
  bool fits(std::span<const uint8_t *const> rows, int64_t k) const;
  /// One row of a file to floats: the exact values that every kernel must compute with.
  void unpackRow(const uint8_t *row, int64_t k, float *out) const;

private:
  static int64_t codedListBytes(int64_t k);
};

/// By the number of the file format, or by name; null if there is no scheme.
const QuantScheme *schemeForGgmlType(uint32_t type);
const QuantScheme *schemeByName(std::string_view name);
std::span<const QuantScheme> allSchemes();
/// The names of the schemes that files may hold, for messages: "f32, f16, ...".
std::string fileSchemeNames();

} // namespace llmc::quant
#endif
