//===- LinearRows.cpp - norm and planes of an activation row --------------===//
//
// What a row's numbers become depends on the row alone: threads take fixed columns of it, lanes and warps add
// in a fixed order, whether a block has one row or many.
//
//===----------------------------------------------------------------------===//
#include "codegen/cuda/kernels/Linear.h"

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

/// Columns of x that only fill a row up to 16 may hold anything.
static Value inside(Emitter &e, const Plan &plan, Value quad) {
  SmallVector<int64_t> columns = {0, 1, 2, 3};
  auto longs = e.vec(4, e.i64());
  Value within = arith::ConstantOp::create(e, DenseElementsAttr::get(longs, ArrayRef<int64_t>(columns)));
  return e.less(e.add(e.broadcast(e.mul(quad, 4), 4), within), e.splat(longs, plan.spec.k));
}

static Value zeroBeyond(Emitter &e, const Plan &plan, Value quad, Value value) {
  return e.select(inside(e, plan, quad), value, e.real(value.getType(), 0));
}

/// Four floats; of quads beyond the last one those of the last.
Value Rows::load(Value vector, Value quad) {
  Value last = e.c((plan.spec.k - 1) / 4);
  return e.load(e.vec(4, e.f32()), e.at(vector, e.mul(e.min(quad, last), 16)), 0, 16);
}

static Value rowAddress(Emitter &e, const Plan &plan, Value x, Value row) {
  return e.at(x, e.mul(row, emit::rowStride(plan.spec.k)));
}

/// Carries `init` over the quads of this thread.
static Values overQuads(Emitter &e, const Plan &plan, ValueRange init,
                        llvm::function_ref<Values(Value quad, ValueRange carried)> body) {
  constexpr int64_t atOnce = 4; // that many loads are under way
  const int64_t stride = plan.threads(), quads = (plan.spec.k + 3) / 4;
  const int64_t rounds = (quads + stride - 1) / stride;
  Value thread = readRegister(e, "tid.x");
  auto some = [&](Value first, int64_t count, Values carried) {
    for (int64_t i = 0; i < count; ++i)
      carried = body(e.add(first, i * stride), carried);
    return carried;
  };
  Values carried = init;
  const int64_t whole = rounds / atOnce;
  if (whole)
    carried = e.loop(e.c(0), e.c(whole), 1, carried, [&](Value i, ValueRange values) {
      return some(e.add(thread, e.mul(i, atOnce * stride)), atOnce, Values(values));
    });
  return some(e.add(thread, whole * atOnce * stride), rounds % atOnce, carried);
}

namespace {

/// What a row is reduced to: a sum where there is a norm, then maxima.
struct Round {
  bool hasSum;
  int64_t count;
};

Value maximumOf(Emitter &e, Value largest, Value four) {
  four = e.abs(four);
  for (int64_t i = 0; i < 4; ++i)
    largest = e.maxf(e.element(four, i), largest);
  return largest;
}

/// The power of two that brings `bound` to 2^14 or above, below 2^15, and one over it.
std::pair<Value, Value> scaleFor(Emitter &e, Value bound) {
  auto shifted = [&](Value exponent) {
    Value word = arith::ShLIOp::create(e, exponent, e.splat(e.i32(), 23));
    return arith::BitcastOp::create(e, e.f32(), word);
  };
  Value word = arith::BitcastOp::create(e, e.i32(), bound);
  Value exponent = e.both(arith::ShRUIOp::create(e, word, e.splat(e.i32(), 23)), e.splat(e.i32(), 0xff));
  Value scale = e.sub(e.splat(e.i32(), 127 + 14 + 127), exponent);
  scale = e.max(e.min(scale, e.splat(e.i32(), 253)), e.splat(e.i32(), 1));
  return {shifted(scale), shifted(e.sub(e.splat(e.i32(), 254), scale))};
}

/// Reduces rows of a block: every thread's share of all rows, then a thread for each row.
struct Reduction {
  Emitter &e;
  const Plan &plan;
  Value count, partials;
  static constexpr int64_t partialBytes = 16;

  using Add = llvm::function_ref<Values(Value row, Value quad, ValueRange carried)>;
  using Finish = llvm::function_ref<void(Value row, ValueRange values)>;

  Reduction(Emitter &e, ModuleOp module, const Plan &plan, Value count) : e(e), plan(plan), count(count) {
    partials = sharedArray(e, module, "statistics_partials", fewRows * plan.slices * partialBytes);
  }

  Value partial(Value row, Value warp, int64_t number) {
    return e.at(e.at(partials, e.mul(e.add(e.mul(row, plan.slices), warp), partialBytes)), 4 * number);
  }

  void run(Round round, Add add, Finish finish) {
    Value thread = readRegister(e, "tid.x"), lane = laneNumber(e), warp = warpNumber(e);
    const Values zeros(round.count, e.real(e.f32(), 0));
    auto isSum = [&](int64_t number) { return number == 0 && round.hasSum; };
    e.loop(e.c(0), count, 1, [&](Value row) {
      Values values =
          overQuads(e, plan, zeros, [&](Value quad, ValueRange carried) { return add(row, quad, carried); });
      for (auto [i, value] : llvm::enumerate(values))
        value = isSum(i) ? sumOfLanes(e, value) : maxOfLanes(e, value);
      e.when(e.equal(lane, e.c(0)), [&] {
        for (auto [i, value] : llvm::enumerate(values))
          e.store(value, partial(row, warp, i));
      });
    });
    meet(e);
    e.when(e.less(thread, count), [&] {
      Values values = zeros;
      for (int64_t w = 0; w < plan.slices; ++w)
        for (auto [i, value] : llvm::enumerate(values)) {
          Value other = e.load(e.f32(), partial(thread, e.c(w), i));
          value = isSum(i) ? e.addf(value, other) : e.maxf(other, value);
        }
      finish(thread, values);
    });
    meet(e);
  }
};

} // namespace

static Value meanOf(Emitter &e, const Plan &plan, Value sum) {
  return e.divf(sum, e.real(e.f32(), double(plan.spec.k)));
}

Value Rows::gained(Value four, Value quad) {
  if (!gain)
    return four;
  Value g = load(gain, quad);
  return e.mulf(four, plan.spec.normPlusOne ? e.addf(g, 1.0) : g);
}

/// The squares' sum where there is a norm, maxima of what is scaled, four columns of a row further.
Values Rows::reduced(Value four, Value quad, ValueRange carried) {
  Values values;
  if (plan.spec.norm != Norm::None) {
    Value sum = carried[0];
    for (int64_t i = 0; i < 4; ++i)
      sum = e.fma(e.element(four, i), e.element(four, i), sum);
    values.push_back(sum);
  }
  if (!plan.isScaled())
    return values;
  values.push_back(maximumOf(e, carried[values.size()], gained(four, quad)));
  if (normBias)
    values.push_back(maximumOf(e, carried[values.size()], load(normBias, quad)));
  return values;
}

/// What comes of reduced(), as statistics of a row.
void Rows::keep(ValueRange values, Value to) {
  Value bound = values.back();
  if (plan.spec.norm != Norm::None) {
    Value root = e.sqrt(e.addf(meanOf(e, plan, values[0]), e.real(e.f32(), plan.spec.eps)));
    Value inverse = e.divf(e.real(e.f32(), 1), root);
    e.store(inverse, e.at(to, 4));
    if (plan.isScaled())
      bound = e.mulf(values[1], inverse);
    if (plan.isScaled() && normBias)
      bound = e.addf(bound, values[2]);
  }
  if (!plan.isScaled())
    return;
  auto [scale, inverseScale] = scaleFor(e, bound);
  e.store(scale, e.at(to, 8));
  e.store(inverseScale, e.at(to, 12));
}

void Rows::statistics(ModuleOp module, Value first, Value count, Value statistics) {
  if (!plan.hasStatistics())
    return;
  Reduction reduction(e, module, plan, count);
  auto ofRow = [&](Value row) { return e.at(statistics, e.mul(row, statisticsBytes)); };
  auto read = [&](Value row, Value quad) { return load(rowAddress(e, plan, x, e.add(first, row)), quad); };
  const bool isLayer = plan.spec.norm == Norm::Layer, hasNorm = plan.spec.norm != Norm::None;
  if (isLayer)
    reduction.run(
        {true, 1},
        [&](Value row, Value quad, ValueRange carried) -> Values {
          Value four = zeroBeyond(e, plan, quad, read(row, quad)), sum = carried[0];
          for (int64_t i = 0; i < 4; ++i)
            sum = e.addf(sum, e.element(four, i));
          return {sum};
        },
        [&](Value row, ValueRange sums) { e.store(meanOf(e, plan, sums[0]), ofRow(row)); });
  reduction.run(
      {hasNorm, int64_t(hasNorm) + plan.isScaled() * (1 + plan.spec.normBias)},
      [&](Value row, Value quad, ValueRange carried) {
        Value four = read(row, quad);
        if (isLayer)
          four = e.subf(four, e.broadcast(e.load(e.f32(), ofRow(row)), 4));
        return reduced(zeroBeyond(e, plan, quad, four), quad, carried);
      },
      [&](Value row, ValueRange values) { keep(values, ofRow(row)); });
}

Values Rows::planes(Value row, Value quad, Value statistics) {
  const emit::LinearSpec &spec = plan.spec;
  auto statistic = [&](int64_t i) { return e.broadcast(e.load(e.f32(), e.at(statistics, 4 * i)), 4); };
  Value value = load(rowAddress(e, plan, x, row), quad);
  if (spec.norm == Norm::Layer)
    value = e.subf(value, statistic(0));
  if (spec.norm != Norm::None)
    value = e.mulf(value, statistic(1));
  value = gained(value, quad);
  if (normBias)
    value = e.addf(value, load(normBias, quad));
  if (plan.isScaled())
    value = e.mulf(value, statistic(2));
  value = zeroBeyond(e, plan, quad, value);

  auto floats = e.vec(4, e.f32()), halves = e.vec(4, e.f16()), words = e.vec(4, e.i16());
  const bool isHalf = plan.type == MatrixType::F16;
  if (isHalf && spec.activations == ActivationType::BF16)
    value = e.extendBF16(e.truncToBF16(value));
  if (!isHalf && spec.activations == ActivationType::F16)
    value = arith::ExtFOp::create(e, floats, e.truncToF16(value));
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

} // namespace llmc::cuda::linear
