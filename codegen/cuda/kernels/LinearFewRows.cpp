//===- LinearFewRows.cpp - products of up to 16 rows in one launch --------===//
//
// A warp computes 32 rows of an output, gate and up where it is gated; a block goes through a slice of K, or
// through all:
//   1. the copies of the first chunks of weights begin;
//   2. each warp takes some rows of x, has their slice in registers, and finds its power of two;
//   3. round by round of 128 columns these become planes in shared memory, which all warps multiply;
//   4. a slice's sums go to memory, where the last block of these rows adds them (LinearSplit.h); or they are
//      added in registers, where the block goes through all.
//
//===----------------------------------------------------------------------===//
#include "codegen/cuda/Entry.h"
#include "codegen/cuda/kernels/LinearSplit.h"

using namespace mlir;

namespace llmc::cuda::linear {
namespace {

using emit::Emitter;
using emit::KernelArguments;
using emit::Values;

/// How much of the shared memory is for what.
struct Form {
  int64_t tokens, warps, stages, buffers;
  int64_t slotBytes, bufferBytes; // a warp's chunk of weights; planes of a round, [chunk][token]
  int64_t weightBytes() const { return warps * stages * slotBytes; }
  int64_t sharedBytes() const { return weightBytes() + buffers * bufferBytes; }
  int64_t threads() const { return warps * warpLanes; }
};

/// Of those that fit, the one with most rows of weights to a block, then with most copies under way. One tile
/// has half as many warps where each has two weights; of two tiles a warp would have too many rows of x.
Form formOf(const Plan &plan, int64_t tokens) {
  Form form = {tokens, 0, 0, 0, plan.slotBytes(), plan.roundChunks() * tokens * plan.tokenStride()};
  for (form.warps = tokens == tileTokens ? 8 / plan.weights : 8; form.warps > 1; form.warps /= 2)
    for (auto [stages, buffers] : {std::pair(4, 2), std::pair(3, 2), std::pair(2, 2), std::pair(2, 1)}) {
      form.stages = stages, form.buffers = buffers;
      if (form.sharedBytes() <= sharedLimit)
        return form;
    }
  return form;
}

class FewRows {
public:
  FewRows(Emitter &e, ModuleOp module, const Plan &plan, const Form &form)
      : e(e), module(module), plan(plan), form(form) {}
  void emit(const KernelArguments &arguments);

private:
  /// What slices carry: [weight][tile] totals, the squares of the warp's rows of x, the stage of the next
  /// chunk, the buffer of the next round.
  struct Carried {
    Values totals, squares;
    Value stage, buffer;
    Values all() const;
  };
  Carried carriedFrom(ValueRange all) const;
  int64_t tiles() const { return form.tokens / tileTokens; }

  /// The rows of x that are this warp's.
  int64_t ownTokens() const { return form.tokens / form.warps; }
  Value ownToken(int64_t i) { return e.add(warpNumber(e), i * form.warps); }
  /// By one lane, of each of the warp's rows that the step has.
  void forEachRow(llvm::function_ref<void(int64_t i)> body);
  Values whereThere(int64_t i, const Values &otherwise, llvm::function_ref<Values(Value token)> body);
  void loadNorms(Rows &x);
  SmallVector<Rows::Slice> loadSlices(Rows &x, Value slice);
  Value inverseScale(Value slice, Value token);
  void stage(Rows &x, ArrayRef<Rows::Slice> slices, Value round, Value planes);
  void storeFactors(Rows &x, ValueRange squares);

  Value slot(Value stage);
  void copy(const Panels &panels, Value chunk, Value stage);
  Carried addSlice(Rows &x, const Panels &panels, Value slice, Carried carried);
  Values addRound(const Panels &panels, Value first, Value last, Value planes, ValueRange sumsAndStage);
  Carried products(Rows &x, const Target &ofWarp, Value slice);

  Emitter &e;
  ModuleOp module;
  const Plan &plan;
  const Form form;

  Value rows, shared, inverseScales, factors; // addresses in shared memory; null where there are no factors
  Value end;                                  // of the block's chunks
  SmallVector<Values> norms;                  // of the warp's rows
};

Values FewRows::Carried::all() const {
  Values all = totals;
  llvm::append_range(all, squares);
  all.push_back(stage);
  all.push_back(buffer);
  return all;
}

FewRows::Carried FewRows::carriedFrom(ValueRange all) const {
  const size_t nTotals = plan.weights * tiles() * laneSums;
  return {all.take_front(nTotals), all.drop_front(nTotals).drop_back(2), all.drop_back().back(), all.back()};
}

void FewRows::forEachRow(llvm::function_ref<void(int64_t i)> body) {
  for (int64_t i = 0; i < ownTokens(); ++i)
    e.when(e.both(e.less(ownToken(i), rows), e.equal(laneNumber(e), e.c(0))), [&] { body(i); });
}

/// What `body` gives of the warp's row i, if the step has that row.
Values FewRows::whereThere(int64_t i, const Values &otherwise, llvm::function_ref<Values(Value)> body) {
  Value token = ownToken(i), times = e.select(e.less(token, rows), e.c(1), e.c(0));
  return e.loop(e.c(0), times, 1, otherwise, [&](Value, ValueRange) { return body(token); });
}

void FewRows::loadNorms(Rows &x) {
  for (int64_t i = 0; i < ownTokens(); ++i)
    norms.push_back(
        plan.spec.norm == emit::Norm::Layer
            ? whereThere(i, Values(2, e.real(e.f32(), 0)), [&](Value token) { return x.layerNorm(token); })
            : Values());
}

Value FewRows::inverseScale(Value slice, Value token) {
  // Of two slices in turn: some threads may still read those of the last one.
  Value at = e.add(e.mul(e.rem(slice, 2), form.tokens), token);
  return e.at(inverseScales, e.mul(at, 4));
}

/// The warp's rows.
SmallVector<Rows::Slice> FewRows::loadSlices(Rows &x, Value slice) {
  SmallVector<Rows::Slice> slices;
  Value zero = e.real(e.f32(), 0);
  for (int64_t i = 0; i < ownTokens(); ++i) {
    Values otherwise(plan.rounds(), e.real(e.vec(4, e.f32()), 0));
    otherwise.push_back(zero);
    if (plan.hasFactor())
      otherwise.push_back(zero);
    Values values = whereThere(i, otherwise, [&](Value token) {
      Rows::Slice mine = x.load(token, slice, norms[i]);
      e.when(e.equal(laneNumber(e), e.c(0)), [&] { e.store(mine.inverseScale, inverseScale(slice, token)); });
      Values values = mine.fours;
      values.push_back(mine.scale);
      if (plan.hasFactor())
        values.push_back(mine.squares);
      return values;
    });
    Rows::Slice &mine = slices.emplace_back();
    mine.fours.assign(values.begin(), values.begin() + plan.rounds());
    mine.scale = values[plan.rounds()];
    if (plan.hasFactor())
      mine.squares = values.back();
  }
  return slices;
}

/// The planes of a round of the warp's rows.
void FewRows::stage(Rows &x, ArrayRef<Rows::Slice> slices, Value round, Value planes) {
  for (auto [i, mine] : llvm::enumerate(slices)) {
    Value token = ownToken(i), four = mine.fours[0];
    for (int64_t r = 1; r < plan.rounds(); ++r)
      four = e.select(e.equal(round, e.c(r)), mine.fours[r], four);
    e.when(e.less(token, rows), [&] {
      Value row = e.add(e.mul(x.chunkOfRound(), form.tokens), token);
      x.store(x.planes(four, mine.scale), e.at(planes, e.mul(row, plan.tokenStride())), x.quadOfChunk());
    });
  }
}

Value FewRows::slot(Value stage) {
  Value mine = e.add(e.mul(warpNumber(e), form.stages), stage);
  return e.at(shared, e.mul(mine, form.slotBytes));
}

void FewRows::copy(const Panels &panels, Value chunk, Value stage) {
  panels.copy(chunk, end, slot(stage));
  commitCopies(e);
}

/// Chunks of a round, whose planes are there.
Values FewRows::addRound(const Panels &panels, Value first, Value last, Value planes,
                         ValueRange sumsAndStage) {
  return e.loop(first, last, 1, sumsAndStage, [&](Value chunk, ValueRange carried) {
    Value stage = carried.back(), weights = slot(stage);
    copy(panels, e.add(chunk, form.stages - 1), e.rem(e.add(stage, form.stages - 1), form.stages));
    waitForCopies(e, form.stages - 1);
    meetWarp(e);
    Value ofChunk = e.at(planes, e.mul(e.sub(chunk, first), form.tokens * plan.tokenStride()));
    Values sums = overGroups(e, plan, carried.drop_back(), [&](Value group, Values &sums) {
      for (int64_t tile = 0; tile < tiles(); ++tile) {
        Value ofTile = e.at(ofChunk, tile * tileTokens * plan.tokenStride());
        Matrices matrices = loadTokens(e, plan, ofTile, group);
        for (int64_t w = 0; w < plan.weights; ++w) {
          Fragments fragments = loadFragments(e, plan, e.at(weights, w * plan.pairBytes()), group);
          auto mine = MutableArrayRef<Value>(sums).slice((w * tiles() + tile) * laneSums, laneSums);
          llvm::copy(multiply(e, plan, fragments, matrices, mine), mine.begin());
        }
      }
    });
    meetWarp(e); // before a copy takes their place
    sums.push_back(e.rem(e.add(stage, 1), form.stages));
    return sums;
  });
}

FewRows::Carried FewRows::addSlice(Rows &x, const Panels &panels, Value slice, Carried carried) {
  const SmallVector<Rows::Slice> mine = loadSlices(x, slice);
  Value first = plan.firstChunk(e, slice), last = plan.firstChunk(e, e.add(slice, 1));
  Values state(carried.totals.size(), e.real(e.f32(), 0));
  state.push_back(carried.stage);
  state.push_back(carried.buffer);
  state = e.loop(first, last, plan.roundChunks(), state, [&](Value chunk, ValueRange state) {
    Value round = e.div(e.sub(chunk, first), plan.roundChunks()), buffer = state.back();
    Value planes = e.at(shared, e.add(e.mul(buffer, form.bufferBytes), form.weightBytes()));
    if (form.buffers == 1)
      meet(e); // the planes that stand there are read
    stage(x, mine, round, planes);
    meet(e);
    Value behind = e.min(e.add(chunk, plan.roundChunks()), last);
    behind = e.select(panels.haveRows(), behind, chunk);
    Values next = addRound(panels, chunk, behind, planes, state.drop_back());
    next.push_back(e.rem(e.add(buffer, 1), form.buffers));
    return next;
  });
  carried.totals = linear::addSlice(e, plan, carried.totals, ValueRange(state).drop_back(2),
                                    [&](Value token) { return e.load(e.f32(), inverseScale(slice, token)); });
  for (auto [sum, row] : llvm::zip(carried.squares, mine))
    sum = e.addf(sum, row.squares);
  carried.buffer = state.pop_back_val();
  carried.stage = state.pop_back_val();
  return carried;
}

/// Of the slice, or, where it is null, of all.
FewRows::Carried FewRows::products(Rows &x, const Target &ofWarp, Value slice) {
  const Panels panels(e, plan, ofWarp);
  Value first = slice ? plan.firstChunk(e, slice) : e.c(0);
  end = slice ? plan.firstChunk(e, e.add(slice, 1)) : e.c(plan.chunks);
  for (int64_t i = 0; i + 1 < form.stages; ++i)
    copy(panels, e.add(first, i), e.c(i));
  loadNorms(x);
  Value zero = e.real(e.f32(), 0);
  const Carried start = {Values(plan.weights * tiles() * laneSums, zero),
                         Values(plan.hasFactor() ? ownTokens() : 0, zero), e.c(0), e.c(0)};
  if (slice)
    return addSlice(x, panels, slice, start);
  return carriedFrom(e.loop(e.c(0), e.c(plan.slices), 1, start.all(), [&](Value slice, ValueRange all) {
    return addSlice(x, panels, slice, carriedFrom(all)).all();
  }));
}

/// Where no other block has a part in them.
void FewRows::storeFactors(Rows &x, ValueRange squares) {
  if (!plan.hasFactor())
    return;
  factors = sharedArray(e, module, "factors", fewRows * 4);
  forEachRow([&](int64_t i) { e.store(x.factor(squares[i]), e.at(factors, e.mul(ownToken(i), 4))); });
  meet(e);
}

void FewRows::emit(const KernelArguments &arguments) {
  rows = arguments.rows(e, plan.spec.rowSpace);
  const std::string tokens = std::to_string(form.tokens);
  shared = sharedArray(e, module, "few_rows_" + tokens, form.sharedBytes());
  inverseScales = sharedArray(e, module, "inverse_scales_" + tokens, 2 * form.tokens * 4);
  Rows x(e, plan, arguments);
  Value block = blockNumber(e, Axis::X);
  const bool isSplit = Split::isWorth(plan, form.warps);
  Value group = isSplit ? e.div(block, plan.slices) : block;
  Value slice = isSplit ? e.rem(block, plan.slices) : Value();
  const Target target = targetOf(e, plan, arguments, group, form.warps), mine = ofWarp(e, target, form.warps);
  const Carried sums = products(x, mine, slice);
  if (!isSplit) {
    storeFactors(x, sums.squares);
    storeTotals(e, plan, mine, sums.totals, e.c(0), rows, [&](Value token) {
      return factors ? e.load(e.f32(), e.at(factors, e.mul(token, 4))) : Value();
    });
    return;
  }
  Split split(e, plan, arguments, form.warps, group, slice, rows);
  split.store(mine, sums.totals);
  if (plan.hasFactor())
    forEachRow([&](int64_t i) { split.storeSquares(ownToken(i), sums.squares[i]); });
  split.finish(module, target, x);
}

} // namespace

codegen::DeviceLaunch emitFewRows(ModuleOp module, StringRef name, const Plan &plan, int64_t tiles,
                                  uint64_t &commonPerRow) {
  Emitter e(module.getLoc(), module.getContext());
  const Form form = formOf(plan, tiles * tileTokens);
  FewRows kernel(e, module, plan, form);
  codegen::DeviceLaunch launch;
  launch.entry = (name + "_rows" + Twine(form.tokens)).str();
  launch.threads = form.threads();
  launch.blocks = rowBlocks(plan, form.warps);
  if (Split::isWorth(plan, form.warps)) {
    launch.blocks *= plan.slices;
    commonPerRow = std::max<uint64_t>(commonPerRow, Split::bytesPerRow(plan, form.warps));
  }
  launch.minRows = tiles > 1 ? form.tokens / 2 + 1 : 1;
  launch.maxRows = form.tokens;
  emitEntry(e, module, launch.entry, launch.threads,
            [&](const KernelArguments &arguments) { kernel.emit(arguments); });
  return launch;
}

} // namespace llmc::cuda::linear
