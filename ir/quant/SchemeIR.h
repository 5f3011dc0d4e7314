//===- SchemeIR.h - unpacking weights inside kernels ------------*- C++ -*-===//
//
// The half of a scheme that builds IR: how a kernel reads the packed bytes of QuantScheme.h. Addresses are
// llvm pointers, indices i64. Everything is fixed size, free of control flow and exact: the values are those
// of QuantScheme::unpackRow.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_IR_QUANT_SCHEMEIR_H
#define LLMC_IR_QUANT_SCHEMEIR_H

#include "ir/quant/QuantScheme.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace llmc::quant {

// Geometry of a record of an integer scheme.
constexpr int64_t lineBytes = 64;
inline int64_t columnsPerLine(const QuantScheme &s) { return s.storage == Storage::Int4 ? 8 : 4; }
inline int64_t linesPerGroup(const QuantScheme &s) { return s.group / columnsPerLine(s); }

/// One element as f32: row `row` (0..15) of the panel at `panelBase`, column `k` (both i64).
mlir::Value loadElement(mlir::ImplicitLocOpBuilder &b, const QuantScheme &scheme, mlir::Value panelBase,
                        mlir::Value row, mlir::Value k);

/// Reads of one record of a panel, 16 rows at once; loads are emitted once each, where first asked for, so
/// all uses must stand in one block.
class RecordReader {
public:
  RecordReader(mlir::ImplicitLocOpBuilder &b, const QuantScheme &scheme, mlir::Value recordBase)
      : b(b), scheme(scheme), base(recordBase) {}

  /// vector<16xf32>: the weights of column k of the record (0 <= k < recordValues).
  mlir::Value column(int64_t k);

  // Integer schemes only.
  /// vector<64xi8>: the stored quants of columns 4q..4q+3 (row-major: 4 columns of row 0, of row 1, ...).
  /// Unsigned nibbles for Int4, signed bytes for Int8; the zero point is not subtracted.
  mlir::Value quad(int64_t q);
  /// vector<16xf32>: the scales or minimums of group g of the record.
  mlir::Value scales(int64_t g);
  mlir::Value minimums(int64_t g);
  /// vector<16xf32>: column c (0 <= c < columnsPerLine) of one 64-byte line, with the line's scales and
  /// minimums.
  static mlir::Value unpackColumn(mlir::ImplicitLocOpBuilder &b, const QuantScheme &scheme, mlir::Value line,
                                  int64_t c, mlir::Value scales, mlir::Value minimums);

private:
  mlir::Value load(mlir::Type type, int64_t offset, unsigned alignment);
  mlir::Value line(int64_t index);
  mlir::Value halves(int64_t offset);

  mlir::ImplicitLocOpBuilder &b;
  const QuantScheme &scheme;
  mlir::Value base;
  llvm::SmallDenseMap<int64_t, mlir::Value> loaded; // by byte offset
};

} // namespace llmc::quant
#endif
