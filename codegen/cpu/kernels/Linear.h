//===- Linear.h - the parts of the linear kernels ---------------*- C++ -*-===//
//
// A linear kernel is three kinds of functions: packing of an activation row (PackRows.cpp), products of a
// tile of rows and panels (Products.cpp), and what happens to finished sums (Epilogue.cpp); LinearPanels.cpp
// walks the tiles, Linear.cpp shares them out.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_CPU_KERNELS_LINEAR_H
#define LLMC_CODEGEN_CPU_KERNELS_LINEAR_H

#include "codegen/cpu/Entry.h"
#include "codegen/cpu/Kernels.h"

namespace llmc::cpu {

/// A packed int8 row: for each group of 32 columns, ascending. "sum" is the sum of the int8.
namespace int8group {
constexpr int64_t values = 32;
constexpr int64_t scale = 32;    // f32: largest magnitude / 127
constexpr int64_t sum = 36;      // f32: scale * sum
constexpr int64_t minus8 = 40;   // i32: -8 * sum
constexpr int64_t minus128 = 44; // i32: -128 * sum
// Of each half of the group, where a weight needs them (needsHalfSums).
constexpr int64_t halfSums = 48;    // f32: scale * sum
constexpr int64_t minusHalves = 56; // i32: -sum
constexpr int64_t bytes = 64;
} // namespace int8group

/// Whether int8 products of the scheme read the sums of half groups.
bool needsHalfSums(const quant::QuantScheme &, const Isa &);

/// Columns of a packed row: k, padded to whole records of every weight.
int64_t paddedColumns(const LinearSpec &);
/// Bytes from row to row of what the products read: packed rows, or x itself.
int64_t activationStride(const LinearSpec &);

/// How activations are packed for tiles: in chunks of columns, one after another, each with blocks of 16
/// rows (the last one of what is left), each with the rows' 64 bytes for 32 columns after 32.
struct TileLayout {
  int64_t columns, lastColumns, chunks;
  int64_t rows; // of a chunk that stay in the second-level cache, at most
};
TileLayout tileLayout(const LinearSpec &, const Isa &);

/// What the products of a kernel without tiles read: groups of int8, pairs of bf16, or floats.
ActivationType productType(const LinearSpec &, const Isa &);

/// pack(x row, gain, norm bias, packed row). For tiles, with activations as bf16, with integer weights
/// tileScale larger: pack(x row, gain, norm bias, packed, rows, row).
mlir::LLVM::LLVMFuncOp emitPackRow(Emitter &, mlir::ModuleOp, llvm::StringRef name, const LinearSpec &,
                                   const Isa &, bool forTiles);

/// products(weights, panel stride, x, x stride, records, out, out stride, ahead): sums of `rows` rows with
/// `panels` panels; out row i holds 16 * panels floats. The type is a productType(). int8 products prefetch weights `ahead` bytes from
/// where they read. Shared by all kernels of a module.
mlir::LLVM::LLVMFuncOp emitProducts(Emitter &, mlir::ModuleOp, const quant::QuantScheme &, ActivationType,
                                    const Isa &, int rows, int panels);

/// What is done with tiles, or without, for a step of so many rows.
void byRows(Emitter &, const LinearSpec &, const Isa &, mlir::Value rows,
            llvm::function_ref<void(bool forTiles)> work);
/// The scale of activations that meet integer weights in tiles: see TileProducts.cpp.
constexpr double tileScale = 0x1p104;
/// products(weights, panel stride, x, x stride, rows, first record, last record, records, sums, sums stride,
/// scratch): adds the products of any number of rows with two panels, in one chunk of the columns, to the
/// sums; those of the first chunk begin them. x is the first block (TileLayout), a whole block is 16 * x
/// stride bytes.
mlir::LLVM::LLVMFuncOp emitTileProducts(Emitter &, mlir::ModuleOp, const quant::QuantScheme &, const Isa &);
/// products(weights, panel stride, x, rows, records, sums, sums stride, ahead, scratch): the same sums of up
/// to 16 rows with `panels` panels.
mlir::LLVM::LLVMFuncOp emitFewTileProducts(Emitter &, mlir::ModuleOp, const quant::QuantScheme &, const Isa &,
                                           int panels);
/// The records that both count: of 32 columns of bf16, else the scheme's.
int64_t tileRecords(const quant::QuantScheme &, int64_t k);
/// What both need of scratch.
int64_t tileScratchBytes(const quant::QuantScheme &, const Isa &);

/// base, base + stride, ...: so many rows or panels.
Values addressesOf(Emitter &, mlir::Value base, mlir::Value stride, int count);
/// The lines of one of a record's chunks, as if each had as many of them: together they are the record.
void prefetchChunk(Emitter &, const Isa &, mlir::Value record, mlir::Value chunk, int64_t recordBytes,
                   int64_t chunks);

/// epilogue(sums, up sums, sums stride, bias, up bias, residual, y, y stride, rows, panels). Shared as well.
mlir::LLVM::LLVMFuncOp emitEpilogue(Emitter &, mlir::ModuleOp, const LinearSpec &, const Isa &);

} // namespace llmc::cpu
#endif
