//===- LinearManyRows.cpp - products of many rows -------------------------===//
//
// Two launches. The first writes the planes of every row to memory, in the order of matrix instructions: for
// each chunk all planes, then one over the row's scale. The second multiplies: a block takes 128 rows of an
// output, a warp 32 of them, and some tiles of tokens at a time. Weights and tokens of a chunk come by
// asynchronous copies, while the chunk before is multiplied; tokens are shared by the block's warps. A warp
// goes through all slices and adds their sums, as threads do where there are few rows.
//
//===----------------------------------------------------------------------===//
#include "codegen/cuda/DefaultTarget.h"
#include "codegen/cuda/kernels/Linear.h"

using namespace mlir;

namespace llmc::cuda::linear {

using emit::Emitter;
using emit::KernelArguments;
using emit::Values;

constexpr int64_t maxRowBlocks = 256;

/// for (i = ctaid.y; i < count; i += nctaid.y)
static void forEachInY(Emitter &e, Value count, llvm::function_ref<void(Value)> body) {
  e.loop(readRegister(e, "ctaid.y"), count, readRegister(e, "nctaid.y"), body);
}

codegen::DeviceLaunch emitPack(ModuleOp module, StringRef name, const Plan &plan) {
  Emitter e(module.getLoc(), module.getContext());
  codegen::DeviceLaunch launch;
  launch.entry = (name + "_pack").str();
  launch.threads = plan.threads();
  launch.minRows = fewRows + 1;
  launch.rowsPerBlock = 1;
  launch.maxRowBlocks = maxRowBlocks;
  emitEntry(e, module, launch.entry, launch.threads, [&](const KernelArguments &arguments) {
    Value statistics;
    if (plan.hasStatistics())
      statistics = sharedArray(e, module, "statistics", fewRows * statisticsBytes);
    Rows x(e, plan, arguments);
    Value packed = arguments.pointer(e, plan.packed()), thread = readRegister(e, "tid.x");
    const int64_t quads = plan.columns / 4;
    forEachInY(e, arguments.rows(e, plan.spec.rowSpace), [&](Value row) {
      x.statistics(module, row, e.c(1), statistics);
      Value to = e.at(packed, e.mul(row, plan.packedRowBytes()));
      e.loop(thread, e.c(plan.chunks * quads), plan.threads(), [&](Value quad) {
        Value chunk = e.at(to, e.mul(e.div(quad, quads), plan.tokenBytes()));
        x.store(x.planes(row, quad, statistics), chunk, e.rem(quad, quads));
      });
      if (plan.isScaled())
        e.when(e.equal(thread, e.c(0)),
               [&] { e.store(e.load(e.f32(), e.at(statistics, 12)), to, plan.chunks * plan.tokenBytes()); });
    });
  });
  return launch;
}

namespace {

struct ManyRows {
  Emitter &e;
  ModuleOp module;
  const Plan &plan;
  int64_t tiles, stages = 2;
  static constexpr int64_t threads = largeWarps * warpLanes;

  // As many tiles as registers hold the sums of, those of a slice and of all.
  ManyRows(Emitter &e, ModuleOp module, const Plan &plan)
      : e(e), module(module), plan(plan), tiles(4 / plan.weights) {
    while (tiles > 1 && sharedBytes() > sharedLimit)
      tiles /= 2;
  }

  int64_t tokens() const { return tiles * tileTokens; }
  /// Shared memory of a stage: weights of each warp, then tokens.
  int64_t weightBytes() const { return largeWarps * plan.slotBytes(); }
  int64_t stageBytes() const { return emit::roundUp(weightBytes() + tokens() * plan.tokenStride(), 128); }
  int64_t sharedBytes() const { return stages * stageBytes(); }

  Value rows, packed, shared;
  std::optional<Panels> panels;

  void emit(const KernelArguments &arguments) {
    rows = arguments.rows(e, plan.spec.rowSpace);
    packed = arguments.pointer(e, plan.packed());
    shared = sharedArray(e, module, "many_rows", sharedBytes());
    Target target = targetOf(e, plan, arguments, largeWarps);
    target.rowBlock = e.add(e.mul(target.rowBlock, largeWarps), warpNumber(e));
    panels.emplace(e, plan, target);
    Value count = e.div(e.add(rows, tokens() - 1), tokens());
    forEachInY(e, count, [&](Value block) {
      Value first = e.mul(block, tokens());
      Values totals = products(first);
      finish(target, first, totals);
      meet(e); // before the next copies
    });
  }

  Value stage(Value number) { return e.at(shared, e.mul(number, stageBytes())); }
  Value weightsIn(Value stage, int64_t w) {
    Value mine = e.at(stage, e.mul(warpNumber(e), plan.slotBytes()));
    return e.at(mine, w * plan.pairBytes());
  }

  void copy(Value firstToken, Value chunk, Value number) {
    e.when(e.less(chunk, e.c(plan.chunks)), [&] {
      Value to = stage(number);
      panels->copy(chunk, weightsIn(to, 0));
      const int64_t pieces = plan.tokenBytes() / 16, all = tokens() * pieces;
      Value thread = readRegister(e, "tid.x");
      for (int64_t done = 0; done < all; done += threads) {
        Value number = e.add(thread, done), token = e.div(number, pieces), piece = e.rem(number, pieces);
        auto copyPiece = [&] {
          Value row = e.min(e.add(firstToken, token), e.sub(rows, 1));
          Value from = e.add(e.mul(row, plan.packedRowBytes()), e.mul(chunk, plan.tokenBytes()));
          Value at = e.add(e.mul(token, plan.tokenStride()), weightBytes());
          copyAsync(e, e.at(to, e.add(at, e.mul(piece, 16))), e.at(packed, e.add(from, e.mul(piece, 16))));
        };
        if (done + threads <= all)
          copyPiece();
        else
          e.when(e.less(number, e.c(all)), copyPiece);
      }
    });
    commitCopies(e);
  }

  /// [weight][tile] sums of all slices.
  Values products(Value firstToken) {
    for (int64_t i = 0; i + 1 < stages; ++i)
      copy(firstToken, e.c(i), e.c(i));
    const Values zeros(plan.weights * tiles * laneSums, e.real(e.f32(), 0));
    Values carried = zeros;
    carried.push_back(e.c(0));
    Values totals = e.loop(e.c(0), e.c(plan.slices), 1, carried, [&](Value slice, ValueRange carried) {
      Value first = e.div(e.mul(slice, plan.chunks), plan.slices);
      Value last = e.div(e.mul(e.add(slice, 1), plan.chunks), plan.slices);
      Values start = zeros;
      start.push_back(carried.back());
      Values sums = e.loop(first, last, 1, start, [&](Value chunk, ValueRange carried) {
        Value number = carried.back();
        waitForCopies(e, stages - 2);
        meet(e); // all have this chunk, and none is still at the one before
        copy(firstToken, e.add(chunk, stages - 1), e.rem(e.add(number, stages - 1), stages));
        Values sums = addChunk(stage(number), carried.drop_back());
        sums.push_back(e.rem(e.add(number, 1), stages));
        return sums;
      });
      Values totals;
      for (auto [total, sum] : llvm::zip(carried.drop_back(), ArrayRef<Value>(sums).drop_back()))
        totals.push_back(e.addf(total, sum));
      totals.push_back(sums.back());
      return totals;
    });
    totals.pop_back();
    return totals;
  }

  Values addChunk(Value stage, ValueRange carried) {
    Value all = e.at(stage, weightBytes());
    return overGroups(e, plan, carried, [&](Value group, Values &sums) {
      for (int64_t w = 0; w < plan.weights; ++w) {
        Fragments weights = loadFragments(e, plan, weightsIn(stage, w), group);
        for (int64_t tile = 0; tile < tiles; ++tile) {
          Value tokens = e.at(all, tile * tileTokens * plan.tokenStride());
          Matrices matrices = loadTokens(e, plan, tokens, group);
          auto ofTile = MutableArrayRef<Value>(sums).slice((w * tiles + tile) * laneSums, laneSums);
          llvm::copy(multiply(e, plan, weights, matrices, ofTile), ofTile.begin());
        }
      }
    });
  }

  void finish(const Target &target, Value firstToken, ValueRange totals) {
    Value lane = laneNumber(e);
    Value row = e.add(e.mul(target.rowBlock, warpRows), e.mul(e.div(lane, 4), 4));
    Value hasRow = e.less(row, e.mul(target.panels, quant::panelRows));
    for (int64_t tile = 0; tile < tiles; ++tile) {
      for (int64_t i = 0; i < 2; ++i) {
        Value token = e.add(firstToken, e.add(e.mul(e.rem(lane, 4), 2), tile * tileTokens + i));
        e.when(e.both(hasRow, e.less(token, rows)), [&] {
          Values sums;
          for (int64_t w = 0; w < plan.weights; ++w)
            sums.push_back(sumsOfToken(e, totals.slice((w * tiles + tile) * laneSums, laneSums), i));
          Value inverseScale;
          if (plan.isScaled())
            inverseScale = e.load(e.f32(), e.at(packed, e.mul(token, plan.packedRowBytes())),
                                  plan.chunks * plan.tokenBytes());
          storeResult(e, plan, target, sums, inverseScale, row, token);
        });
      }
    }
  }
};

} // namespace

codegen::DeviceLaunch emitManyRows(ModuleOp module, StringRef name, const Plan &plan) {
  Emitter e(module.getLoc(), module.getContext());
  ManyRows kernel(e, module, plan);
  codegen::DeviceLaunch launch;
  launch.entry = (name + "_tiles").str();
  launch.threads = ManyRows::threads;
  launch.blocks = blocksOf(plan, largeWarps);
  launch.minRows = fewRows + 1;
  launch.rowsPerBlock = kernel.tokens();
  launch.maxRowBlocks = maxRowBlocks;
  emitEntry(e, module, launch.entry, launch.threads,
            [&](const KernelArguments &arguments) { kernel.emit(arguments); });
  return launch;
}

} // namespace llmc::cuda::linear
