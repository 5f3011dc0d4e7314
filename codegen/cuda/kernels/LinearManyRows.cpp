//===- LinearManyRows.cpp - products of many rows -------------------------===//
//
// Two launches. The first writes the planes of every row to memory, in the order of matrix instructions: for
// each chunk all planes, then one over the power of two of each slice. The second multiplies: a block takes
// 128 rows of an output, a warp 32 of them, and some tiles of tokens at a time. Weights and tokens of a chunk
// come by asynchronous copies, while the chunk before is multiplied; tokens are shared by the block's warps.
// A warp goes through all slices.
//
//===----------------------------------------------------------------------===//
#include "codegen/cuda/Entry.h"
#include "codegen/cuda/kernels/Linear.h"

using namespace mlir;

namespace llmc::cuda::linear {

using emit::Emitter;
using emit::KernelArguments;
using emit::Values;

constexpr int64_t maxRowBlocks = 256;

/// for (i = ctaid.y; i < count; i += nctaid.y)
static void forEachInY(Emitter &e, Value count, llvm::function_ref<void(Value)> body) {
  e.loop(blockNumber(e, Axis::Y), count, blockCount(e, Axis::Y), body);
}

namespace {

/// Writes packed rows. A warp takes one slice of each `warps` of a row.
struct Pack {
  Emitter &e;
  const Plan &plan;
  Rows x;
  Value packed, shared; // of shared memory: mean and factor of a LayerNorm, or the squares of each slice
  static constexpr int64_t warps = 8;

  Pack(Emitter &e, ModuleOp module, const Plan &plan, const KernelArguments &arguments)
      : e(e), plan(plan), x(e, plan, arguments), packed(arguments.pointer(e, plan.packed())) {
    if (plan.spec.norm != emit::Norm::None)
      shared = sharedArray(e, module, "norm_of_row", std::max<int64_t>(plan.slices, 2) * 4);
  }

  Value number(Value index) { return e.at(shared, e.mul(index, 4)); }

  void row(Value row) {
    Values norm = layerNorm(row);
    Value to = e.at(packed, e.mul(row, plan.packedRowBytes()));
    e.loop(warpNumber(e), e.c(plan.slices), warps, [&](Value slice) {
      Rows::Slice mine = x.load(row, slice, norm);
      e.when(e.equal(laneNumber(e), e.c(0)), [&] {
        e.store(mine.inverseScale, e.at(e.at(to, e.mul(slice, 4)), plan.packedScales()));
        if (plan.hasFactor())
          e.store(mine.squares, number(slice));
      });
      storePlanes(mine, slice, to);
    });
    if (shared)
      meet(e);
    if (!plan.hasFactor())
      return;
    e.when(e.equal(threadNumber(e), e.c(0)), [&] {
      Value squares = e.real(e.f32(), 0); // in the order of Split::sumOfSlices
      squares = e.loop(e.c(0), e.c(plan.slices), 1, squares, [&](Value slice, ValueRange sum) -> Values {
        return {e.addf(sum[0], e.load(e.f32(), number(slice)))};
      })[0];
      e.store(x.factor(squares), to, plan.packedFactor());
    });
    meet(e); // before the squares of the next row
  }

  /// Found by one warp for all.
  Values layerNorm(Value row) {
    if (plan.spec.norm != emit::Norm::Layer)
      return {};
    e.when(e.equal(warpNumber(e), e.c(0)), [&] {
      Values norm = x.layerNorm(row);
      e.when(e.equal(laneNumber(e), e.c(0)), [&] {
        for (int64_t i = 0; i < 2; ++i)
          e.store(norm[i], number(e.c(i)));
      });
    });
    meet(e);
    return {e.load(e.f32(), number(e.c(0))), e.load(e.f32(), number(e.c(1)))};
  }

  void storePlanes(const Rows::Slice &mine, Value slice, Value to) {
    Value first = plan.firstChunk(e, slice), last = plan.firstChunk(e, e.add(slice, 1));
    for (auto [round, four] : llvm::enumerate(mine.fours)) {
      Value chunk = e.add(e.add(first, int64_t(round) * plan.roundChunks()), x.chunkOfRound());
      e.when(e.less(chunk, last), [&] {
        x.store(x.planes(four, mine.scale), e.at(to, e.mul(chunk, plan.tokenBytes())), x.quadOfChunk());
      });
    }
  }
};

} // namespace

codegen::DeviceLaunch emitPack(ModuleOp module, StringRef name, const Plan &plan) {
  Emitter e(module.getLoc(), module.getContext());
  codegen::DeviceLaunch launch;
  launch.entry = (name + "_pack").str();
  launch.threads = Pack::warps * warpLanes;
  launch.minRows = fewRows + 1;
  launch.rowsPerBlock = 1;
  launch.maxRowBlocks = maxRowBlocks;
  emitEntry(e, module, launch.entry, launch.threads, [&](const KernelArguments &arguments) {
    Pack pack(e, module, plan, arguments);
    forEachInY(e, arguments.rows(e, plan.spec.rowSpace), [&](Value row) { pack.row(row); });
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
  /// Of two slices in turn: some threads may still read those of the last one.
  Value inverseScale(Value slice, Value token) {
    Value at = e.add(e.mul(e.rem(slice, 2), tokens()), token);
    return e.at(inverseScales, e.mul(at, 4));
  }
  /// Takes them to shared memory; who reads them has met with others since.
  void stageScales(Value firstToken, Value slice) {
    Value thread = threadNumber(e);
    e.when(e.less(thread, e.c(tokens())), [&] {
      Value from = e.at(packedRow(e.add(firstToken, thread)), e.mul(slice, 4));
      e.store(e.load(e.f32(), from, plan.packedScales()), inverseScale(slice, thread));
    });
  }
  /// Shared memory of a stage: weights of each warp, then tokens.
  int64_t weightBytes() const { return largeWarps * plan.slotBytes(); }
  int64_t stageBytes() const { return emit::roundUp(weightBytes() + tokens() * plan.tokenStride(), 128); }
  int64_t sharedBytes() const { return stages * stageBytes(); }

  Value rows, packed, shared, inverseScales;
  std::optional<Panels> panels;

  void emit(const KernelArguments &arguments) {
    rows = arguments.rows(e, plan.spec.rowSpace);
    packed = arguments.pointer(e, plan.packed());
    shared = sharedArray(e, module, "many_rows", sharedBytes());
    inverseScales = sharedArray(e, module, "inverse_scales_many", 2 * tokens() * 4);
    Value block = blockNumber(e, Axis::X);
    const Target target = ofWarp(e, targetOf(e, plan, arguments, block, largeWarps), largeWarps);
    panels.emplace(e, plan, target);
    Value count = e.div(e.add(rows, tokens() - 1), tokens());
    forEachInY(e, count, [&](Value block) {
      Value first = e.mul(block, tokens());
      Values totals = products(first);
      storeTotals(e, plan, target, totals, first, e.sub(rows, first), [&](Value token) {
        Value number = e.add(first, token);
        return plan.hasFactor() ? e.load(e.f32(), packedRow(number), plan.packedFactor()) : Value();
      });
      meet(e); // before the next copies
    });
  }

  /// Of the last row, where there is none.
  Value packedRow(Value token) {
    return e.at(packed, e.mul(e.min(token, e.sub(rows, 1)), plan.packedRowBytes()));
  }
  Value stage(Value number) { return e.at(shared, e.mul(number, stageBytes())); }
  Value weightsIn(Value stage, int64_t w) {
    Value mine = e.at(stage, e.mul(warpNumber(e), plan.slotBytes()));
    return e.at(mine, w * plan.pairBytes());
  }

  void copy(Value firstToken, Value chunk, Value number) {
    e.when(e.less(chunk, e.c(plan.chunks)), [&] {
      Value to = stage(number);
      panels->copy(chunk, e.c(plan.chunks), weightsIn(to, 0));
      const int64_t pieces = plan.tokenBytes() / 16, all = tokens() * pieces;
      Value thread = threadNumber(e);
      for (int64_t done = 0; done < all; done += threads) {
        Value number = e.add(thread, done), token = e.div(number, pieces), piece = e.rem(number, pieces);
        auto copyPiece = [&] {
          Value from = e.at(packedRow(e.add(firstToken, token)), e.mul(chunk, plan.tokenBytes()));
          Value at = e.add(e.mul(token, plan.tokenStride()), weightBytes());
          copyAsync(e, e.at(to, e.add(at, e.mul(piece, 16))), e.at(from, e.mul(piece, 16)));
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
      Value first = plan.firstChunk(e, slice), last = plan.firstChunk(e, e.add(slice, 1));
      stageScales(firstToken, slice);
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
      Value number = sums.pop_back_val();
      Values totals = addSlice(e, plan, carried.drop_back(), sums,
                               [&](Value token) { return e.load(e.f32(), inverseScale(slice, token)); });
      totals.push_back(number);
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
};

} // namespace

codegen::DeviceLaunch emitManyRows(ModuleOp module, StringRef name, const Plan &plan) {
  Emitter e(module.getLoc(), module.getContext());
  ManyRows kernel(e, module, plan);
  codegen::DeviceLaunch launch;
  launch.entry = (name + "_tiles").str();
  launch.threads = ManyRows::threads;
  launch.blocks = rowBlocks(plan, largeWarps);
  launch.minRows = fewRows + 1;
  launch.rowsPerBlock = kernel.tokens();
  launch.maxRowBlocks = maxRowBlocks;
  emitEntry(e, module, launch.entry, launch.threads,
            [&](const KernelArguments &arguments) { kernel.emit(arguments); });
  return launch;
}

} // namespace llmc::cuda::linear
