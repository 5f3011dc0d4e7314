//===- PageProducts.h - queries and probabilities times a page --*- C++ -*-===//
//
// The two products of attention over one page of keys (AttentionPage.h), in one of two arithmetics:
//   floats: all numbers are f32, and sums are chains of fused multiply-adds;
//   pairs:  queries, keys, probabilities and values are rounded to bf16, and two dimensions or two keys are
//           multiplied at once (vdpbf16ps): sums are f32, of each pair the second product is added first, and
//           numbers below the normal range count as zero (Intel's manual, "VDPBF16PS").
// Sums go over dimensions and keys, ascending. What one query gets does not depend on the others.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_CPU_KERNELS_PAGEPRODUCTS_H
#define LLMC_CODEGEN_CPU_KERNELS_PAGEPRODUCTS_H

#include "codegen/cpu/Entry.h"
#include "codegen/emit/KVStore.h"

namespace llmc::cpu {

class PageProducts {
public:
  using Value = mlir::Value;
  virtual ~PageProducts() = default;

  /// So many queries, or their probabilities, from an address on, `stride` bytes apart.
  struct Rows {
    Value first;
    int64_t stride, count;
  };
  /// [query][vector of 16 keys]: the products of queries, as prepareQuery() left them, with the first
  /// `vectors` vectors of keys.
  virtual Values scores(const Rows &queries, Value keys, int64_t vectors) = 0;
  /// Probabilities of a page's keys, for weigh(); in no more room than floats take.
  virtual void storeProbabilities(llvm::ArrayRef<Value> probabilities, Value place) = 0;
  /// Before weigh() of a page: `scratch` is as large as a page of values in floats.
  virtual void openValues(Value values, Value scratch) = 0;
  /// [query][vector]: sums over keys [first, last) (null: all), of `vectors` vectors of 16 dimensions from
  /// `column` on. What stands at other keys may be anything.
  virtual Values weigh(const Rows &probabilities, Value values, Value column, int64_t vectors, Value first,
                       Value last) = 0;
};

class FloatProducts final : public PageProducts {
public:
  FloatProducts(Emitter &e, const KVLayout &layout, const KVStore &store)
      : e(e), layout(layout), store(store) {}
  Values scores(const Rows &queries, Value keys, int64_t vectors) override;
  void storeProbabilities(llvm::ArrayRef<Value> probabilities, Value place) override;
  void openValues(Value values, Value scratch) override { store.widenValueScales(values, scratch); }
  Values weigh(const Rows &probabilities, Value values, Value column, int64_t vectors, Value first,
               Value last) override;

private:
  Emitter &e;
  const KVLayout &layout;
  KVStore store;
};

/// Pages of a multiple of 32 keys with an even number of dimensions.
class PairProducts final : public PageProducts {
public:
  /// Of pages as they are stored; without a store, of packed ones.
  PairProducts(Emitter &e, const KVLayout &layout, std::optional<KVStore> store)
      : e(e), layout(layout), store(std::move(store)) {}
  /// Rounds the floats of a query, in their place.
  static void prepareQuery(Emitter &e, const KVLayout &layout, Value query);
  /// Packs the stored page: pairs of dimensions of all keys, pairs of keys of all dimensions.
  void pack(Value keys, Value values, Value packedKeys, Value packedValues);

  Values scores(const Rows &queries, Value keys, int64_t vectors) override;
  void storeProbabilities(llvm::ArrayRef<Value> probabilities, Value place) override;
  void openValues(Value values, Value scratch) override;
  Values weigh(const Rows &probabilities, Value values, Value column, int64_t vectors, Value first,
               Value last) override;

private:
  Value packedAt(Value rows, Value pair, int64_t width, Value column, int64_t offset);
  Values valuePairs(Value values, Value key, Value column, int64_t vectors, Value first, Value last);

  Emitter &e;
  const KVLayout &layout;
  std::optional<KVStore> store;
};

} // namespace llmc::cpu
#endif
