//===- AttentionQueries.h - the queries that a block works on ---*- C++ -*-===//
//
// A block's shared memory: normed and rotated queries, what each of them sees, room for probabilities and for
// keys and values on their way in.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_CUDA_KERNELS_ATTENTIONQUERIES_H
#define LLMC_CODEGEN_CUDA_KERNELS_ATTENTIONQUERIES_H

#include "codegen/cuda/kernels/AttentionRows.h"
#include "codegen/cuda/kernels/AttentionUnit.h"

namespace llmc::cuda {

class AttentionQueries {
public:
  using Value = mlir::Value;
  /// `sets` sets of up to shape.rows queries each, and stages for `copiers` copiers.
  AttentionQueries(WarpEmitter &e, mlir::ModuleOp module, const std::string &name,
                   const AttentionShape &shape, AttentionRows &rows, int64_t sets, int64_t copiers,
                   int64_t stageBytes);
  static int64_t sharedBytes(const AttentionShape &shape, int64_t sets, int64_t copiers, int64_t stageBytes);

  /// The token of a query: its row of the step, and its position.
  struct Owner {
    Value row, position;
  };
  /// Fills the sets with queries [first, first + sets * perSet) of those that `total` counts: number i is
  /// head i % group of token i / group. All threads come here; they must meet before and after it.
  void fill(Value kvHead, Value first, Value total, int64_t perSet,
            llvm::function_ref<Owner(Value token)> owner);

  /// What query `number` of a set sees of keys [base, base + 32).
  AttentionUnit::Range seen(Value set, int64_t perSet, Value number, Value base);
  /// The positions that it sees.
  AttentionUnit::Range positions(Value set, int64_t perSet, Value number);

  Value queriesOf(Value set, int64_t perSet) {
    return e.at(queries, e.mul(set, shape.spec.dimK * 4 * powerOfTwo(perSet)));
  }
  Value probabilitiesOf(Value warp) {
    return e.at(probabilities, e.mul(warp, AttentionShape::unitKeys * 4 * powerOfTwo(shape.rows)));
  }
  AttentionCopier copier(Value number, Value lane, int64_t lanes, std::function<void()> meet);

private:
  WarpEmitter &e;
  const AttentionShape &shape;
  AttentionRows &rows;
  const int64_t sets;
  AttentionShape::Stages stage;
  Value queries, visible, probabilities, stages, scales;
};

// Of the launches that use them.
int64_t splitSharedBytes(const AttentionShape &shape);
int64_t promptSharedBytes(const AttentionShape &shape);

} // namespace llmc::cuda
#endif
