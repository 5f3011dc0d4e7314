//===- LinearSplit.cpp - sums of slices of several blocks -----------------===//
#include "codegen/cuda/kernels/LinearSplit.h"

#include "codegen/cuda/Entry.h"

using namespace mlir;

namespace llmc::cuda::linear {

using emit::Emitter;
using emit::Values;

Split::Split(Emitter &e, const Plan &plan, const emit::KernelArguments &arguments, int64_t warps, Value group,
             Value slice, Value rows)
    : e(e), plan(plan), warps(warps), group(group), slice(slice), rows(rows) {
  common = e.load(e.ptr(), e.load(e.ptr(), arguments.step, offsetof(llmc_step, scratch)));
  counter = e.at(e.load(e.ptr(), arguments.step, offsetof(llmc_step, counters)), e.mul(group, 4));
}

Value Split::record(Value slice, Value token) {
  Value block = e.add(e.mul(group, plan.slices), slice);
  return e.at(common, e.mul(e.add(e.mul(block, rows), token), recordBytes(plan, warps)));
}

void Split::store(const Target &ofWarp, ValueRange totals) {
  const int64_t tiles = int64_t(totals.size()) / (plan.weights * laneSums);
  Value row = e.mul(e.div(laneNumber(e), 4), 4), inBlock = e.add(e.mul(warpNumber(e), warpRows), row);
  Value inOutput = e.add(e.mul(ofWarp.rowBlock, warpRows), row);
  Value hasRow = e.less(inOutput, e.mul(ofWarp.panels, quant::panelRows));
  forEachToken(e, tiles, [&](int64_t tile, int64_t which, Value token) {
    e.when(e.both(hasRow, e.less(token, rows)), [&] {
      Value to = e.at(record(slice, token), e.mul(inBlock, 4));
      for (int64_t w = 0; w < plan.weights; ++w)
        e.store(sumsOfToken(e, totals.slice((w * tiles + tile) * laneSums, laneSums), which), to,
                w * warps * warpRows * 4, 16);
    });
  });
}

void Split::storeSquares(Value token, Value squares) {
  e.store(squares, record(slice, token), squaresOffset(plan, warps));
}

/// One thread tells what all have stored, and learns what other blocks have told.
Value Split::isLast(ModuleOp module) {
  Value before = sharedArray(e, module, "blocks_before", 4);
  meet(e);
  e.when(e.equal(threadNumber(e), e.c(0)), [&] {
    passFence(e);
    Value count = countUp(e, counter, plan.slices - 1);
    passFence(e);
    e.store(count, before);
  });
  meet(e);
  return e.equal(e.load(e.i32(), before), e.splat(e.i32(), plan.slices - 1));
}

void Split::finish(ModuleOp module, const Target &target, Rows &x) {
  e.when(isLast(module), [&] { addUp(module, target, x); });
}

/// Ascending; an f32, or four. Some loads are under way at a time.
Value Split::sumOfSlices(Type type, Value token, Value offset) {
  const unsigned alignment = isa<VectorType>(type) ? 16 : 4;
  constexpr int64_t atOnce = 4;
  auto some = [&](Value first, int64_t count, Value sum) {
    Values numbers;
    for (int64_t i = 0; i < count; ++i)
      numbers.push_back(e.load(type, e.at(record(e.add(first, i), token), offset), 0, alignment));
    for (Value number : numbers)
      sum = e.addf(sum, number);
    return sum;
  };
  const int64_t whole = plan.slices / atOnce * atOnce;
  Value sum = e.real(type, 0);
  if (whole)
    sum = e.loop(e.c(0), e.c(whole), atOnce, sum, [&](Value first, ValueRange carried) -> Values {
      return {some(first, atOnce, carried[0])};
    })[0];
  return some(e.c(whole), plan.slices - whole, sum);
}

/// A thread has four rows of the output, for one token of each few.
void Split::addUp(ModuleOp module, const Target &target, Rows &x) {
  Value thread = threadNumber(e), factors;
  if (plan.hasFactor()) {
    factors = sharedArray(e, module, "factors", fewRows * 4);
    e.when(e.less(thread, rows), [&] {
      Value squares = sumOfSlices(e.f32(), thread, e.c(squaresOffset(plan, warps)));
      e.store(x.factor(squares), e.at(factors, e.mul(thread, 4)));
    });
    meet(e);
  }
  const int64_t blockRows = warps * warpRows, threadsOfToken = blockRows / 4;
  Value inBlock = e.mul(e.rem(thread, threadsOfToken), 4), firstToken = e.div(thread, threadsOfToken);
  Value row = e.add(e.mul(target.rowBlock, blockRows), inBlock);
  e.when(e.less(row, e.mul(target.panels, quant::panelRows)), [&] {
    e.loop(firstToken, rows, warps * warpLanes / threadsOfToken, [&](Value token) {
      Values sums;
      for (int64_t w = 0; w < plan.weights; ++w)
        sums.push_back(sumOfSlices(e.vec(4, e.f32()), token, e.mul(e.add(inBlock, w * blockRows), 4)));
      Value factor = factors ? e.load(e.f32(), e.at(factors, e.mul(token, 4))) : Value();
      storeResult(e, plan, target, sums, factor, row, token);
    });
  });
}

} // namespace llmc::cuda::linear
