//===- Tiles.h - AMX tiles of bf16 ------------------------------*- C++ -*-===//
//
// C[rows x 16] += A[rows x 32] * B[32 x 16] (tdpbf16ps). A tile is 16 lines of 64 bytes: a line of A is a
// row's 32 numbers, a line of B a pair of numbers of each of 16 columns, a line of C 16 floats. A sum is made
// of two chains of fused multiply-adds, of the first and of the second numbers of the pairs, which are added
// to each other and then to C; numbers below the normal range count as zero. Intel's manual, "TDPBF16PS".
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_CPU_ISA_TILES_H
#define LLMC_CODEGEN_CPU_ISA_TILES_H

#include "codegen/cpu/Entry.h"

namespace llmc::cpu {

namespace tile {
constexpr int64_t rows = 16, columns = 32, numberBytes = 2, lineBytes = columns * numberBytes,
                  bytes = rows * lineBytes;
} // namespace tile

/// Tiles of `rows` rows (an i16; of B always 16), for one builder. The values may be carried by loops, but
/// not across calls.
class TileEmitter {
public:
  explicit TileEmitter(Emitter &e) : e(e), full(e.splat(e.i16(), tile::rows)) {}

  mlir::Value fullRows() const { return full; }
  mlir::Value zero(mlir::Value rows);
  mlir::Value load(mlir::Value rows, mlir::Value pointer, mlir::Value stride);
  /// The same of what passes by once: it need not stay in the first-level cache.
  mlir::Value stream(mlir::Value rows, mlir::Value pointer, mlir::Value stride);
  void store(mlir::Value value, mlir::Value rows, mlir::Value pointer, mlir::Value stride);
  mlir::Value dot(mlir::Value rows, mlir::Value c, mlir::Value a, mlir::Value b);
  /// A loop that carries tiles. It is never unrolled: there are eight registers, and tiles cannot be copied
  /// from one to another.
  Values loop(mlir::Value lower, mlir::Value upper, mlir::ValueRange carried, Emitter::Body body);

private:
  mlir::Value width();
  mlir::Type type();

  Emitter &e;
  mlir::Value full;
};

} // namespace llmc::cpu
#endif
