//===- LinearFewRows.cpp - products of up to 16 rows in one launch --------===//
//
// A block computes 32 rows of an output, gate and up where it is gated. Its warps take a slice of K each:
//   1. the copies of the first chunks of weights begin, and meanwhile the block reads the rows' statistics;
//   2. a warp norms and cuts its own chunk of the rows, tile by tile, and multiplies;
//   3. the slices' sums meet in shared memory, a thread adds those of a row and token and stores the result.
//
//===----------------------------------------------------------------------===//
#include "codegen/cuda/DefaultTarget.h"
#include "codegen/cuda/kernels/Linear.h"

using namespace mlir;

namespace llmc::cuda::linear {
namespace {

using emit::Emitter;
using emit::KernelArguments;
using emit::Values;

struct FewRows {
  Emitter &e;
  ModuleOp module;
  const Plan &plan;
  const int64_t tiles;
  // Shared memory: of each warp the weights of `stages` chunks and a tile's tokens; afterwards sums.
  int64_t stages, warpBytes, sharedBytes;

  FewRows(Emitter &e, ModuleOp module, const Plan &plan, int64_t tiles)
      : e(e), module(module), plan(plan), tiles(tiles) {
    const int64_t tokenBytes = tileTokens * plan.tokenStride();
    stages = 3;
    while (stages > 1 && plan.slices * (stages * plan.slotBytes() + tokenBytes) > sharedLimit)
      --stages;
    warpBytes = emit::roundUp(stages * plan.slotBytes() + tokenBytes, 128);
    sharedBytes = plan.slices * std::max(warpBytes, plan.weights * sumBytes());
  }

  int64_t tokens() const { return tiles * tileTokens; }
  /// Sums of a slice: [token][row].
  int64_t sumBytes() const { return tokens() * warpRows * 4; }

  void emit(const KernelArguments &arguments) {
    Value rows = arguments.rows(e, plan.spec.rowSpace);
    Value shared = sharedArray(e, module, "few_rows_" + std::to_string(tiles), sharedBytes);
    Value statistics;
    if (plan.hasStatistics())
      statistics = sharedArray(e, module, "statistics", fewRows * statisticsBytes);
    Rows x(e, plan, arguments);
    Target target = targetOf(e, plan, arguments, 1);
    Values sums = products(x, target, rows, shared, statistics);

    meet(e); // sums take the place of weights
    Value lane = laneNumber(e), warp = warpNumber(e);
    Value row = e.mul(e.div(lane, 4), 4), token = e.mul(e.rem(lane, 4), 2);
    for (int64_t w = 0; w < plan.weights; ++w)
      for (int64_t tile = 0; tile < tiles; ++tile)
        for (int64_t i = 0; i < 2; ++i) {
          Value slot = e.add(e.mul(e.add(token, tile * tileTokens + i), warpRows), row);
          Value at = e.add(e.mul(e.add(e.mul(warp, plan.weights), w), sumBytes()), e.mul(slot, 4));
          ValueRange ofTile = ValueRange(sums).slice((w * tiles + tile) * laneSums, laneSums);
          e.store(sumsOfToken(e, ofTile, i), e.at(shared, at), 0, 16);
        }
    meet(e);
    finish(target, rows, shared, statistics);
  }

  /// [weight][tile] sums of a slice.
  Values products(Rows &x, const Target &target, Value rows, Value shared, Value statistics) {
    Value warp = warpNumber(e), mine = e.at(shared, e.mul(warp, warpBytes));
    Value tokens = e.at(mine, stages * plan.slotBytes());
    Value first = e.div(e.mul(warp, plan.chunks), plan.slices);
    Value last = e.div(e.mul(e.add(warp, 1), plan.chunks), plan.slices);
    const Panels panels(e, plan, target);
    auto slot = [&](Value number) { return e.at(mine, e.mul(number, plan.slotBytes())); };
    auto copy = [&](Value chunk, Value number) {
      e.when(e.less(chunk, last), [&] { panels.copy(chunk, slot(number)); });
      commitCopies(e);
    };
    for (int64_t stage = 0; stage + 1 < stages; ++stage)
      copy(e.add(first, stage), e.c(stage));
    x.statistics(module, e.c(0), rows, statistics);

    Values carried(plan.weights * tiles * laneSums, e.real(e.f32(), 0));
    carried.push_back(e.c(0));
    Values sums = e.loop(first, last, 1, carried, [&](Value chunk, ValueRange carried) {
      Value number = carried.back();
      copy(e.add(chunk, stages - 1), e.rem(e.add(number, stages - 1), stages));
      waitForCopies(e, stages - 1); // who reads them meets first, for tokens
      Values sums(carried.drop_back());
      for (int64_t tile = 0; tile < tiles; ++tile) {
        stageTokens(x, chunk, tile, rows, tokens, statistics);
        meetWarp(e);
        sums = overGroups(e, plan, sums, [&](Value group, Values &sums) {
          Matrices matrices = loadTokens(e, plan, tokens, group);
          for (int64_t w = 0; w < plan.weights; ++w) {
            Value chunkOfWeight = e.at(slot(number), w * plan.pairBytes());
            Fragments weights = loadFragments(e, plan, chunkOfWeight, group);
            auto ofTile = MutableArrayRef<Value>(sums).slice((w * tiles + tile) * laneSums, laneSums);
            llvm::copy(multiply(e, plan, weights, matrices, ofTile), ofTile.begin());
          }
        });
        meetWarp(e); // before others write what is read here
      }
      sums.push_back(e.rem(e.add(number, 1), stages));
      return sums;
    });
    sums.pop_back();
    return sums;
  }

  /// A chunk of a tile's tokens, several at once, as planes. A last one fills up: its copies are no one's.
  void stageTokens(Rows &x, Value chunk, int64_t tile, Value rows, Value to, Value statistics) {
    const int64_t quads = plan.columns / 4, atOnce = warpLanes / quads;
    Value lane = laneNumber(e), quad = e.rem(lane, quads), which = e.div(lane, quads);
    Value left = e.min(e.sub(rows, tile * tileTokens), e.c(tileTokens));
    Value whole = e.add(e.mul(chunk, quads), quad);
    e.loop(e.c(0), left, atOnce, [&](Value first) {
      Value slot = e.add(first, which), token = e.min(e.add(slot, tile * tileTokens), e.sub(rows, 1));
      Value ofRow = plan.hasStatistics() ? e.at(statistics, e.mul(token, statisticsBytes)) : Value();
      x.store(x.planes(token, whole, ofRow), e.at(to, e.mul(slot, plan.tokenStride())), quad);
    });
  }

  void finish(const Target &target, Value rows, Value shared, Value statistics) {
    Value thread = readRegister(e, "tid.x");
    Value rowsLeft = e.sub(e.mul(target.panels, quant::panelRows), e.mul(target.rowBlock, warpRows));
    for (int64_t done = 0; done < warpRows * tokens(); done += plan.threads()) {
      Value number = e.add(thread, done), row = e.rem(number, warpRows), token = e.div(number, warpRows);
      e.when(e.both(e.less(token, rows), e.less(row, rowsLeft)), [&] {
        Values totals;
        for (int64_t w = 0; w < plan.weights; ++w) {
          Value total = e.real(e.f32(), 0);
          for (int64_t slice = 0; slice < plan.slices; ++slice) {
            Value at = e.at(shared, (slice * plan.weights + w) * sumBytes());
            total = e.addf(total, e.load(e.f32(), e.at(at, e.mul(number, 4))));
          }
          totals.push_back(total);
        }
        Value inverseScale;
        if (plan.isScaled())
          inverseScale = e.load(e.f32(), e.at(statistics, e.add(e.mul(token, statisticsBytes), 12)));
        storeResult(e, plan, target, totals, inverseScale, e.add(e.mul(target.rowBlock, warpRows), row),
                    token);
      });
    }
  }
};

} // namespace

codegen::DeviceLaunch emitFewRows(ModuleOp module, StringRef name, const Plan &plan, int64_t tiles) {
  Emitter e(module.getLoc(), module.getContext());
  FewRows kernel(e, module, plan, tiles);
  codegen::DeviceLaunch launch;
  launch.entry = (name + "_rows" + Twine(kernel.tokens())).str();
  launch.threads = plan.threads();
  launch.blocks = blocksOf(plan, 1);
  launch.minRows = tiles > 1 ? kernel.tokens() / 2 + 1 : 1;
  launch.maxRows = kernel.tokens();
  emitEntry(e, module, launch.entry, launch.threads,
            [&](const KernelArguments &arguments) { kernel.emit(arguments); });
  return launch;
}

} // namespace llmc::cuda::linear
