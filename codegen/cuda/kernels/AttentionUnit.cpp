//===- AttentionUnit.cpp - a warp's queries against 32 keys ---------------===//
#include "codegen/cuda/kernels/AttentionUnit.h"

#include "codegen/emit/MathPoly.h"

#include <limits>
#include <numeric>

using namespace mlir;

namespace llmc::cuda {

constexpr double minusInfinity = -std::numeric_limits<double>::infinity();
constexpr int64_t pieceBytes = 16, unitKeys = AttentionShape::unitKeys;
/// LLVM's passes for NVPTX unroll nothing: so many dimensions, or keys, are written out.
constexpr int64_t unrolledDims = 8, unrolledKeys = 4;

/// The scalar, or a vector of it as long as `like`.
static Value splatLike(WarpEmitter &e, Value scalar, Value like) {
  auto vector = dyn_cast<VectorType>(like.getType());
  return vector ? e.broadcast(scalar, vector.getNumElements()) : scalar;
}

Values AttentionSums::flat() const {
  Values values(m);
  values.append(l);
  values.append(o);
  return values;
}

AttentionSums AttentionSums::of(ValueRange values, int64_t queries) {
  return {Values(values.take_front(queries)), Values(values.drop_front(queries).take_front(queries)),
          Values(values.drop_front(2 * queries))};
}

Value AttentionUnit::Range::overlaps(WarpEmitter &e, Value base, int64_t count) const {
  return e.both(e.less(from, e.add(base, count)), e.less(base, to));
}

AttentionMerge::AttentionMerge(WarpEmitter &e, Value oldM, Value oldL, Value newM, Value newL, Value isSeen) {
  Value top = e.maxf(oldM, newM), one = e.real(e.f32(), 1), zero = e.real(e.f32(), 0);
  m = e.select(isSeen, top, oldM);
  oldFactor = e.select(isSeen, emit::buildExp(e, e.subf(oldM, top)), one);
  newFactor = e.select(isSeen, emit::buildExp(e, e.subf(newM, top)), zero);
  l = e.fma(oldL, oldFactor, e.mulf(newL, newFactor));
}

Value AttentionMerge::outputs(WarpEmitter &e, Value o, Value newO) const {
  return e.fma(o, splatLike(e, oldFactor, o), e.mulf(newO, splatLike(e, newFactor, o)));
}

AttentionUnit::AttentionUnit(WarpEmitter &e, const AttentionShape &shape, int64_t rows)
    : e(e), shape(shape), store(e, shape.layout), rows(rows), pad(powerOfTwo(rows)) {
  laneInWarp = e.both(e.threadNumber(), e.n(31));
}

Type AttentionUnit::lanesType(Type element) {
  return shape.width == 1 ? element : Type(e.vec(shape.width, element));
}

Value AttentionUnit::dimension(Value lane, int64_t i, bool isLimited) {
  Value d = e.mul(e.add(lane, 32 * i), shape.width);
  const bool isWhole = 32 * (i + 1) * shape.width <= shape.dimV;
  return isLimited && !isWhole ? e.min(d, e.n(shape.dimV - shape.width)) : d;
}

AttentionSums AttentionUnit::empty() {
  return {Values(rows, e.real(e.f32(), minusInfinity)), Values(rows, e.real(e.f32(), 0)),
          Values(rows * shape.vectors, e.real(lanesType(e.f32()), 0))};
}

AttentionSums AttentionUnit::merge(const AttentionSums &sums, const AttentionSums &added,
                                   ArrayRef<Value> isSeen) {
  AttentionSums result;
  for (int64_t r = 0; r < rows; ++r) {
    AttentionMerge merge(e, sums.m[r], sums.l[r], added.m[r], added.l[r], isSeen[r]);
    result.m.push_back(merge.m);
    result.l.push_back(merge.l);
    for (int64_t i = r * shape.vectors; i < (r + 1) * shape.vectors; ++i)
      result.o.push_back(merge.outputs(e, sums.o[i], added.o[i]));
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

AttentionUnit::Place AttentionUnit::placeOf(Value headKeys, Value headValues, Value unitInPage) {
  Value key = e.mul(unitInPage, unitKeys);
  const int64_t scaleBytesOfValue = 2 * shape.groupsV;
  return {e.at(headKeys, e.mul(key, shape.bytes)), e.at(headValues, e.mul(key, shape.dimV * shape.bytes)),
          e.at(headKeys, e.add(e.mul(key, 2), shape.layout.scalesK())),
          e.at(headValues, e.add(e.mul(key, scaleBytesOfValue), shape.layout.scalesV()))};
}

Value AttentionUnit::stageOf(const AttentionCopier &copier, Value number) {
  return e.at(copier.stages, e.mul(e.both(number, e.n(1)), copier.stage.bytes));
}

void AttentionUnit::copy(const AttentionCopier &copier, int64_t pieces, Value to,
                         llvm::function_ref<Value(Value)> from, llvm::function_ref<Value(Value)> exists) {
  for (int64_t first = 0; first < pieces; first += copier.lanes) {
    Value piece = e.add(copier.lane, first), condition;
    if (exists)
      condition = exists(piece);
    if (pieces - first < copier.lanes) {
      Value isPiece = e.less(piece, e.n(pieces));
      condition = condition ? e.both(condition, isPiece) : isPiece;
    }
    auto one = [&] { copyAsync(e, e.at(to, e.mul(piece, pieceBytes)), from(piece)); };
    if (condition)
      e.when(condition, one);
    else
      one();
  }
}

/// A unit's keys are a part of each dimension's row in the page.
void AttentionUnit::copyKeys(const AttentionCopier &copier, const Place &place, Value number, Value stage) {
  const int64_t perDim = unitKeys * shape.bytes / pieceBytes, dims = copier.stage.dims;
  const int64_t rowBytes = shape.spec.pageTokens * shape.bytes;
  Value first = e.mul(number, dims);
  auto dimOf = [&](Value piece) { return e.add(first, e.div(piece, perDim)); };
  auto exists = [&](Value piece) { return e.less(dimOf(piece), e.n(shape.spec.dimK)); };
  auto from = [&](Value piece) {
    return e.at(place.keys, e.add(e.mul(dimOf(piece), rowBytes), e.mul(e.rem(piece, perDim), pieceBytes)));
  };
  if (shape.spec.dimK % dims)
    copy(copier, dims * perDim, stage, from, exists);
  else
    copy(copier, dims * perDim, stage, from);
}

void AttentionUnit::copyValues(const AttentionCopier &copier, const Place &place, Value number, Value stage) {
  const int64_t bytes = copier.stage.keys * shape.dimV * shape.bytes;
  Value start = e.at(place.values, e.mul(number, bytes));
  copy(copier, bytes / pieceBytes, stage, [&](Value piece) { return e.at(start, e.mul(piece, pieceBytes)); });
}

void AttentionUnit::copyScales(const AttentionCopier &copier, const Place &place) {
  const int64_t perGroup = unitKeys * 2 / pieceBytes;
  copy(copier, shape.groupsK * perGroup, copier.scales, [&](Value piece) {
    return e.at(place.keyScales, e.add(e.mul(e.div(piece, perGroup), shape.spec.pageTokens * 2),
                                       e.mul(e.rem(piece, perGroup), pieceBytes)));
  });
  copy(copier, shape.groupsV * perGroup, e.at(copier.scales, shape.scaleBytes()),
       [&](Value piece) { return e.at(place.valueScales, e.mul(piece, pieceBytes)); });
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

/// A number of each query.
static Values loadRow(WarpEmitter &e, Value address, int64_t rows, int64_t pad) {
  if (pad == 1)
    return {e.load(e.f32(), address)};
  Value all = e.load(e.vec(pad, e.f32()), address, 0, std::min<int64_t>(16, 4 * pad));
  Values result;
  for (int64_t r = 0; r < rows; ++r)
    result.push_back(e.element(all, r));
  return result;
}

/// Adds the products of a stage's dimensions, up to dimension `to`.
Values AttentionUnit::scoreStage(const AttentionCopier &copier, Value stage, Value number, Value to,
                                 Value queries, ValueRange sums) {
  const int64_t dimK = shape.spec.dimK, dims = copier.stage.dims;
  const int64_t unroll = std::gcd(std::gcd(unrolledDims, dims), dimK % dims);
  Value first = e.mul(number, dims), last = e.min(e.add(first, dims), to);
  return e.loop32(first, last, unroll, sums, [&](Value begin, ValueRange carried) {
    Values sums(carried);
    Value scale;
    if (shape.groupsK) {
      static_assert(32 % unrolledDims == 0, "dimensions that are written out share a scale");
      Value at = e.add(e.mul(e.div(begin, store.perScale()), unitKeys), laneInWarp);
      Value half = e.load(e.f16(), e.at(copier.scales, e.mul(at, 2)));
      scale = arith::ExtFOp::create(e, e.f32(), half);
    }
    Value inStage = e.add(e.mul(e.sub(begin, first), unitKeys), laneInWarp);
    Value keys = e.at(stage, e.mul(inStage, shape.bytes)), q = e.at(queries, e.mul(begin, 4 * pad));
    for (int64_t d = 0; d < unroll; ++d) {
      Value key = store.widen(e.load(store.storedType(), keys, d * unitKeys * shape.bytes));
      if (scale)
        key = e.mulf(key, scale);
      Values numbers = loadRow(e, e.at(q, d * 4 * pad), rows, pad);
      for (int64_t r = 0; r < rows; ++r)
        sums[r] = e.fma(numbers[r], key, sums[r]);
    }
    return sums;
  });
}

/// Adds p v of some keys; `stageKey` is the first key of the stage.
Values AttentionUnit::weighKeys(const AttentionCopier &copier, Value stage, Value stageKey, Range keys,
                                Value probabilities, ValueRange sums) {
  auto add = [&](Value key, int64_t offset, Values sums) {
    Values weights = loadRow(e, e.at(probabilities, e.add(e.mul(key, 4 * pad), offset * 4 * pad)), rows, pad);
    Value value = e.at(stage, e.mul(e.add(e.sub(key, stageKey), offset), shape.dimV * shape.bytes));
    for (int64_t i = 0; i < shape.vectors; ++i) {
      Value d = dimension(laneInWarp, i);
      Value v = store.widen(e.load(lanesType(store.storedType()), e.at(value, e.mul(d, shape.bytes)), 0,
                                   shape.width * shape.bytes));
      if (shape.groupsV) {
        Value at = e.add(e.mul(e.add(key, offset), shape.groupsV), e.div(d, store.perScale()));
        Value half = e.load(e.f16(), e.at(copier.scales, e.add(e.mul(at, 2), shape.scaleBytes())));
        v = e.mulf(v, splatLike(e, arith::ExtFOp::create(e, e.f32(), half), v));
      }
      for (int64_t r = 0; r < rows; ++r) {
        Value &sum = sums[r * shape.vectors + i];
        sum = e.fma(splatLike(e, weights[r], v), v, sum);
      }
    }
    return sums;
  };
  Value count = e.max(e.sub(keys.to, keys.from), e.n(0));
  Value whole = e.add(keys.from, e.mul(e.div(count, unrolledKeys), unrolledKeys));
  Values most = e.loop32(keys.from, whole, unrolledKeys, sums, [&](Value key, ValueRange carried) {
    Values sums(carried);
    for (int64_t offset = 0; offset < unrolledKeys; ++offset)
      sums = add(key, offset, sums);
    return sums;
  });
  return e.loop32(whole, keys.to, 1, most,
                  [&](Value key, ValueRange carried) { return add(key, 0, Values(carried)); });
}

AttentionSums AttentionUnit::run(const AttentionCopier &copier, const Place &place, Value queries,
                                 Value probabilities, ArrayRef<Range> seen, Range needed) {
  const int64_t dims = copier.stage.dims, keyStages = (shape.spec.dimK + dims - 1) / dims;
  Value firstValues = e.div(needed.from, copier.stage.keys);
  Value lastValues = e.div(e.add(needed.to, copier.stage.keys - 1), copier.stage.keys);
  // What this warp's queries see.
  Range mine{e.n(unitKeys), e.n(0)};
  for (const Range &range : seen) {
    Value isAny = e.less(range.from, range.to);
    mine.from = e.min(mine.from, e.select(isAny, range.from, e.n(unitKeys)));
    mine.to = e.max(mine.to, e.select(isAny, range.to, e.n(0)));
  }
  Value lastDim = e.select(e.less(mine.from, mine.to), e.n(shape.spec.dimK), e.n(0));

  auto ready = [&] {
    commitCopies(e);
    waitForCopies(e, 1);
    copier.meet();
  };
  if (shape.groupsK)
    copyScales(copier, place);
  copyKeys(copier, place, e.n(0), stageOf(copier, e.n(0)));
  commitCopies(e);
  Values zeros(rows, e.real(e.f32(), 0));
  Values scores = e.loop32(e.n(0), e.n(keyStages), 1, zeros, [&](Value number, ValueRange carried) {
    Value next = e.add(number, 1), nextStage = stageOf(copier, next);
    e.when(
        e.less(next, e.n(keyStages)), [&] { copyKeys(copier, place, next, nextStage); },
        [&] { copyValues(copier, place, firstValues, nextStage); });
    ready();
    Values sums = scoreStage(copier, stageOf(copier, number), number, lastDim, queries, carried);
    copier.meet();
    return sums;
  });

  AttentionSums sums = empty();
  Values weights(pad, e.real(e.f32(), 0));
  for (int64_t r = 0; r < rows; ++r) {
    Value s = e.mulf(scores[r], shape.spec.scale);
    if (shape.spec.softcap)
      s = e.mulf(emit::buildTanh(e, e.divf(s, e.real(s.getType(), shape.spec.softcap))), shape.spec.softcap);
    Value isSeen = e.both(e.compare(arith::CmpIPredicate::sge, laneInWarp, seen[r].from),
                          e.less(laneInWarp, seen[r].to));
    s = e.select(isSeen, s, e.real(e.f32(), minusInfinity));
    sums.m[r] = maxOfLanes(e, s);
    weights[r] = e.select(isSeen, emit::buildExp(e, e.subf(s, sums.m[r])), e.real(e.f32(), 0));
    sums.l[r] = sumOfLanes(e, weights[r]);
  }
  Value row = weights[0];
  if (pad > 1)
    row = vector::FromElementsOp::create(e, e.vec(pad, e.f32()), weights);
  e.store(row, e.at(probabilities, e.mul(laneInWarp, 4 * pad)), 0, std::min<int64_t>(16, 4 * pad));

  sums.o = e.loop32(firstValues, lastValues, 1, sums.o, [&](Value number, ValueRange carried) {
    Value next = e.add(number, 1), order = e.add(e.sub(number, firstValues), keyStages);
    e.when(e.less(next, lastValues),
           [&] { copyValues(copier, place, next, stageOf(copier, e.add(order, 1))); });
    ready();
    Value stageKey = e.mul(number, copier.stage.keys);
    Range keys{e.max(mine.from, stageKey), e.min(mine.to, e.add(stageKey, copier.stage.keys))};
    Values sums = weighKeys(copier, stageOf(copier, order), stageKey, keys, probabilities, carried);
    copier.meet();
    return sums;
  });
  return sums;
}

} // namespace llmc::cuda
