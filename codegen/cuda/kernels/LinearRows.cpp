//===- LinearRows.cpp - norm and planes of an activation row --------------===//
//
// What a row's numbers become depends on the row alone: lanes take fixed columns of a slice and add in a
// fixed order, whoever the warp is.
//
//===----------------------------------------------------------------------===//
#include "codegen/cuda/kernels/Linear.h"
#include "codegen/emit/Norm.h"

#include <cmath>

using namespace mlir;

namespace llmc::cuda::linear {

using emit::ActivationType;
using emit::Emitter;
using emit::Norm;
using emit::Values;

Rows::Rows(Emitter &e, const Plan &plan, const emit::KernelArguments &arguments) : e(e), plan(plan) {
  x = arguments.pointer(e, 0);
  if (plan.spec.normGain)
    gain = arguments.pointer(e, plan.gain());
  if (plan.spec.normBias)
    normBias = arguments.pointer(e, plan.normBias());
}

/// Zero from column `limit` on: columns that only fill a row up to 16 may hold anything.
static Value zeroFrom(Emitter &e, Value limit, Value quad, Value four) {
  SmallVector<int64_t> columns = {0, 1, 2, 3};
  auto longs = e.vec(4, e.i64());
  Value within = arith::ConstantOp::create(e, DenseElementsAttr::get(longs, ArrayRef<int64_t>(columns)));
  Value isInside = e.less(e.add(e.broadcast(e.mul(quad, 4), 4), within), e.broadcast(limit, 4));
  return e.select(isInside, four, e.real(four.getType(), 0));
}

/// Four floats.
Value Rows::load(Value vector, Value quad) {
  return e.load(e.vec(4, e.f32()), e.at(vector, e.mul(quad, 16)), 0, 16);
}

static Value rowAddress(Emitter &e, const Plan &plan, Value x, Value row) {
  return e.at(x, e.mul(row, emit::rowStride(plan.spec.k)));
}

static Value addElements(Emitter &e, Value sum, Value four) {
  for (int64_t i = 0; i < 4; ++i)
    sum = e.addf(sum, e.element(four, i));
  return sum;
}

static Value addSquares(Emitter &e, Value sum, Value four) {
  for (int64_t i = 0; i < 4; ++i)
    sum = e.fma(e.element(four, i), e.element(four, i), sum);
  return sum;
}

static Value maximumOf(Emitter &e, Value largest, Value four) {
  four = e.abs(four);
  for (int64_t i = 0; i < 4; ++i)
    largest = e.maxf(e.element(four, i), largest);
  return largest;
}

/// A slice's largest number is brought to 2^14 or above, below 2^15, where f16 has room for it.
constexpr int64_t halfExponent = 14;

/// The power of two that does so to `bound`, and one over it. For bf16 to 1 or above: it has the exponents of
/// f32, and sums of products with large weights shall have room there.
static std::pair<Value, Value> scaleFor(Emitter &e, const Plan &plan, Value bound) {
  const int64_t wanted = plan.type == MatrixType::F16 ? halfExponent : 0;
  auto shifted = [&](Value exponent) {
    Value word = arith::ShLIOp::create(e, exponent, e.splat(e.i32(), 23));
    return arith::BitcastOp::create(e, e.f32(), word);
  };
  Value word = arith::BitcastOp::create(e, e.i32(), bound);
  Value exponent = e.both(arith::ShRUIOp::create(e, word, e.splat(e.i32(), 23)), e.splat(e.i32(), 0xff));
  Value scale = e.sub(e.splat(e.i32(), 127 + wanted + 127), exponent);
  scale = e.max(e.min(scale, e.splat(e.i32(), 253)), e.splat(e.i32(), 1));
  return {shifted(scale), shifted(e.sub(e.splat(e.i32(), 254), scale))};
}

Value Rows::factor(Value squares) { return emit::emitNormFactor(e, squares, plan.spec.k, plan.spec.eps); }

namespace {
/// Of some numbers: how many there are, their mean, and the squares of what they are off it.
struct Moments {
  Value count, mean, squares;
};
} // namespace

/// Both together (Chan, Golub, LeVeque 1979); either may be of no number.
static Moments join(Emitter &e, const Moments &a, const Moments &b) {
  Value count = e.addf(a.count, b.count), off = e.subf(b.mean, a.mean);
  Value share = e.divf(b.count, e.maxf(count, e.real(e.f32(), 1)));
  Value between = e.mulf(e.mulf(off, off), e.mulf(a.count, share));
  return {count, e.fma(off, share, a.mean), e.addf(e.addf(a.squares, b.squares), between)};
}

/// The row is read once: each lane has some numbers at a time, and joins what it knows of them.
Values Rows::layerNorm(Value row) {
  if (plan.spec.norm != Norm::Layer)
    return {};
  constexpr int64_t atOnce = 8; // loads that are under way
  const int64_t quads = (plan.spec.k + 3) / 4, whole = plan.spec.k / (4 * warpLanes * atOnce);
  Value start = rowAddress(e, plan, x, row), k = e.c(plan.spec.k), zero = e.real(e.f32(), 0);
  // Of n quads a lane, all of which the row has if they are whole.
  auto some = [&](Value first, int64_t n, bool isWhole) -> Moments {
    Values at, fours;
    auto inside = [&](int64_t i, Value four) { return isWhole ? four : zeroFrom(e, k, at[i], four); };
    Value sum = zero, squares = zero, count = e.c(isWhole ? 4 * n : 0);
    for (int64_t i = 0; i < n; ++i) {
      at.push_back(e.add(first, i * warpLanes));
      fours.push_back(load(start, isWhole ? at[i] : e.min(at[i], e.c(quads - 1))));
      sum = addElements(e, sum, inside(i, fours[i]));
      if (!isWhole)
        count = e.add(count, e.max(e.min(e.sub(k, e.mul(at[i], 4)), e.c(4)), e.c(0)));
    }
    count = arith::SIToFPOp::create(e, e.f32(), count);
    Value mean = e.divf(sum, e.maxf(count, e.real(e.f32(), 1)));
    for (int64_t i = 0; i < n; ++i)
      squares = addSquares(e, squares, inside(i, e.subf(fours[i], e.broadcast(mean, 4))));
    return {count, mean, squares};
  };
  Value lane = laneNumber(e);
  Values all = e.loop(e.c(0), e.c(whole), 1, {zero, zero, zero}, [&](Value i, ValueRange before) {
    Moments next = some(e.add(lane, e.mul(i, atOnce * warpLanes)), atOnce, /*isWhole=*/true);
    next = join(e, {before[0], before[1], before[2]}, next);
    return Values{next.count, next.mean, next.squares};
  });
  Moments mine = {all[0], all[1], all[2]};
  const int64_t done = whole * atOnce * warpLanes;
  if (done < quads)
    mine =
        join(e, mine, some(e.add(lane, done), llvm::divideCeil(quads - done, warpLanes), /*isWhole=*/false));
  Value mean = e.divf(sumOfLanes(e, e.mulf(mine.count, mine.mean)), e.real(e.f32(), double(plan.spec.k)));
  Value off = e.subf(mine.mean, mean);
  return {mean, factor(sumOfLanes(e, e.fma(e.mulf(off, off), mine.count, mine.squares)))};
}

Rows::Slice Rows::load(Value row, Value slice, ValueRange layerNorm) {
  Value start = rowAddress(e, plan, x, row), first = e.mul(plan.firstChunk(e, slice), plan.columns);
  Value end = e.mul(plan.firstChunk(e, e.add(slice, 1)), plan.columns), limit = e.min(end, e.c(plan.spec.k));
  Value last = e.div(e.sub(limit, 1), 4), lane = e.add(e.div(first, 4), laneNumber(e));
  Value squares = e.real(e.f32(), 0), largest = squares;
  Slice result;
  for (int64_t i = 0; i < plan.rounds(); ++i) {
    Value quad = e.add(lane, i * warpLanes), there = e.min(quad, last);
    Value four = zeroFrom(e, limit, quad, load(start, there));
    if (plan.hasFactor())
      squares = addSquares(e, squares, four);
    if (!layerNorm.empty())
      four = e.mulf(e.subf(four, e.broadcast(layerNorm[0], 4)), e.broadcast(layerNorm[1], 4));
    if (gain)
      four = emit::emitGain(e, four, load(gain, there), plan.spec.normPlusOne);
    if (normBias)
      four = e.addf(four, load(normBias, there));
    result.fours.push_back(zeroFrom(e, limit, quad, four));
    largest = maximumOf(e, largest, result.fours.back());
  }
  if (plan.hasFactor())
    result.squares = sumOfLanes(e, squares);
  std::tie(result.scale, result.inverseScale) = scaleFor(e, plan, maxOfLanes(e, largest));
  return result;
}

Values Rows::planes(Value four, Value scale) {
  auto floats = e.vec(4, e.f32()), halves = e.vec(4, e.f16()), words = e.vec(4, e.i16());
  const bool isHalf = plan.type == MatrixType::F16;
  Value value = e.mulf(four, e.broadcast(scale, 4));
  if (isHalf && plan.spec.activations == ActivationType::BF16)
    value = e.extendBF16(e.truncToBF16(value));
  if (!isHalf && plan.spec.activations == ActivationType::F16) {
    // Near the end of f16, where small numbers keep most of their bits.
    Value large = e.mulf(value, std::ldexp(1.0, halfExponent));
    value = e.mulf(arith::ExtFOp::create(e, floats, e.truncToF16(large)), std::ldexp(1.0, -halfExponent));
  }
  Values result;
  for (int64_t plane = 0; plane < plan.planes; ++plane) {
    Value rounded = isHalf ? Value(arith::TruncFOp::create(e, halves, value)) : e.truncToBF16(value);
    result.push_back(isHalf ? Value(LLVM::BitcastOp::create(e, words, rounded)) : rounded);
    if (plane + 1 < plan.planes)
      value =
          e.subf(value, isHalf ? Value(arith::ExtFOp::create(e, floats, rounded)) : e.extendBF16(rounded));
  }
  return result;
}

Value Rows::chunkOfRound() { return e.div(laneNumber(e), plan.columns / 4); }
Value Rows::quadOfChunk() { return e.rem(laneNumber(e), plan.columns / 4); }

} // namespace llmc::cuda::linear
