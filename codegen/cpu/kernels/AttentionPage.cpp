//===- AttentionPage.cpp - the arithmetic of one page of keys -------------===//
#include "codegen/cpu/kernels/AttentionPage.h"

#include "codegen/emit/MathPoly.h"

#include <limits>

using namespace mlir;

namespace llmc::cpu {

bool usesBF16Dots(const AttentionSpec &spec, const Isa &isa) {
  return isa.hasBF16Dots && spec.mayRound && spec.cacheType->name != "f32" &&
         spec.pageTokens % (2 * lanes) == 0 && spec.dimK % 2 == 0;
}

bool differsFromBase(const AttentionSpec &spec, const Isa &isa) {
  return usesTiles(spec, isa) || usesBF16Dots(spec, isa);
}

int64_t largestDivisor(int64_t value, int64_t limit) {
  for (int64_t d = std::min(value, limit); d > 1; --d)
    if (value % d == 0)
      return d;
  return 1;
}

AttentionScratch::AttentionScratch(const AttentionSpec &spec, int64_t queries) {
  const KVLayout layout = spec.layout();
  queryStride = rowStride(spec.dimK);
  outStride = layout.dimVPadded() * 4;
  probabilityStride = spec.pageTokens * 4;
  angleBytes = rowStride(spec.ropeDims / 2);
  outAt = queries * queryStride;
  probabilityAt = outAt + queries * outStride;
  numbersAt = probabilityAt + queries * probabilityStride;
  // They are worked on 16 at a time, from any query on.
  numberBytes = rowStride(queries) + 64;
  anglesAt = numbersAt + numbers * numberBytes;
  keysAt = anglesAt + 2 * angleBytes;
  valuesAt = keysAt + spec.dimK * probabilityStride;
  bytes = roundUp(valuesAt + spec.pageTokens * outStride, 64);
  const int64_t group = spec.heads / spec.kvHeads;
  recordNumberBytes = rowStride(group);
  recordBytes = group * outStride + 2 * recordNumberBytes;
}

void AttentionPage::add(PageProducts &page, Value scratch, Value query, int64_t queries, Value keys,
                        Value values, Value first, Value last) {
  scoreAll(page, scratch, query, queries, keys, first, last);
  merge(scratch, query, queries);
  weighAll(page, scratch, query, queries, values, first, last, Value());
}

void AttentionPage::record(PageProducts &page, Value scratch, Value query, int64_t queries, Value keys,
                           Value values, Value record) {
  scoreAll(page, scratch, query, queries, keys, Value(), Value());
  int64_t at = queries * places.outStride;
  for (auto which : {AttentionScratch::PageMaximum, AttentionScratch::PageSum}) {
    for (int64_t i = 0; i < queries; i += lanes)
      e.store(e.loadFloats(number(scratch, e.add(query, i), which)), record, at + 4 * i);
    at += places.recordNumberBytes;
  }
  weighAll(page, scratch, query, queries, values, Value(), Value(), record);
}

void AttentionPage::addRecord(Value scratch, Value query, int64_t queries, Value record) {
  int64_t at = queries * places.outStride;
  for (auto which : {AttentionScratch::PageMaximum, AttentionScratch::PageSum}) {
    for (int64_t i = 0; i < queries; i += lanes)
      e.store(e.loadFloats(record, at + 4 * i), number(scratch, e.add(query, i), which));
    at += places.recordNumberBytes;
  }
  merge(scratch, query, queries);
  e.loop(e.c(0), e.c(queries), 1, [&](Value q) {
    e.loop(e.c(0), e.c(spec.layout().dimVPadded()), lanes, [&](Value column) {
      Value sum = e.loadFloats(e.at(record, e.add(e.mul(q, places.outStride), e.mul(column, 4))));
      fold(scratch, e.add(query, q), column, 1, sum);
    });
  });
}

void AttentionPage::scoreAll(PageProducts &page, Value scratch, Value query, int64_t queries, Value keys,
                             Value first, Value last) {
  const int64_t limit = isa.tuning.attentionAccumulators, keyVectors = spec.pageTokens / lanes;
  const int64_t count = largestDivisor(queries, std::max<int64_t>(1, limit / keyVectors));
  e.loop(e.c(0), e.c(queries), count,
         [&](Value q) { scores(page, scratch, e.add(query, q), count, keys, first, last); });
}

/// o' = sum over visible keys of p v, into the record or into o.
void AttentionPage::weighAll(PageProducts &page, Value scratch, Value query, int64_t queries, Value values,
                             Value first, Value last, Value record) {
  const int64_t limit = isa.tuning.attentionAccumulators, dimV = spec.layout().dimVPadded();
  const int64_t vectors = largestDivisor(dimV / lanes, std::max<int64_t>(2, limit / 4));
  const int64_t count = largestDivisor(queries, std::max<int64_t>(1, limit / vectors));
  // The scratch for a page as floats is free: such a page has no scales.
  page.openValues(values, e.at(scratch, places.valuesAt));
  e.loop(e.c(0), e.c(queries), count, [&](Value q) {
    e.loop(e.c(0), e.c(dimV), vectors * lanes, [&](Value column) {
      Values sums = page.weigh({probabilitiesOf(scratch, e.add(query, q)), places.probabilityStride, count},
                               values, column, vectors, first, last);
      for (int64_t i = 0; i < count; ++i) {
        ArrayRef<Value> mine = ArrayRef(sums).slice(i * vectors, vectors);
        Value index = e.add(q, i);
        if (!record) {
          fold(scratch, e.add(query, index), column, vectors, mine);
          continue;
        }
        Value place = e.at(record, e.add(e.mul(index, places.outStride), e.mul(column, 4)));
        for (int64_t v = 0; v < vectors; ++v)
          e.store(mine[v], place, 64 * v);
      }
    });
  });
}

/// Probabilities, their maximum and their sum, of `count` queries.
void AttentionPage::scores(PageProducts &page, Value scratch, Value query, int64_t count, Value keys,
                           Value first, Value last) {
  const int64_t keyVectors = spec.pageTokens / lanes;
  Value queries = e.at(scratch, e.mul(query, places.queryStride));
  Values sums = page.scores({queries, places.queryStride, count}, keys, keyVectors);
  Values visible;
  if (first) {
    Value from = e.broadcast(arith::TruncIOp::create(e, e.i32(), first));
    Value to = e.broadcast(arith::TruncIOp::create(e, e.i32(), last));
    for (int64_t v = 0; v < keyVectors; ++v) {
      Value key = e.add(e.iota(), v * lanes);
      visible.push_back(e.both(e.compare(arith::CmpIPredicate::sge, key, from), e.less(key, to)));
    }
  }
  Value none = e.real(e.floats(), -std::numeric_limits<double>::infinity());
  for (int64_t i = 0; i < count; ++i) {
    Value largest, sum;
    for (int64_t v = 0; v < keyVectors; ++v) {
      Value &s = sums[i * keyVectors + v];
      s = e.mulf(s, spec.scale);
      if (spec.softcap)
        s = e.mulf(buildTanh(e, e.divf(s, e.real(s.getType(), spec.softcap))), spec.softcap);
      if (first)
        s = e.select(visible[v], s, none);
      largest = largest ? e.maxf(largest, s) : s;
    }
    Value index = e.add(query, i);
    largest = e.maxLanes(largest);
    Values probabilities;
    for (int64_t v = 0; v < keyVectors; ++v) {
      Value p = buildExp(e, e.subf(sums[i * keyVectors + v], e.broadcast(largest)));
      if (first)
        p = e.select(visible[v], p, e.zeros());
      probabilities.push_back(p);
      sum = sum ? e.addf(sum, p) : p;
    }
    page.storeProbabilities(probabilities, probabilitiesOf(scratch, index));
    e.store(largest, number(scratch, index, AttentionScratch::PageMaximum));
    e.store(e.sumLanes(sum), number(scratch, index, AttentionScratch::PageSum));
  }
}

/// m = max(m, m'), l = l exp(m_old - m) + l' exp(m' - m), with queries in lanes; o follows with the same
/// factors.
void AttentionPage::merge(Value scratch, Value query, int64_t count) {
  using Scratch = AttentionScratch;
  for (int64_t i = 0; i < count; i += lanes) {
    auto place = [&](Scratch::Number which) { return number(scratch, e.add(query, i), which); };
    Value old = e.loadFloats(place(Scratch::Maximum)), total = e.loadFloats(place(Scratch::Sum));
    Value page = e.loadFloats(place(Scratch::PageMaximum)), sum = e.loadFloats(place(Scratch::PageSum));
    Value maximum = e.maxf(old, page);
    Value oldFactor = buildExp(e, e.subf(old, maximum)), newFactor = buildExp(e, e.subf(page, maximum));
    Value merged = e.fma(total, oldFactor, e.mulf(sum, newFactor));
    if (count - i < lanes) { // the other lanes are other queries'
      Value isOurs = e.less(e.iota(), e.splat(e.vec(lanes, e.i32()), count - i));
      maximum = e.select(isOurs, maximum, old);
      merged = e.select(isOurs, merged, total);
    }
    e.store(maximum, place(Scratch::Maximum));
    e.store(merged, place(Scratch::Sum));
    e.store(oldFactor, place(Scratch::OldFactor));
    e.store(newFactor, place(Scratch::NewFactor));
  }
}

/// o = o * old factor + o' * new factor, for one query and `vectors` vectors.
void AttentionPage::fold(Value scratch, Value query, Value column, int64_t vectors, ValueRange sums) {
  Value oldFactor = e.broadcast(e.load(e.f32(), number(scratch, query, AttentionScratch::OldFactor)));
  Value newFactor = e.broadcast(e.load(e.f32(), number(scratch, query, AttentionScratch::NewFactor)));
  Value out = e.at(scratch, e.add(e.add(e.mul(query, places.outStride), e.mul(column, 4)), places.outAt));
  for (int64_t i = 0; i < vectors; ++i)
    e.store(e.fma(e.loadFloats(out, 64 * i), oldFactor, e.mulf(sums[i], newFactor)), out, 64 * i);
}

} // namespace llmc::cpu
