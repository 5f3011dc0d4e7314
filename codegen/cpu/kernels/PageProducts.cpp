//===- PageProducts.cpp - queries and probabilities times a page ----------===//
#include "codegen/cpu/kernels/PageProducts.h"

#include "codegen/cpu/isa/Dot.h"

using namespace mlir;

namespace llmc::cpu {

constexpr int64_t pairBytes = 4;

Values FloatProducts::scores(const Rows &queries, Value keys, int64_t vectors) {
  const Values zeros(queries.count * vectors, e.zeros());
  return store.forEachDimension(keys, vectors, 1, zeros, [&](Value d, ArrayRef<Value> k, ValueRange carried) {
    Value q = e.at(queries.first, e.mul(d, 4));
    Values sums(carried);
    for (int64_t i = 0; i < queries.count; ++i) {
      Value x = e.broadcast(e.load(e.f32(), q, i * queries.stride));
      for (int64_t v = 0; v < vectors; ++v)
        sums[i * vectors + v] = e.fma(x, k[v], sums[i * vectors + v]);
    }
    return sums;
  });
}

void FloatProducts::storeProbabilities(ArrayRef<Value> probabilities, Value place) {
  for (auto [v, p] : llvm::enumerate(probabilities))
    e.store(p, place, 64 * v);
}

Values FloatProducts::weigh(const Rows &probabilities, Value values, Value column, int64_t vectors,
                            Value first, Value last) {
  const Values zeros(probabilities.count * vectors, e.zeros());
  Value from = first ? first : e.c(0), to = last ? last : e.c(layout.pageTokens);
  return e.loop(from, to, e.c(1), zeros, [&](Value key, ValueRange carried) {
    Value p = e.at(probabilities.first, e.mul(key, 4));
    Values v, sums(carried);
    for (int64_t i = 0; i < vectors; ++i)
      v.push_back(store.values(values, key, column, i * lanes));
    for (int64_t q = 0; q < probabilities.count; ++q) {
      Value weight = e.broadcast(e.load(e.f32(), p, q * probabilities.stride));
      for (int64_t i = 0; i < vectors; ++i)
        sums[q * vectors + i] = e.fma(weight, v[i], sums[q * vectors + i]);
    }
    return sums;
  });
}

/// 32 numbers as bf16, to nearest, ties to even: `low`, then `high`.
static Value rounded(Emitter &e, Value low, Value high) {
  auto type = e.vec(2 * lanes, BFloat16Type::get(e.getContext()));
  return e.intrinsic("llvm.x86.avx512bf16.cvtne2ps2bf16.512", type, {high, low});
}

/// The same in pairs of one of each.
static Value pairs(Emitter &e, Value first, Value second) {
  return sideBySide(e, e.bitcast(rounded(e, first, second), e.vec(2 * lanes, e.i16())));
}

/// What is not read yet stands behind what is written.
void PairProducts::prepareQuery(Emitter &e, const KVLayout &layout, Value query) {
  for (int64_t d = 0; d < layout.dimK; d += 2 * lanes)
    e.store(rounded(e, e.loadFloats(query, 4 * d), e.loadFloats(query, 4 * (d + lanes))), query, 2 * d);
}

Value PairProducts::packedAt(Value rows, Value pair, int64_t width, Value column, int64_t offset) {
  return e.at(rows, e.add(e.mul(e.add(e.mul(pair, width), column), pairBytes), offset * pairBytes));
}

void PairProducts::pack(Value keys, Value values, Value packedKeys, Value packedValues) {
  const int64_t vectors = layout.pageTokens / lanes;
  store->forEachDimension(keys, vectors, 2, {}, [&](Value d, ArrayRef<Value> k, ValueRange) {
    for (int64_t v = 0; v < vectors; ++v)
      e.store(pairs(e, k[v], k[vectors + v]),
              packedAt(packedKeys, e.div(d, 2), layout.pageTokens, e.c(0), v * lanes));
    return Values();
  });
  const int64_t width = layout.dimVPadded();
  e.loop(e.c(0), e.c(layout.pageTokens), 2, [&](Value key) {
    Values v = valuePairs(values, key, e.c(0), width / lanes, Value(), Value());
    for (auto [i, vector] : llvm::enumerate(v))
      e.store(vector, packedAt(packedValues, e.div(key, 2), width, e.c(0), i * lanes));
  });
}

Values PairProducts::scores(const Rows &queries, Value keys, int64_t vectors) {
  const Values zeros(queries.count * vectors, e.zeros());
  auto add = [&](Value d, ArrayRef<Value> k, ValueRange carried) {
    Value q = e.at(queries.first, e.mul(d, 2));
    Values sums(carried);
    for (int64_t i = 0; i < queries.count; ++i) {
      Value x = e.broadcast(e.load(e.i32(), q, i * queries.stride));
      for (int64_t v = 0; v < vectors; ++v)
        sums[i * vectors + v] = dotBF16Pairs(e, sums[i * vectors + v], k[v], x);
    }
    return sums;
  };
  if (store)
    return store->forEachDimension(keys, vectors, 2, zeros,
                                   [&](Value d, ArrayRef<Value> k, ValueRange carried) {
                                     Values both;
                                     for (int64_t v = 0; v < vectors; ++v)
                                       both.push_back(pairs(e, k[v], k[vectors + v]));
                                     return add(d, both, carried);
                                   });
  return e.loop(e.c(0), e.c(layout.dimK), e.c(2), zeros, [&](Value d, ValueRange carried) {
    Values both;
    for (int64_t v = 0; v < vectors; ++v)
      both.push_back(
          e.load(e.vec(lanes, e.i32()), packedAt(keys, e.div(d, 2), layout.pageTokens, e.c(0), v * lanes)));
    return add(d, both, carried);
  });
}

void PairProducts::storeProbabilities(ArrayRef<Value> probabilities, Value place) {
  for (size_t v = 0; v < probabilities.size(); v += 2)
    e.store(rounded(e, probabilities[v], probabilities[v + 1]), place, 32 * v);
}

void PairProducts::openValues(Value values, Value scratch) {
  if (store)
    store->widenValueScales(values, scratch);
}

/// Of keys `key` and the next. Those that are not visible are zero: their probability alone would leave a
/// NaN.
Values PairProducts::valuePairs(Value values, Value key, Value column, int64_t vectors, Value first,
                                Value last) {
  Value next = e.add(key, 1);
  auto visible = [&](Value number, int64_t offset) {
    Value v = store->values(values, number, column, offset);
    if (!first)
      return v;
    Value isSeen = e.both(e.less(e.sub(first, 1), number), e.less(number, last));
    return e.select(isSeen, v, e.zeros());
  };
  Values result;
  for (int64_t i = 0; i < vectors; ++i)
    result.push_back(pairs(e, visible(key, i * lanes), visible(next, i * lanes)));
  return result;
}

Values PairProducts::weigh(const Rows &probabilities, Value values, Value column, int64_t vectors,
                           Value first, Value last) {
  const Values zeros(probabilities.count * vectors, e.zeros());
  Value from = first ? e.mul(e.div(first, 2), 2) : e.c(0), to = last ? last : e.c(layout.pageTokens);
  return e.loop(from, to, e.c(2), zeros, [&](Value key, ValueRange carried) {
    Values v, sums(carried);
    if (store)
      v = valuePairs(values, key, column, vectors, first, last);
    else
      for (int64_t i = 0; i < vectors; ++i)
        v.push_back(e.load(e.vec(lanes, e.i32()),
                           packedAt(values, e.div(key, 2), layout.dimVPadded(), column, i * lanes)));
    Value p = e.at(probabilities.first, e.mul(key, 2));
    for (int64_t q = 0; q < probabilities.count; ++q) {
      Value weight = e.broadcast(e.load(e.i32(), p, q * probabilities.stride));
      for (int64_t i = 0; i < vectors; ++i)
        sums[q * vectors + i] = dotBF16Pairs(e, sums[q * vectors + i], v[i], weight);
    }
    return sums;
  });
}

} // namespace llmc::cpu
