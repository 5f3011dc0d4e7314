//===- TileRows.h - rows times two panels, in tiles -------------*- C++ -*-===//
//
// The innermost product of everything that runs in tiles: A is packed (below), B are tiles, and the products
// are added to sums in f32, columns ascending. A sum does not depend on how many rows there are.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_CPU_KERNELS_TILEROWS_H
#define LLMC_CODEGEN_CPU_KERNELS_TILEROWS_H

#include "codegen/cpu/Entry.h"
#include "codegen/cpu/isa/Isa.h"

namespace llmc::cpu {

/// rows(x, x stride, skipped, rows, tiles, bytes of one panel's tiles, chunks, sums, sums stride): for each
/// of the rows 32 sums, of two panels of 16 columns.
///
/// x: blocks of 16 rows, the last one of what is left. A whole block takes 16 * x stride bytes; in a block of
/// n rows, chunk c of 32 numbers stands at 64 n c: the rows' 64 bytes. Of each row, the first `skipped` bytes
/// are passed over. tiles: `chunks` tiles of each of the panels.
mlir::LLVM::LLVMFuncOp emitTileRows(Emitter &, mlir::ModuleOp, const Isa &);

/// A function of a name of its own in the module, for all kernels that use tiles: `pointers` among `count`
/// arguments, the others are i64.
mlir::LLVM::LLVMFuncOp tileFunction(Emitter &, mlir::ModuleOp, const Isa &, const llvm::Twine &name,
                                    int64_t count, llvm::ArrayRef<int64_t> pointers,
                                    llvm::function_ref<void(mlir::ValueRange)> body);

} // namespace llmc::cpu
#endif
