//===- Warp.h - what the kernels of a GPU are made of -----------*- C++ -*-===//
//
// Threads, warps and blocks; asynchronous copies into shared memory; matrix instructions; atomic steps. Ops
// of the gpu dialect, of NVVM where that has none, and of LLVM's own. The emulator must know what they lower
// to (codegen/simt/IntrinsicTable.cpp), too.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_CUDA_WARP_H
#define LLMC_CODEGEN_CUDA_WARP_H

#include "codegen/emit/KernelArguments.h"

namespace llmc::cuda {

constexpr int64_t warpLanes = 32;
/// Address spaces, and the shared memory that a block may declare on every GPU.
constexpr unsigned globalSpace = 1, sharedSpace = 3;
constexpr int64_t mostSharedBytes = 48 << 10;

enum class Axis { X, Y, Z };
/// The thread's number in its block (of threads in a row), the block's along an axis of the grid, and how
/// many there are: as i64, or as the i32 that it is.
mlir::Value threadNumber(emit::Emitter &e, unsigned bits = 64);
mlir::Value threadCount(emit::Emitter &e);
mlir::Value blockNumber(emit::Emitter &e, Axis axis, unsigned bits = 64);
mlir::Value blockCount(emit::Emitter &e, Axis axis, unsigned bits = 64);
/// The thread's number in its warp, and that of the warp in its block, as i64.
mlir::Value laneNumber(emit::Emitter &e);
mlir::Value warpNumber(emit::Emitter &e);

/// All threads of the block meet; what they wrote before is seen by all.
void meet(emit::Emitter &e);
/// All lanes of the warp meet, likewise.
void meetWarp(emit::Emitter &e);

/// The f32 or i32 of the lane whose number differs in the bits of `mask`. All lanes of the warp take part.
mlir::Value shuffleXor(emit::Emitter &e, mlir::Value value, int64_t mask);
/// Over all lanes, or over each group of `width` neighbours (a power of two): pairs, then pairs of pairs, the
/// same in every lane.
mlir::Value sumOfLanes(emit::Emitter &e, mlir::Value value, int64_t width = warpLanes);
mlir::Value maxOfLanes(emit::Emitter &e, mlir::Value value, int64_t width = warpLanes);
/// A bit of an i32 for each lane whose condition holds.
mlir::Value ballot(emit::Emitter &e, mlir::Value condition);
/// An i32 of each lane, folded in one instruction: "min", "max", "umax".
mlir::Value reduceInts(emit::Emitter &e, llvm::StringRef operation, mlir::Value i32);

/// Begins to copy 16 bytes from global to shared memory, both 16-byte aligned, past the first cache.
void copyAsync(emit::Emitter &e, mlir::Value toShared, mlir::Value from);
/// Closes a group of this thread's copies.
void commitCopies(emit::Emitter &e);
/// Waits until all but the last `pending` groups of this thread have arrived. Others see them after a
/// meeting.
void waitForCopies(emit::Emitter &e, int64_t pending);

/// Four matrices of 8 x 8 numbers of 16 bits; lane l gives the address (16-byte aligned) of row l % 8 of
/// matrix l / 8 and gets, as an i32 for each matrix, columns 2 (l % 4) and the next of row l / 4.
emit::Values loadMatrices(emit::Emitter &e, mlir::Value sharedRow);

/// What this thread knows of memory, it tells with its next atomic operation to whoever finds that at the
/// same place and passes such a fence; likewise all that the block's threads wrote before they met.
void passFence(emit::Emitter &e);
/// One atomic step of the i32 in global memory: from `last` (a constant) to 0, else up by one. What it was.
mlir::Value countUp(emit::Emitter &e, mlir::Value counter, int64_t last);

enum class MatrixType { F16, BF16 };
/// c + a b of the warp, a 16 x 16, b 16 x 8 in numbers of 16 bits, c 16 x 8 in f32. With g = lane / 4 and
/// t = lane % 4 a lane holds
///   a: four i32, each columns 2t and 2t + 1 (the first two) or 8 + 2t and 9 + 2t, of rows g and 8 + g in
///   turn; b: two i32, rows 2t and 2t + 1 or 8 + 2t and 9 + 2t of column g; c: four f32, columns 2t and 2t +
///   1 of row g, then of row 8 + g.
emit::Values multiplyMatrices(emit::Emitter &e, MatrixType type, mlir::ValueRange a, mlir::ValueRange b,
                              mlir::ValueRange c);

} // namespace llmc::cuda
#endif
