//===- Linear.h - matrix products on a GPU ----------------------*- C++ -*-===//
//
// The kernels of an emit::LinearSpec whose weights a GPU multiplies in their packed panels. One arithmetic
// for every number of rows:
//   1. K is cut into slices of at most 512 columns. A row's slice is multiplied by the gain and by a power of
//      two that brings its largest number near the end of f16, or to about 1 for bf16, and cut into planes of
//      16 bits: what is left by the first one's rounding is the second one. An RMSNorm's factor comes last,
//      with the epilogue, so that nobody needs the whole row before; a LayerNorm comes first.
//   2. Slices are cut into chunks. A chunk's products are those of matrix instructions, weights as A and
//      tokens as columns of B. Integers are multiplied as such; their group's scale and minimum are applied
//      to its sum in f32, groups ascending.
//   3. The sums of slices, each over its power of two, are added, ascending, and the epilogue follows.
// Few rows: one launch, whose blocks take a slice each, or all where there are blocks enough. More: one that
// packs the planes of all rows, one whose warps walk all slices. No way changes a bit, since no row meets
// another.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_CUDA_KERNELS_LINEAR_H
#define LLMC_CODEGEN_CUDA_KERNELS_LINEAR_H

#include "codegen/DeviceTarget.h"
#include "codegen/cuda/Warp.h"
#include "codegen/emit/Specs.h"
#include "runtime/include/llmc/module_abi.h"

namespace llmc::cuda {

/// Whether there is a kernel for it: all weights of one scheme that it knows.
bool hasLinear(const emit::LinearSpec &spec);
/// Bytes a row of the packed activations.
int64_t linearPackedRowBytes(const emit::LinearSpec &spec);
/// So many groups of rows may have K split between blocks: they have a counter each, and more groups are
/// blocks enough.
constexpr int64_t mostSplitGroups = LLMC_DEVICE_COUNTERS;
/// Emits the entries of all launches, in dialects that buildGpuLowering lowers.
/// `mostGroups`: as above; fewer change no bit.
codegen::DeviceKernel emitLinear(mlir::ModuleOp module, llvm::StringRef name, const emit::LinearSpec &spec,
                                 int64_t mostGroups = mostSplitGroups);

namespace linear {

constexpr int64_t tileTokens = 8;                       // columns of a matrix instruction
constexpr int64_t fewRows = 16;                         // up to so many take the one launch
constexpr int64_t warpPanels = 2, warpRows = 32;        // whose products a warp computes
constexpr int64_t largeWarps = 4;                       // of a block that takes many rows
constexpr int64_t sliceColumns = 512;                   // at most
constexpr int64_t roundColumns = 4 * warpLanes;         // that a warp cuts into planes at a time
constexpr int64_t sharedLimit = mostSharedBytes - 2048; // the rest is for what rows need beside tiles

/// The numbers that both forms agree on.
struct Plan {
  explicit Plan(const emit::LinearSpec &spec, int64_t mostGroups = mostSplitGroups);

  const emit::LinearSpec &spec;
  const int64_t mostGroups;
  const quant::QuantScheme &scheme;
  MatrixType type;
  int64_t planes;         // of 16 bits, of an activation
  int64_t columns;        // of a chunk
  int64_t chunks, slices; // chunk c is of slice s if firstChunk(s) <= c < firstChunk(s + 1)
  int64_t weights;        // of an output: 2 if it is gated

  int64_t outputs() const { return spec.weights.size() / weights; }
  int64_t width(int64_t output) const { return spec.weights[output * weights].n; }
  int64_t panels(int64_t output) const { return scheme.panels(width(output)); }
  int64_t panelBytes() const { return scheme.panelBytes(spec.k); }
  int64_t chunkBytes() const { return columns / scheme.recordValues * scheme.recordBytes; } // of a panel
  int64_t groups() const { return columns / 32; }                                           // of a chunk
  int64_t pairBytes() const { return warpPanels * chunkBytes(); }
  int64_t slotBytes() const { return weights * pairBytes(); } // a warp's weights of a chunk
  int64_t planeBytes() const { return 2 * columns; }
  int64_t tokenBytes() const { return planes * planeBytes(); } // of a chunk
  /// From token to token in shared memory: rows of matrices of eight tokens lie in different banks.
  int64_t tokenStride() const { return tokenBytes() + 16; }
  /// A packed row: planes, one over the power of two of each slice, the norm's factor.
  int64_t packedScales() const { return chunks * tokenBytes(); }
  int64_t packedFactor() const { return packedScales() + 4 * slices; }
  int64_t packedRowBytes() const { return emit::roundUp(packedFactor() + 4, 64); }
  mlir::Value firstChunk(emit::Emitter &e, mlir::Value slice) const;
  int64_t roundChunks() const { return roundColumns / columns; }
  /// Of the longest slice: how often each lane takes four columns.
  int64_t rounds() const { return ((chunks + slices - 1) / slices + roundChunks() - 1) / roundChunks(); }
  bool hasFactor() const { return spec.norm == emit::Norm::Rms; }

  // Arguments of the kernel.
  int64_t gain() const { return 1; }
  int64_t normBias() const { return gain() + spec.normGain; }
  int64_t weight(int64_t i) const { return normBias() + spec.normBias + i; }
  int64_t bias(int64_t i) const { return weight(spec.weights.size()) + i; }
  int64_t residual() const { return bias(spec.bias ? spec.weights.size() : 0); }
  int64_t output(int64_t i) const { return residual() + spec.residual + i; }
  int64_t packed() const { return output(outputs()); }
};

/// Rows of x on their way to planes (LinearRows.cpp). All is done by a warp together, so that neither the
/// number of warps nor that of rows changes a bit.
struct Rows {
  emit::Emitter &e;
  const Plan &plan;
  mlir::Value x, gain, normBias; // addresses; null where there is none

  Rows(emit::Emitter &e, const Plan &plan, const emit::KernelArguments &arguments);
  /// A LayerNorm's mean and one over the deviation; empty for others.
  emit::Values layerNorm(mlir::Value row);

  /// A row's slice: in round i a lane has columns 4 (32 i + lane) to + 3 of it.
  struct Slice {
    emit::Values fours;                       // f32, normed but for the factor; zeros beyond the slice
    mlir::Value scale, inverseScale, squares; // the power of two and one over it; null if there is no factor
  };
  Slice load(mlir::Value row, mlir::Value slice, mlir::ValueRange layerNorm);
  /// Four columns times the power of two as planes, each four i16.
  emit::Values planes(mlir::Value four, mlir::Value scale);
  /// Puts planes of a chunk's quad where matrix instructions look for them.
  void store(mlir::ValueRange planes, mlir::Value chunk, mlir::Value quad);
  /// Of a round's chunk and quad in it, that this lane has.
  mlir::Value chunkOfRound();
  mlir::Value quadOfChunk();
  /// The factor of a row with these squares.
  mlir::Value factor(mlir::Value squares);

private:
  mlir::Value load(mlir::Value vector, mlir::Value quad);
};

/// What a block computes: rows of one output.
struct Target {
  mlir::Value rowBlock;          // of a block's rows, or of a warp's
  mlir::Value panels, rowStride; // of the output; bytes
  emit::Values weights, biases;  // addresses
  mlir::Value residual, output;
};
/// Of the block with this number among rowBlocks().
Target targetOf(emit::Emitter &e, const Plan &plan, const emit::KernelArguments &arguments, mlir::Value block,
                int64_t warps);
/// Blocks of `warps` times warpRows rows each, of all outputs.
int64_t rowBlocks(const Plan &plan, int64_t warps);
/// The same target for this warp of the block.
Target ofWarp(emit::Emitter &e, Target target, int64_t warps);

/// A warp's two panels of each weight of an output (LinearWeights.cpp).
class Panels {
public:
  Panels(emit::Emitter &e, const Plan &plan, const Target &target);
  /// Begins to copy a chunk, if it is before `end`, to plan.slotBytes() of shared memory.
  void copy(mlir::Value chunk, mlir::Value end, mlir::Value to) const;
  /// If not, the last block has fewer rows, and this warp none of them.
  mlir::Value haveRows() const { return isThere; }

private:
  emit::Emitter &e;
  const Plan &plan;
  mlir::Value isThere;
  llvm::SmallVector<std::array<mlir::Value, warpPanels>> addresses; // of each weight
  void copyChunk(mlir::Value chunk, mlir::Value to) const;
};

/// What a lane has of 32 columns of two panels: rows 4g to 4g + 3 of their 32, with g = lane / 4.
struct Fragments {
  emit::Values a[2][2];         // [step of 16 columns][pair of rows]
  mlir::Value scales, minimums; // four f32; null where there are none
};
/// Of `group` number of the chunk's 32 columns.
Fragments loadFragments(emit::Emitter &e, const Plan &plan, mlir::Value chunk, mlir::Value group);
/// [plane]: B of eight tokens, two steps.
using Matrices = llvm::SmallVector<emit::Values>;
Matrices loadTokens(emit::Emitter &e, const Plan &plan, mlir::Value tokens, mlir::Value group);
/// A lane's sums of 4 rows (as in Fragments) and 2 tokens, 2t and 2t + 1 with t = lane % 4: two pairs of
/// rows, each as multiplyMatrices leaves them.
constexpr int64_t laneSums = 8;
/// sums + the products of 32 columns.
emit::Values multiply(emit::Emitter &e, const Plan &plan, const Fragments &weights, const Matrices &tokens,
                      mlir::ValueRange sums);
/// Carries sums over the groups of a chunk.
emit::Values overGroups(emit::Emitter &e, const Plan &plan, mlir::ValueRange sums,
                        llvm::function_ref<void(mlir::Value group, emit::Values &sums)> body);
/// The four rows' sums of the first or the second token.
mlir::Value sumsOfToken(emit::Emitter &e, mlir::ValueRange sums, int64_t token);

/// totals + sums over the power of two of their slice; `inverseScale(token)` is of the tokens of all tiles.
emit::Values addSlice(emit::Emitter &e, const Plan &plan, mlir::ValueRange totals, mlir::ValueRange sums,
                      llvm::function_ref<mlir::Value(mlir::Value token)> inverseScale);
/// Calls for each two of a lane's tokens: their tile, which of the two, its number among the tiles' tokens.
void forEachToken(emit::Emitter &e, int64_t tiles,
                  llvm::function_ref<void(int64_t tile, int64_t which, mlir::Value token)> body);

/// Bias, activation, gate, scale and residual of finished sums, one for each weight of an output, times
/// `factor` (null: 1). They are of `row` of the output, or four of them from there on.
void storeResult(emit::Emitter &e, const Plan &plan, const Target &target, mlir::ValueRange sums,
                 mlir::Value factor, mlir::Value row, mlir::Value token);
/// The same of all that a warp has summed: [weight][tile] totals. `factor(token)`: null if there is none;
/// tokens are those of the tiles, of which there are `count`, the first one is `firstToken` of the output.
void storeTotals(emit::Emitter &e, const Plan &plan, const Target &ofWarp, mlir::ValueRange totals,
                 mlir::Value firstToken, mlir::Value count,
                 llvm::function_ref<mlir::Value(mlir::Value token)> factor);

/// `commonPerRow`: raised to what its blocks have in common.
codegen::DeviceLaunch emitFewRows(mlir::ModuleOp module, llvm::StringRef name, const Plan &plan,
                                  int64_t tiles, uint64_t &commonPerRow);
codegen::DeviceLaunch emitPack(mlir::ModuleOp module, llvm::StringRef name, const Plan &plan);
codegen::DeviceLaunch emitManyRows(mlir::ModuleOp module, llvm::StringRef name, const Plan &plan);

} // namespace linear
} // namespace llmc::cuda
#endif
