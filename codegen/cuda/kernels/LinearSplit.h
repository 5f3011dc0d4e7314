//===- LinearSplit.h - sums of slices of several blocks ---------*- C++ -*-===//
//
// Where K is cut between blocks each leaves its sums in memory, and the last one of those with the same rows
// (a group) adds them up. Who is the last one a counter tells.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_CUDA_KERNELS_LINEARSPLIT_H
#define LLMC_CODEGEN_CUDA_KERNELS_LINEARSPLIT_H

#include "codegen/cuda/kernels/Linear.h"

namespace llmc::cuda::linear {

class Split {
public:
  /// `group`, `slice`: of this block, which has so many warps. `rows` of the step, at most fewRows.
  Split(emit::Emitter &e, const Plan &plan, const emit::KernelArguments &arguments, int64_t warps,
        mlir::Value group, mlir::Value slice, mlir::Value rows);

  /// Rows of KEYS may be more than tokens, and memory in common is measured by those.
  static bool isWorth(const Plan &plan, int64_t warps) {
    return plan.slices > 1 && plan.spec.rowSpace != LLMC_ROWS_KEYS &&
           rowBlocks(plan, warps) <= plan.mostGroups;
  }
  /// Of the memory that blocks have in common.
  static int64_t bytesPerRow(const Plan &plan, int64_t warps) {
    return rowBlocks(plan, warps) * plan.slices * recordBytes(plan, warps);
  }

  /// What a warp has summed: [weight][tile] totals.
  void store(const Target &ofWarp, mlir::ValueRange totals);
  /// By one thread, of a row that has a factor.
  void storeSquares(mlir::Value token, mlir::Value squares);
  /// By all threads of the block, behind both.
  void finish(mlir::ModuleOp module, const Target &target, Rows &x);

private:
  /// A record is of a block and row of x: sums [weight][row of the output], the squares of the slice.
  static int64_t recordBytes(const Plan &plan, int64_t warps) { return squaresOffset(plan, warps) + 16; }
  static int64_t squaresOffset(const Plan &plan, int64_t warps) {
    return plan.weights * warps * warpRows * 4;
  }
  mlir::Value record(mlir::Value slice, mlir::Value token);
  mlir::Value isLast(mlir::ModuleOp module);
  mlir::Value sumOfSlices(mlir::Type type, mlir::Value token, mlir::Value offset);
  void addUp(mlir::ModuleOp module, const Target &target, Rows &x);

  emit::Emitter &e;
  const Plan &plan;
  const int64_t warps;
  mlir::Value common, counter, group, slice, rows;
};

} // namespace llmc::cuda::linear
#endif
