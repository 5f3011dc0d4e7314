//===- AttentionRows.h - rows of q, k, v and what they become ---*- C++ -*-===//
//
// Everything around the arithmetic of attention (AttentionUnit.h): where the cache is, the norms and the
// rotation of queries and keys, what is appended, what is written. By the threads of a block together.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_CUDA_KERNELS_ATTENTIONROWS_H
#define LLMC_CODEGEN_CUDA_KERNELS_ATTENTIONROWS_H

#include "codegen/cuda/kernels/AttentionShape.h"
#include "codegen/cuda/kernels/WarpEmitter.h"
#include "codegen/emit/KVPool.h"
#include "codegen/emit/KVStore.h"

namespace llmc::cuda {

class AttentionRows {
public:
  using Value = mlir::Value;
  /// Reads the kernel's arguments; in an entry's first block.
  AttentionRows(WarpEmitter &e, const AttentionShape &shape, const emit::KernelArguments &arguments);

  Value tid, lane, warp; // i32
  Value count;           // rows of the step, i32

  /// A row of the step: sequence and position, i32.
  struct Token {
    Value sequence, position;
  };
  Token token(Value row);
  /// The first position that is visible from `position`.
  Value oldest(Value position);

  /// The kv head's keys and values in the page with this unit of the sequence, and the unit's number in it.
  struct Unit {
    Value keys, values, inPage;
  };
  Unit unit(Value sequence, Value kvHead, Value number);

  /// A head of q or k, and what its numbers are multiplied by before the rotation; null where there is none.
  struct Head {
    Value numbers, inverseRoot, gain;
  };
  bool hasNorms() const { return shape.spec.headNorms; }
  /// Heads are normed by all lanes of a warp.
  Head queryHead(Value row, Value head) { return normed(query(row, head), gainQ); }
  Head keyHead(Value row, Value kvHead) { return normed(key(row, kvHead), gainK); }

  /// A piece of work in rotating a head: put(d, element d) of a pair, or of a dimension that stays.
  using Put = llvm::function_ref<void(Value d, Value element)>;
  int64_t pieces() const { return shape.spec.dimK - shape.spec.ropeDims / 2; }
  void rotate(const Head &head, Value position, Value piece, Put put);

  /// Writes the normed and rotated key and the value of a row to the cache. `scratch`: shared memory of
  /// scratchBytes(). All threads of the block come here; what is written is seen after their next meeting.
  void append(Value row, const Token &token, Value kvHead, Value scratch);
  static int64_t scratchBytes(const AttentionShape &shape) { return 4 * emit::roundUp(shape.spec.dimK, 32); }

  /// Writes o / l, some dimensions of a query's output from `dimension` on; those beyond the last are left
  /// out.
  void write(Value row, Value head, Value dimension, Value o, Value m, Value l);
  /// Zeros behind the last head of a row, by the lanes of a warp.
  void writePadding(Value row);

private:
  Value query(Value row, Value head) { return rowOf(q, row, head, shape.spec.heads, shape.spec.dimK); }
  Value key(Value row, Value kvHead) { return rowOf(k, row, kvHead, shape.spec.kvHeads, shape.spec.dimK); }
  Head normed(Value numbers, Value gain);
  Value rowOf(Value rows, Value row, Value head, int64_t heads, int64_t dim) {
    return e.at(rows,
                e.add(e.mul(e.widen(row), emit::rowStride(heads * dim)), e.mul(e.widen(head), 4 * dim)));
  }
  void storeRow(llvm::function_ref<Value(Value d)> element, int64_t dim, int64_t groups,
                llvm::function_ref<Value(Value d)> place, llvm::function_ref<Value(Value group)> scalePlace);

  WarpEmitter &e;
  const AttentionShape &shape;
  emit::KVStore store;
  emit::KVPool pool;
  Value q, k, v, y, sinks, gainQ, gainK, frequencies, window, tokens;
};

} // namespace llmc::cuda
#endif
