//===- WeightRows.h - the value of a weight expression ----------*- C++ -*-===//
//
// Rows of a weight in a storage scheme. A row is a pointer into a mapped file (or into what an expression
// made) and how it is stored there; a row that is to have another scheme is widened or quantized when it is
// read, so that a weight is never in memory twice.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_WEIGHTROWS_H
#define LLMC_CODEGEN_WEIGHTROWS_H

#include "ir/quant/QuantScheme.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace llmc::codegen {

/// The numbers of a row of `k` in the file format of a scheme, by other means than the scheme's own.
using RowDecoder = std::function<void(const quant::QuantScheme &, const uint8_t *row, int64_t k, float *out)>;

using RowAlteration = std::function<void(const quant::QuantScheme &, uint8_t *row, int64_t k)>;

/// A vector <N> has N rows of one column.
class WeightRows {
public:
  int64_t rows() const { return static_cast<int64_t>(stored.size()); }
  int64_t columns() const { return width; }
  const quant::QuantScheme &scheme() const { return *kind; }
  /// Bytes of a row in scheme(); a last block that it does not fill is padded with zeros.
  int64_t rowBytes() const;

  /// Row `r` in scheme(): where it lies if it is stored so, otherwise made in `room` (rowBytes() bytes). Null
  /// if a value cannot be stored so; `error` then names tensor, row and column. Valid as long as this object
  /// and its WeightSource.
  const uint8_t *read(int64_t r, uint8_t *room, std::string &error) const;
  /// The exact values of a row that is stored in scheme(), or widened to f32.
  void floats(int64_t r, float *out) const;
  /// Rows are stored in scheme() or widened; none is quantized when it is read.
  bool isExact() const;
  /// Rows are read as f32 from now on; only where isExact.
  void widen();
  bool isStoredAsIs() const;
  /// "row 3 of tensor 'x'": where a row comes from, for messages.
  std::string describeRow(int64_t r) const;

private:
  friend class WeightEvaluator;
  friend class WeightSource;
  struct Row {
    const uint8_t *bytes;
    const quant::QuantScheme *scheme;
  };
  /// Where rows come from, for messages.
  struct Origin {
    std::string tensor;
    const uint8_t *begin, *end;
    int64_t rowBytes;
  };
  const uint8_t *quantize(int64_t r, const quant::QuantScheme &to, uint8_t *room, std::string &error) const;

  const quant::QuantScheme *kind = nullptr;
  const quant::QuantScheme *through = nullptr; // rows are quantized to it, then decoded to floats
  RowDecoder decode;
  RowAlteration alter;
  int64_t width = 0;
  std::vector<Row> stored;
  std::vector<Origin> origins;
  std::vector<std::shared_ptr<const std::vector<float>>> owned; // what some of the rows point into
};

} // namespace llmc::codegen
#endif
