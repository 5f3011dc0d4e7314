//===- KVStore.h - reading and writing the numbers of a page ----*- C++ -*-===//
//
// `head` is the address of a kv head's keys or values in a page (KVStorage.h). What is read is exactly what
// is stored; what is written is rounded once, to nearest.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_EMIT_KVSTORE_H
#define LLMC_CODEGEN_EMIT_KVSTORE_H

#include "codegen/emit/KVStorage.h"
#include "codegen/emit/KernelArguments.h"

namespace llmc::emit {

class KVStore {
public:
  using Value = mlir::Value;
  using ValueRange = mlir::ValueRange;
  KVStore(Emitter &e, const KVLayout &layout) : e(e), layout(layout), type(*layout.type) {}

  /// Writes the scales of a page's values to `place` as f32, for values() to read them there: once for all
  /// instead of one by one. Nothing where numbers have no scales.
  void widenValueScales(Value head, Value place);
  /// From now on, what is `ahead` bytes from keys and values that are read is prefetched.
  void prefetchAhead(Value bytes, int level) { ahead = bytes, aheadLevel = level; }

  /// For each dimension in order, `atOnce` (1 or 2, which divides them) at once: body(d, of each dimension
  /// the first `vectors` vectors of 16 keys, what is carried).
  using DimensionBody = llvm::function_ref<Values(Value d, llvm::ArrayRef<Value> keys, ValueRange carried)>;
  Values forEachDimension(Value head, int64_t vectors, int64_t atOnce, ValueRange carried,
                          DimensionBody body);
  /// 16 dimensions of the value at `slot`, `offset` columns behind `column`, a multiple of 16.
  Value values(Value head, Value slot, Value column, int64_t offset);

  /// One number.
  Value key(Value head, Value slot, Value d);
  Value value(Value head, Value slot, Value d);

  /// Writes a row of floats as the key or value at `slot`.
  void storeKey(Value head, Value slot, Value row);
  void storeValue(Value head, Value slot, Value row);

  // The numbers themselves, scalars or vectors.
  int64_t perScale() const { return type.perScale; }
  mlir::Type storedType();
  /// A stored number as f32; of q8 without its scale.
  Value widen(Value stored);
  /// f32 to the stored number, to nearest, ties to even; beyond f16 its largest number. Not for q8.
  Value narrow(Value f32);
  /// q8: the f16 scale of numbers whose largest magnitude is `largest`, and what to divide them by; and a
  /// number divided, as int8.
  std::pair<Value, Value> scaleFor(Value largest);
  Value quantize(Value number, Value divisor);

private:
  using Place = llvm::function_ref<Value(Value)>;
  void prefetch(Value read, int64_t offset, int64_t bytes);
  Value scale(Value address) { return mlir::arith::ExtFOp::create(e, e.f32(), e.load(e.f16(), address)); }
  void store(Value row, int64_t dim, int64_t unit, Place place, Place scalePlace);
  void storeScaled(Value row, Value first, Value last, Place place, Value scaleAddress);

  Emitter &e;
  const KVLayout layout;
  const KVType &type;
  Value ahead; // null: nothing
  int aheadLevel = 0;
  Value wideScales; // of values; null: they are read as they are stored
};

} // namespace llmc::emit
#endif
