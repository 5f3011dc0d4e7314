//===- Linear.h - matrix products on a GPU ----------------------*- C++ -*-===//
//
// The kernels of a emit::LinearSpec whose weights a GPU multiplies in their packed panels. One arithmetic for
// every number of rows:
//   1. A row of x is normed, multiplied by a power of two that brings its largest number near the end of f16,
//      and cut into planes of 16 bits: what is left by the first one's rounding is the second one.
//   2. K is cut into slices, slices into chunks. A chunk's products are those of matrix instructions, weights
//      as A, tokens as columns of B. Integers are multiplied as such; their group's scale and minimum are
//      applied to its sum in f32, groups ascending.
//   3. The sums of slices are added, ascending, and the epilogue follows.
// Few rows: one launch whose warps take a slice each. More: one that packs the planes of all rows, one whose
// warps walk all slices. Neither changes a bit, since no row meets another.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_CUDA_KERNELS_LINEAR_H
#define LLMC_CODEGEN_CUDA_KERNELS_LINEAR_H

#include "codegen/DeviceTarget.h"
#include "codegen/cuda/Warp.h"
#include "codegen/emit/Specs.h"

namespace llmc::cuda {

/// Whether there is a kernel for it: all weights of one scheme that it knows.
bool hasLinear(const emit::LinearSpec &spec);
/// Bytes a row of the packed activations.
int64_t linearPackedRowBytes(const emit::LinearSpec &spec);
/// Emits the entries of all launches, in dialects that emit::buildKernelLoweringPipeline lowers.
codegen::DeviceKernel emitLinear(mlir::ModuleOp module, llvm::StringRef name, const emit::LinearSpec &spec);

namespace linear {

constexpr int64_t tileTokens = 8;                // columns of a matrix instruction
constexpr int64_t fewRows = 16;                  // up to so many take the one launch
constexpr int64_t warpPanels = 2, warpRows = 32; // whose products a warp computes
constexpr int64_t largeWarps = 4;                // of a block that takes many rows
constexpr int64_t statisticsBytes = 16;          // of a row: mean, inverse, scale and one over it, in f32
constexpr int64_t sharedLimit = mostSharedBytes - 2048; // the rest is for what rows need beside tiles

/// The numbers that both forms agree on.
struct Plan {
  explicit Plan(const emit::LinearSpec &spec);

  const emit::LinearSpec &spec;
  const quant::QuantScheme &scheme;
  MatrixType type;
  int64_t planes;         // of 16 bits, of an activation
  int64_t columns;        // of a chunk
  int64_t chunks, slices; // chunk c is of slice s if chunks * s / slices <= c < chunks * (s + 1) / slices
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
  int64_t packedRowBytes() const { return emit::roundUp(chunks * tokenBytes() + statisticsBytes, 64); }
  bool isScaled() const { return type == MatrixType::F16; }
  bool hasStatistics() const { return isScaled() || spec.norm != emit::Norm::None; }
  int64_t threads() const { return warpLanes * slices; }

  // Arguments of the kernel.
  int64_t gain() const { return 1; }
  int64_t normBias() const { return gain() + spec.normGain; }
  int64_t weight(int64_t i) const { return normBias() + spec.normBias + i; }
  int64_t bias(int64_t i) const { return weight(spec.weights.size()) + i; }
  int64_t residual() const { return bias(spec.bias ? spec.weights.size() : 0); }
  int64_t output(int64_t i) const { return residual() + spec.residual + i; }
  int64_t packed() const { return output(outputs()); }
};

/// Rows of x on their way to planes (LinearRows.cpp).
struct Rows {
  emit::Emitter &e;
  const Plan &plan;
  mlir::Value x, gain, normBias; // addresses; null where there is none

  Rows(emit::Emitter &e, const Plan &plan, const emit::KernelArguments &arguments);
  /// Writes the statistics of `count` (at most fewRows) rows from `first` on to `statistics` in shared
  /// memory. By all threads of a block of plan.threads(), which meet at its end.
  void statistics(mlir::ModuleOp module, mlir::Value first, mlir::Value count, mlir::Value statistics);
  /// The planes of four columns of a row, each four i16.
  emit::Values planes(mlir::Value row, mlir::Value quad, mlir::Value statistics);
  /// Puts planes of a chunk's quad where matrix instructions look for them.
  void store(mlir::ValueRange planes, mlir::Value chunk, mlir::Value quad);

private:
  mlir::Value load(mlir::Value vector, mlir::Value quad);
  mlir::Value gained(mlir::Value four, mlir::Value quad);
  emit::Values reduced(mlir::Value four, mlir::Value quad, mlir::ValueRange carried);
  void keep(mlir::ValueRange reduced, mlir::Value statistics);
};

/// What a block computes: rows of one output.
struct Target {
  mlir::Value rowBlock;          // of warpRows (few rows) or largeWarps * warpRows
  mlir::Value panels, rowStride; // of the output; bytes
  emit::Values weights, biases;  // addresses
  mlir::Value residual, output;
};
Target targetOf(emit::Emitter &e, const Plan &plan, const emit::KernelArguments &arguments, int64_t warps);
/// Blocks in x, of `warps` times warpRows rows each.
int64_t blocksOf(const Plan &plan, int64_t warps);

/// A warp's two panels of each weight of an output (LinearWeights.cpp).
class Panels {
public:
  Panels(emit::Emitter &e, const Plan &plan, const Target &target);
  /// Begins to copy a chunk to shared memory, to plan.slotBytes().
  void copy(mlir::Value chunk, mlir::Value to) const;

private:
  emit::Emitter &e;
  const Plan &plan;
  llvm::SmallVector<std::array<mlir::Value, warpPanels>> addresses; // of each weight
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

/// Bias, activation, gate, scale and residual of finished sums, one for each weight of an output, times
/// `inverseScale` (null: 1). They are of `row` of the output, or four of them from there on.
void storeResult(emit::Emitter &e, const Plan &plan, const Target &target, mlir::ValueRange sums,
                 mlir::Value inverseScale, mlir::Value row, mlir::Value token);

codegen::DeviceLaunch emitFewRows(mlir::ModuleOp module, llvm::StringRef name, const Plan &plan,
                                  int64_t tiles);
codegen::DeviceLaunch emitPack(mlir::ModuleOp module, llvm::StringRef name, const Plan &plan);
codegen::DeviceLaunch emitManyRows(mlir::ModuleOp module, llvm::StringRef name, const Plan &plan);

} // namespace linear
} // namespace llmc::cuda
#endif
