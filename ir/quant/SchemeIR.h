//===- SchemeIR.h - unpacking weights inside kernels ------------*- C++ -*-===//
//
// The half of a scheme that builds IR: how a kernel reads the packed bytes of QuantScheme.h. Addresses are
// llvm pointers, indices i64. Everything is fixed size, exact (the values are those of
// QuantScheme::unpackRow) and, but for exceptions of coded floats, free of control flow.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_IR_QUANT_SCHEMEIR_H
#define LLMC_IR_QUANT_SCHEMEIR_H

#include "ir/quant/QuantScheme.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <functional>

namespace llmc::quant {

/// One element as f32: row `row` (0..15) of the panel at `panelBase`, column `k` (both i64) of `columns`.
mlir::Value loadElement(mlir::ImplicitLocOpBuilder &b, const QuantScheme &scheme, mlir::Value panelBase,
                        mlir::Value row, mlir::Value k, int64_t columns);

/// vector<64xi8> of table[index & 15] for a vector<64xi8> of indices below 16: what an instruction set has
/// for it.
using ByteLookup = std::function<mlir::Value(mlir::Value indices, llvm::ArrayRef<int8_t> table)>;

/// Scales that hold for a whole panel (of rows) or record (of super-blocks), vector<16xf32>; loaded once,
/// outside of the loop that they are constant in. Null where a scheme has none.
struct OuterScales {
  mlir::Value scales, minimums;
  static OuterScales ofPanel(mlir::ImplicitLocOpBuilder &b, const QuantScheme &, mlir::Value panelBase);
  static OuterScales ofRecord(mlir::ImplicitLocOpBuilder &b, const QuantScheme &, mlir::Value recordBase);
};

/// Reads one chunk of columns of a panel's record (float schemes: one column), 16 rows at once. A chunk is 32
/// columns, a group, or a part of one. Not of coded floats, which CPUs decode by records
/// (codegen/cpu/kernels/CodedProducts.h). Loads are emitted once each, where first asked for, so all uses
/// must stand in one block.
class ChunkReader {
public:
  /// Columns of a part, for loops that should stay short: a line of a plane of nibbles.
  static constexpr int64_t partValues = 8;

  /// `chunk`: its number in the record, i64; null for the first. `lookup` is only used for codebooks.
  ChunkReader(mlir::ImplicitLocOpBuilder &b, const QuantScheme &scheme, mlir::Value recordBase,
              mlir::Value chunk, OuterScales outer, ByteLookup lookup, int64_t columns = chunkValues);
  /// The part `i` (i64) of this chunk.
  ChunkReader part(mlir::Value i) const;

  /// vector<16xf32>: the weights of column k of the chunk. A part is given the scales and minimums of its
  /// group, which others have found.
  mlir::Value column(int64_t k) { return column(k, {}, {}); }
  mlir::Value column(int64_t k, mlir::Value scales, mlir::Value minimums);

  // Integer schemes only.
  /// vector<64xi8>: the quants of columns 4q..4q+3 (row-major: 4 columns of row 0, of row 1, ...), out of the
  /// codebook where there is one. `offset` is added to signed quants (as bytes: 128 makes them unsigned); the
  /// zero point of unsigned ones is not subtracted.
  mlir::Value quad(int64_t q, int offset = 0);
  /// vector<32xi16>: the stored nibbles of columns 4q+i and 4q+i+2 (i below 2) of 16 rows, in the low four
  /// bits; what the others hold is left to the caller. Of schemes of four bits only.
  mlir::Value nibbleWords(int64_t q, int64_t i);
  /// vector<16xf32>: the scales or minimums of group g of the chunk. Not of parts.
  mlir::Value scales(int64_t g);
  mlir::Value minimums(int64_t g);

private:
  mlir::Value load(mlir::Type type, int64_t offset, int64_t perChunk, unsigned alignment);
  mlir::Value line(int64_t offset, int bits, int64_t q);
  mlir::Value plane(int64_t offset, int bits, int64_t q, int to);
  mlir::Value halves(int64_t offset, int64_t perChunk);
  mlir::Value groupBytes(int64_t offset, int64_t g);
  mlir::Value makeScales(int64_t g);
  mlir::Value makeMinimums(int64_t g);

  mlir::ImplicitLocOpBuilder &b;
  const QuantScheme &scheme;
  mlir::Value base, chunk;
  OuterScales outer;
  ByteLookup lookup;
  int64_t columns;
  llvm::SmallDenseMap<std::pair<int64_t, int64_t>, mlir::Value> loaded; // by offset, and offset per chunk
  llvm::SmallDenseMap<int64_t, mlir::Value> cutLines;                   // by offset
  llvm::SmallDenseMap<int64_t, mlir::Value> quads, groupScales, groupMinimums;
};

} // namespace llmc::quant
#endif
