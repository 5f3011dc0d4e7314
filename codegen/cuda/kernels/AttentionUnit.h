//===- AttentionUnit.h - a warp's queries against 32 keys -------*- C++ -*-===//
//
// The one place with the arithmetic of attention on a GPU; it is that of a page on a CPU (AttentionPage.h).
// For each query of a warp:
//   1. s = q . k * scale, dimensions in order, a key a lane; soft cap
//   2. m = max s, p = exp(s - m), l = sum of p, over the keys that the query sees
//   3. o = sum of p v, keys in order, some dimensions of the value a lane
// Keys and values come through two stages of shared memory, the next part while one is worked on.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_CUDA_KERNELS_ATTENTIONUNIT_H
#define LLMC_CODEGEN_CUDA_KERNELS_ATTENTIONUNIT_H

#include "codegen/cuda/kernels/AttentionShape.h"
#include "codegen/cuda/kernels/WarpEmitter.h"
#include "codegen/emit/KVStore.h"

namespace llmc::cuda {

using emit::Values;

/// Maximum, sum and outputs of the keys seen so far, of each query.
struct AttentionSums {
  Values m, l; // of each query
  Values o;    // [query][vector] of AttentionShape

  /// All of them in this order, as loops carry them, and back.
  Values flat() const;
  static AttentionSums of(mlir::ValueRange values, int64_t queries);
};

/// m = max(m, m'), l = l exp(m_old - m) + l' exp(m' - m); o follows with the same factors. Where `isSeen` is
/// false the new ones are those of no key.
struct AttentionMerge {
  using Value = mlir::Value;
  AttentionMerge(WarpEmitter &e, Value m, Value l, Value newM, Value newL, Value isSeen);
  Value outputs(WarpEmitter &e, Value o, Value newO) const;
  Value m, l, oldFactor, newFactor;
};

/// Who copies: the lanes of a warp, or the threads of a block.
struct AttentionCopier {
  mlir::Value lane; // i32
  int64_t lanes;
  AttentionShape::Stages stage;
  mlir::Value stages, scales; // of shared memory: two stages; scales of a unit's keys, then of its values
  static int64_t scaleBytes(const AttentionShape &shape) { return 2 * shape.scaleBytes(); }
  std::function<void()> meet;
};

class AttentionUnit {
public:
  using Value = mlir::Value;
  /// For `rows` queries.
  AttentionUnit(WarpEmitter &e, const AttentionShape &shape, int64_t rows);

  /// Floats from one dimension of the queries, and from one key of their probabilities, to the next.
  int64_t stride() const { return pad; }

  struct Range {
    Value from, to; // keys of the unit, or positions, i32
    /// Whether any of [base, base + count) is among them.
    Value overlaps(WarpEmitter &e, Value base, int64_t count) const;
  };
  /// Addresses of a unit's keys, values and scales in its page.
  struct Place {
    Value keys, values, keyScales, valueScales;
  };
  Place placeOf(Value headKeys, Value headValues, Value unitInPage);

  /// `queries`: shared floats [dimension][stride()]; `probabilities`: the warp's shared floats
  /// [key][stride()]. `seen`: of each query; `needed`: all that any query of the copiers sees.
  AttentionSums run(const AttentionCopier &copier, const Place &place, Value queries, Value probabilities,
                    llvm::ArrayRef<Range> seen, Range needed);
  AttentionSums empty();
  AttentionSums merge(const AttentionSums &sums, const AttentionSums &added, llvm::ArrayRef<Value> isSeen);

  /// The dimension that vector `i` of a lane begins with; lanes beyond the last one share it.
  Value dimension(Value lane, int64_t i, bool isLimited = true);

private:
  void copyKeys(const AttentionCopier &copier, const Place &place, Value number, Value stage);
  void copyValues(const AttentionCopier &copier, const Place &place, Value number, Value stage);
  void copyScales(const AttentionCopier &copier, const Place &place);
  /// Pieces of 16 bytes, dealt to the copiers.
  void copy(const AttentionCopier &copier, int64_t pieces, Value to,
            llvm::function_ref<Value(Value piece)> from,
            llvm::function_ref<Value(Value piece)> exists = nullptr);
  Value stageOf(const AttentionCopier &copier, Value number);
  Values scoreStage(const AttentionCopier &copier, Value stage, Value number, Value to, Value queries,
                    mlir::ValueRange sums);
  Values weighKeys(const AttentionCopier &copier, Value stage, Value stageKey, Range keys,
                   Value probabilities, mlir::ValueRange sums);
  Value floats(Value address);
  mlir::Type lanesType(mlir::Type element);

  WarpEmitter &e;
  const AttentionShape &shape;
  emit::KVStore store;
  const int64_t rows, pad;
  Value laneInWarp;
};

} // namespace llmc::cuda
#endif
