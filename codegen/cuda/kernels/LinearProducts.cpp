//===- LinearProducts.cpp - products of a chunk, and what follows sums ----===//
#include "codegen/cuda/kernels/Linear.h"
#include "codegen/emit/Activation.h"

using namespace mlir;

namespace llmc::cuda::linear {

using emit::Emitter;
using emit::Values;

Matrices loadTokens(Emitter &e, const Plan &plan, Value tokens, Value group) {
  Value lane = laneNumber(e), inGroup = e.add(e.mul(group, 64), e.mul(e.div(lane, 8), 16));
  Value row = e.at(tokens, e.add(e.mul(e.rem(lane, 8), plan.tokenStride()), inGroup));
  Matrices planes;
  for (int64_t plane = 0; plane < plan.planes; ++plane)
    planes.push_back(loadMatrices(e, e.at(row, plane * plan.planeBytes())));
  return planes;
}

Values multiply(Emitter &e, const Plan &plan, const Fragments &weights, const Matrices &tokens,
                ValueRange sums) {
  const Values zeros(4, e.real(e.f32(), 0)), ones(4, e.splat(e.i32(), 0x3c003c00));
  auto addProducts = [&](llvm::function_ref<ValueRange(int64_t step)> a, Values c) {
    for (int64_t step = 0; step < 2; ++step)
      for (const Values &plane : tokens)
        c = multiplyMatrices(e, plan.type, a(step), ValueRange(plane).slice(2 * step, 2), c);
    return c;
  };
  Values sumsOfTokens, result;
  if (plan.scheme.hasMin)
    sumsOfTokens = addProducts([&](int64_t) { return ValueRange(ones); }, zeros);
  for (int64_t p = 0; p < 2; ++p) {
    auto rows = [&](int64_t step) { return ValueRange(weights.a[step][p]); };
    Values ofPair = sums.slice(4 * p, 4);
    if (!plan.scheme.isInteger()) {
      llvm::append_range(result, addProducts(rows, ofPair));
      continue;
    }
    Values products = addProducts(rows, zeros);
    for (int64_t i = 0; i < 4; ++i) {
      const int64_t row = 2 * p + i / 2;
      Value sum = e.fma(e.element(weights.scales, row), products[i], ofPair[i]);
      if (plan.scheme.hasMin)
        sum = e.fma(e.element(weights.minimums, row), sumsOfTokens[i], sum);
      result.push_back(sum);
    }
  }
  return result;
}

/// A loop over the groups of a chunk: unrolled, it would take more registers than there are.
Values overGroups(Emitter &e, const Plan &plan, ValueRange sums,
                  llvm::function_ref<void(Value group, Values &sums)> body) {
  return e.loop(e.c(0), e.c(plan.groups()), 1, sums, [&](Value group, ValueRange carried) {
    Values sums(carried);
    body(group, sums);
    return sums;
  });
}

Value sumsOfToken(Emitter &e, ValueRange sums, int64_t token) {
  Values rows = {sums[token], sums[2 + token], sums[4 + token], sums[6 + token]};
  return vector::FromElementsOp::create(e, e.vec(4, e.f32()), rows);
}

void forEachToken(Emitter &e, int64_t tiles,
                  llvm::function_ref<void(int64_t tile, int64_t which, Value token)> body) {
  Value first = e.mul(e.rem(laneNumber(e), 4), 2);
  for (int64_t tile = 0; tile < tiles; ++tile)
    for (int64_t which = 0; which < 2; ++which)
      body(tile, which, e.add(first, tile * tileTokens + which));
}

Values addSlice(Emitter &e, const Plan &plan, ValueRange totals, ValueRange sums,
                llvm::function_ref<Value(Value token)> inverseScale) {
  const int64_t tiles = int64_t(totals.size()) / (plan.weights * laneSums);
  Values result(totals);
  forEachToken(e, tiles, [&](int64_t tile, int64_t which, Value token) {
    Value inverse = inverseScale(token);
    for (int64_t w = 0; w < plan.weights; ++w)
      for (int64_t i = which; i < laneSums; i += 2) {
        const int64_t at = (w * tiles + tile) * laneSums + i;
        result[at] = e.addf(totals[at], e.mulf(sums[at], inverse));
      }
  });
  return result;
}

void storeResult(Emitter &e, const Plan &plan, const Target &target, ValueRange sums, Value factor, Value row,
                 Value token) {
  const emit::LinearSpec &spec = plan.spec;
  Type type = sums[0].getType();
  const unsigned alignment = isa<VectorType>(type) ? 16 : 4;
  auto read = [&](Value address, Value offset) { return e.load(type, e.at(address, offset), 0, alignment); };
  Value column = e.mul(row, 4), inOutput = e.add(e.mul(token, target.rowStride), column);
  Values values;
  for (auto [i, sum] : llvm::enumerate(sums)) {
    if (factor)
      sum = e.mulf(sum, isa<VectorType>(type) ? e.broadcast(factor, 4) : factor);
    values.push_back(spec.bias ? e.addf(sum, read(target.biases[i], column)) : sum);
  }
  Value v = emit::emitActivation(e, spec.act, values[0]);
  if (spec.glu)
    v = e.mulf(v, values[1]);
  if (spec.scale != 1)
    v = e.mulf(v, spec.scale);
  if (spec.residual)
    v = e.addf(read(target.residual, inOutput), v);
  e.store(v, e.at(target.output, inOutput), 0, alignment);
}

void storeTotals(Emitter &e, const Plan &plan, const Target &ofWarp, ValueRange totals, Value firstToken,
                 Value count, llvm::function_ref<Value(Value token)> factor) {
  const int64_t tiles = int64_t(totals.size()) / (plan.weights * laneSums);
  Value row = e.add(e.mul(ofWarp.rowBlock, warpRows), e.mul(e.div(laneNumber(e), 4), 4));
  Value hasRow = e.less(row, e.mul(ofWarp.panels, quant::panelRows));
  forEachToken(e, tiles, [&](int64_t tile, int64_t which, Value token) {
    e.when(e.both(hasRow, e.less(token, count)), [&] {
      Values sums;
      for (int64_t w = 0; w < plan.weights; ++w)
        sums.push_back(sumsOfToken(e, totals.slice((w * tiles + tile) * laneSums, laneSums), which));
      storeResult(e, plan, ofWarp, sums, factor(token), row, e.add(firstToken, token));
    });
  });
}

} // namespace llmc::cuda::linear
