//===- AttentionPage.h - the arithmetic of one page of keys -----*- C++ -*-===//
//
// Queries stand in a worker's scratch, each with its running sums; here the keys of one page are added to
// them: scores with keys in lanes, p = exp(s - m) with the page's own maximum m, l = sum p, o = sum p v, then
// (m, l, o) goes into the running ones by a single formula. What a query gets does not depend on which other
// queries share the page, nor on whether the two steps are taken at once or by different workers, with a
// record of (m, l, o) in between.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_CPU_KERNELS_ATTENTIONPAGE_H
#define LLMC_CODEGEN_CPU_KERNELS_ATTENTIONPAGE_H

#include "codegen/cpu/Kernels.h"
#include "codegen/cpu/kernels/PageProducts.h"

namespace llmc::cpu {

/// A worker's scratch: rotated queries, output sums and probabilities of `queries` queries, numbers of each,
/// the angles of one position, and one page's keys and values, as floats or packed.
struct AttentionScratch {
  AttentionScratch(const AttentionSpec &spec, int64_t queries);

  /// Arrays of one float a query.
  enum Number { Maximum, Sum, PageMaximum, PageSum, OldFactor, NewFactor, numbers };

  int64_t queryStride, outStride, probabilityStride, angleBytes; // bytes
  int64_t outAt, probabilityAt, numbersAt, numberBytes, anglesAt, keysAt, valuesAt, bytes;
  int64_t recordNumberBytes, recordBytes; // of one token's queries
  /// The address of a number of the query.
  mlir::Value number(Emitter &e, mlir::Value scratch, mlir::Value query, Number which) const {
    return e.at(scratch, e.add(e.mul(query, 4), numbersAt + which * numberBytes));
  }
};

class AttentionPage {
public:
  using Value = mlir::Value;
  AttentionPage(Emitter &e, const AttentionSpec &spec, const Isa &isa, const AttentionScratch &places)
      : e(e), spec(spec), isa(isa), places(places) {}

  /// Adds a page to `queries` queries from number `query` on. Keys [first, last) of it are visible; null:
  /// all.
  void add(PageProducts &page, Value scratch, Value query, int64_t queries, Value keys, Value values,
           Value first, Value last);
  /// (m, l, o) of a whole page for `queries` queries into a record, and from a record into their sums.
  void record(PageProducts &page, Value scratch, Value query, int64_t queries, Value keys, Value values,
              Value record);
  void addRecord(Value scratch, Value query, int64_t queries, Value record);
  /// The address of a number of the query.
  Value number(Value scratch, Value query, AttentionScratch::Number which) {
    return places.number(e, scratch, query, which);
  }

private:
  Value probabilitiesOf(Value scratch, Value query) {
    return e.at(scratch, e.add(e.mul(query, places.probabilityStride), places.probabilityAt));
  }
  void scores(PageProducts &page, Value scratch, Value query, int64_t count, Value keys, Value first,
              Value last);
  void merge(Value scratch, Value query, int64_t count);
  void scoreAll(PageProducts &page, Value scratch, Value query, int64_t queries, Value keys, Value first,
                Value last);
  void weighAll(PageProducts &page, Value scratch, Value query, int64_t queries, Value values, Value first,
                Value last, Value record);
  void fold(Value scratch, Value query, Value column, int64_t vectors, mlir::ValueRange sums);

  Emitter &e;
  const AttentionSpec &spec;
  const Isa &isa;
  const AttentionScratch &places;
};

/// The largest divisor of `value` up to `limit`.
int64_t largestDivisor(int64_t value, int64_t limit);

} // namespace llmc::cpu
#endif
