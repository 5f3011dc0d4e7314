//===- AttentionPrompt.cpp - attention of many rows -----------------------===//
//
//   1. A launch appends: a block for each row and kv head.
//   2. A launch attends: a block (kv head, row) works if its row begins a tile of tokens that follow one
//      another in a sequence. Tiles begin at fixed positions, and where rows do not follow. The queries of
//      the tile are dealt to the warps; all of them go through the units that any of them sees
//      (AttentionUnit.h), in order.
//
//===----------------------------------------------------------------------===//
#include "codegen/cuda/Entry.h"
#include "codegen/cuda/kernels/Attention.h"
#include "codegen/cuda/kernels/AttentionQueries.h"

using namespace mlir;

namespace llmc::cuda {

using emit::KernelArguments;

constexpr int64_t stageBytes = 8192, unitKeys = AttentionShape::unitKeys, warps = AttentionShape::warps;

int64_t promptSharedBytes(const AttentionShape &shape) {
  return AttentionQueries::sharedBytes(shape, warps, 1, stageBytes);
}

int64_t attentionSharedBytes(const AttentionShape &shape) {
  return std::max(splitSharedBytes(shape), promptSharedBytes(shape));
}

void emitAttentionAppend(ModuleOp module, const std::string &name, const AttentionShape &shape) {
  WarpEmitter e(module.getLoc(), module.getContext());
  emitEntry(e, module, name, AttentionShape::threads, [&](const KernelArguments &arguments) {
    AttentionRows rows(e, shape, arguments);
    Value scratch = sharedArray(e, module, name + "_row", AttentionRows::scratchBytes(shape));
    e.loop(e.blockNumber(Axis::Y), rows.count, e.blockCount(Axis::Y), [&](Value row) {
      meet(e);
      rows.append(row, rows.token(row), e.blockNumber(Axis::X), scratch);
    });
  });
}

namespace {

struct PromptEmitter {
  WarpEmitter &e;
  const AttentionShape &shape;
  AttentionRows &rows;
  AttentionQueries &queries;
  Value kvHead;

  /// How many rows from `row` on make a tile; 0 if it is not the first of one.
  Value tileLength(Value row, const AttentionRows::Token &token) {
    Value before = e.max(e.sub(row, 1), e.n(0));
    AttentionRows::Token last = rows.token(before);
    Value follows = e.both(e.less(before, row), e.both(e.equal(last.sequence, token.sequence),
                                                       e.equal(e.add(last.position, 1), token.position)));
    auto begins = [&](Value position) { return e.equal(e.rem(position, shape.tileTokens), e.n(0)); };
    // A row a lane; the first that does not belong to the tile ends it.
    Value mine = e.add(row, rows.lane);
    AttentionRows::Token theirs = rows.token(e.min(mine, e.sub(rows.count, 1)));
    Value position = e.add(token.position, rows.lane);
    Value belongs = e.both(e.less(mine, rows.count), e.both(e.equal(theirs.sequence, token.sequence),
                                                            e.equal(theirs.position, position)));
    Value isEnd = e.both(e.less(e.n(0), rows.lane), begins(position));
    Value outside = ballot(e, e.isNot(e.both(belongs, e.isNot(isEnd))));
    Value length = LLVM::CountTrailingZerosOp::create(e, e.i32(), outside, /*is_zero_poison=*/false);
    Value isFirst = arith::OrIOp::create(e, e.isNot(follows), begins(token.position));
    return e.select(isFirst, e.min(length, e.n(shape.tileTokens)), e.n(0));
  }

  /// Queries [first, first + all that warps take at once) of the tile.
  void attend(Value row, const AttentionRows::Token &token, Value length, Value first, Value total) {
    meet(e);
    queries.fill(kvHead, first, total, shape.rows, [&](Value number) {
      return AttentionQueries::Owner{e.add(row, number), e.add(token.position, number)};
    });
    meet(e);
    AttentionUnit unit(e, shape, shape.rows);
    AttentionCopier copier = queries.copier(e.n(0), rows.tid, AttentionShape::threads, [&] { meet(e); });
    Value from = rows.oldest(token.position), to = e.add(token.position, length);
    auto unitsOf = [&](Value keyBlock) {
      Value start = e.mul(keyBlock, shape.blockUnits);
      return std::pair(e.max(start, e.div(from, unitKeys)),
                       e.min(e.add(start, shape.blockUnits), e.add(e.div(e.sub(to, 1), unitKeys), 1)));
    };
    auto seenOf = [&](Value base, int64_t keys) {
      Values result;
      for (int64_t i = 0; i < shape.rows; ++i) {
        result.push_back(queries.positions(rows.warp, shape.rows, e.n(i)).overlaps(e, base, keys));
      }
      return result;
    };
    const int64_t blockKeys = shape.blockKeys();
    Value end = e.add(e.div(e.sub(to, 1), blockKeys), 1);
    Values all = e.loop32(
        e.div(from, blockKeys), end, 1, unit.empty().flat(), [&](Value keyBlock, ValueRange carried) {
          auto [firstUnit, lastUnit] = unitsOf(keyBlock);
          Values block =
              e.loop32(firstUnit, lastUnit, 1, unit.empty().flat(), [&](Value number, ValueRange carried) {
                Value base = e.mul(number, unitKeys);
                SmallVector<AttentionUnit::Range> seen;
                for (int64_t i = 0; i < shape.rows; ++i)
                  seen.push_back(queries.seen(rows.warp, shape.rows, e.n(i), base));
                AttentionUnit::Range needed{e.max(e.sub(from, base), e.n(0)),
                                            e.min(e.sub(to, base), e.n(unitKeys))};
                AttentionRows::Unit page = rows.unit(token.sequence, kvHead, number);
                AttentionSums sums = unit.run(copier, unit.placeOf(page.keys, page.values, page.inPage),
                                              queries.queriesOf(rows.warp, shape.rows),
                                              queries.probabilitiesOf(rows.warp), seen, needed);
                return unit.merge(AttentionSums::of(carried, shape.rows), sums, seenOf(base, unitKeys))
                    .flat();
              });
          return unit
              .merge(AttentionSums::of(carried, shape.rows), AttentionSums::of(block, shape.rows),
                     seenOf(e.mul(keyBlock, blockKeys), blockKeys))
              .flat();
        });
    write(unit, row, first, total, AttentionSums::of(all, shape.rows));
  }

  void write(AttentionUnit &unit, Value row, Value first, Value total, const AttentionSums &sums) {
    for (int64_t i = 0; i < shape.rows; ++i) {
      Value number = e.add(e.add(first, e.mul(rows.warp, shape.rows)), i);
      e.when(e.less(number, total), [&] {
        Value mine = e.add(row, e.div(number, shape.group));
        Value head = e.add(e.mul(kvHead, shape.group), e.rem(number, shape.group));
        for (int64_t v = 0; v < shape.vectors; ++v)
          rows.write(mine, head, unit.dimension(rows.lane, v, /*isLimited=*/false),
                     sums.o[i * shape.vectors + v], sums.m[i], sums.l[i]);
        e.when(e.equal(head, e.n(shape.spec.heads - 1)), [&] { rows.writePadding(mine); });
      });
    }
  }
};

} // namespace

void emitAttentionPrompt(ModuleOp module, const std::string &name, const AttentionShape &shape) {
  WarpEmitter e(module.getLoc(), module.getContext());
  emitEntry(e, module, name, AttentionShape::threads, [&](const KernelArguments &arguments) {
    AttentionRows rows(e, shape, arguments);
    AttentionQueries queries(e, module, name, shape, rows, warps, 1, stageBytes);
    PromptEmitter prompt{e, shape, rows, queries, e.blockNumber(Axis::X)};
    e.loop(e.blockNumber(Axis::Y), rows.count, e.blockCount(Axis::Y), [&](Value row) {
      AttentionRows::Token token = rows.token(row);
      Value length = prompt.tileLength(row, token), total = e.mul(length, shape.group);
      e.loop(e.n(0), total, e.n(warps * shape.rows),
             [&](Value first) { prompt.attend(row, token, length, first, total); });
    });
  });
}

} // namespace llmc::cuda
