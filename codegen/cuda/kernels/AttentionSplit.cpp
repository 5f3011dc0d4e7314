//===- AttentionSplit.cpp - attention of few rows, split over keys --------===//
//
// A block (kv head, row, key block) works if its row is the first of its sequence in the step:
//   1. Appends the keys and values of the sequence's rows whose positions lie in the key block.
//   2. Norms (if heads are normed) and rotates the queries of all these rows, some at a time, and goes
//      through the key block in rounds: each warp takes one unit (AttentionUnit.h), then these units are
//      added to those of the rounds before.
//   3. Leaves a record (o, m, l) for each query: in common memory as [key block][row][head].
// No block needs what another one does.
//
//===----------------------------------------------------------------------===//
#include "codegen/cuda/Entry.h"
#include "codegen/cuda/kernels/Attention.h"
#include "codegen/cuda/kernels/AttentionQueries.h"
#include "runtime/include/llmc/module_abi.h"

#include <cstddef>
#include <limits>

using namespace mlir;

namespace llmc::cuda {

using emit::KernelArguments;

constexpr int64_t stageBytes = 4096, unitKeys = AttentionShape::unitKeys, warps = AttentionShape::warps,
                  roundKeys = warps * unitKeys;

int64_t splitSharedBytes(const AttentionShape &shape) {
  return AttentionQueries::sharedBytes(shape, 1, warps, stageBytes) + 8 * AttentionShape::mostSplitRows +
         AttentionRows::scratchBytes(shape);
}

/// The memory that all blocks share, and where a record stands in it.
struct Records {
  Records(WarpEmitter &e, const AttentionShape &shape, const KernelArguments &arguments)
      : e(e), shape(shape), rows(arguments.rows(e, LLMC_ROWS_TOKENS)) {
    common = e.load(e.ptr(), e.load(e.ptr(), arguments.step, offsetof(llmc_step, scratch)));
  }
  int64_t bytes() const { return 4 * shape.recordFloats(); }
  Value at(Value keyBlock, Value row, Value head) {
    Value place = e.add(e.mul(e.widen(keyBlock), rows), e.widen(row));
    return e.at(common, e.mul(e.add(e.mul(place, shape.spec.heads), e.widen(head)), bytes()));
  }
  WarpEmitter &e;
  const AttentionShape &shape;
  Value rows, common;
};

namespace {

struct SplitEmitter {
  WarpEmitter &e;
  const AttentionShape &shape;
  AttentionRows &rows;
  AttentionQueries &queries;
  Records &records;
  Value kvHead, owners; // shared: row and position of each token of the sequence

  AttentionQueries::Owner owner(Value token) {
    Value address = e.at(owners, e.mul(token, 8));
    return {e.load(e.i32(), address), e.load(e.i32(), address, 4)};
  }

  /// Queries [first, first + count) of the sequence against a key block. `visible`: the positions that any
  /// row of the sequence sees.
  void attend(Value sequence, Value keyBlock, const AttentionUnit::Range &visible, Value first, Value total,
              int64_t count) {
    meet(e);
    queries.fill(kvHead, first, total, count, [&](Value token) { return owner(token); });
    // The rounds with something to be seen; there is one, or the block would not be here.
    Value start = e.mul(keyBlock, shape.blockKeys());
    Value from = e.max(e.sub(visible.from, start), e.n(0));
    Value to = e.min(e.sub(visible.to, start), e.n(shape.blockKeys()));
    Value end = e.div(e.add(to, roundKeys - 1), roundKeys);
    Values sums = e.loop32(e.div(from, roundKeys), end, 1, none(count), [&](Value round, ValueRange carried) {
      meet(e); // stages are free, queries are there
      Value base = e.add(start, e.mul(round, roundKeys));
      attendUnit(sequence, e.add(e.div(base, unitKeys), rows.warp), count);
      meet(e);
      return putTogether(base, count, carried);
    });
    leave(keyBlock, first, count, sums);
  }

  /// A warp's unit; what comes of it is left in the warp's stages, a record of each query.
  void attendUnit(Value sequence, Value number, int64_t count) {
    AttentionUnit unit(e, shape, count);
    Value base = e.mul(number, unitKeys);
    SmallVector<AttentionUnit::Range> seen;
    AttentionUnit::Range needed{e.n(unitKeys), e.n(0)};
    for (int64_t i = 0; i < count; ++i) {
      seen.push_back(queries.seen(e.n(0), count, e.n(i), base));
      Value isAny = e.less(seen.back().from, seen.back().to);
      needed.from = e.min(needed.from, e.select(isAny, seen.back().from, e.n(unitKeys)));
      needed.to = e.max(needed.to, e.select(isAny, seen.back().to, e.n(0)));
    }
    AttentionCopier copier = queries.copier(rows.warp, rows.lane, 32, [&] { meetWarp(e); });
    e.when(e.less(needed.from, needed.to), [&] {
      AttentionRows::Unit page = rows.unit(sequence, kvHead, number);
      AttentionSums sums =
          unit.run(copier, unit.placeOf(page.keys, page.values, page.inPage),
                   queries.queriesOf(e.n(0), count), queries.probabilitiesOf(rows.warp), seen, needed);
      for (int64_t i = 0; i < count; ++i) {
        Value record = e.at(copier.stages, i * records.bytes());
        for (int64_t v = 0; v < shape.vectors; ++v) {
          Value d = unit.dimension(rows.lane, v, /*isLimited=*/false);
          e.when(e.less(d, e.n(shape.dimV)), [&] {
            e.store(sums.o[i * shape.vectors + v], e.at(record, e.mul(d, 4)), 0, 4 * shape.width);
          });
        }
        e.when(e.equal(rows.lane, e.n(0)), [&] {
          e.store(sums.m[i], record, 4 * shape.dimV);
          e.store(sums.l[i], record, 4 * shape.dimV + 4);
        });
      }
    });
  }

  // What units leave is put together by the threads of the block, a piece at a time: four dimensions of a
  // query. A thread keeps maximum, sum and outputs of its pieces from round to round.
  int64_t pieces() const { return shape.dimV / 4; }
  int64_t piecesOfThread(int64_t count) const {
    return (count * pieces() + AttentionShape::threads - 1) / AttentionShape::threads;
  }
  struct Piece {
    Value query, dimension, isOurs;
  };
  /// Threads beyond the last piece compute it as well.
  Piece piece(int64_t number, int64_t count) {
    const int64_t all = count * pieces();
    Value item = e.add(rows.tid, number * AttentionShape::threads), within = e.min(item, e.n(all - 1));
    return {e.div(within, pieces()), e.mul(e.rem(within, pieces()), 4), e.less(item, e.n(all))};
  }
  Values none(int64_t count) {
    Values all;
    for (int64_t n = 0; n < piecesOfThread(count); ++n)
      all.append({e.real(e.f32(), -std::numeric_limits<double>::infinity()), e.real(e.f32(), 0),
                  e.real(e.vec(4, e.f32()), 0)});
    return all;
  }

  /// Adds the units of a round, which begins at position `base`.
  Values putTogether(Value base, int64_t count, ValueRange carried) {
    Values sums(carried);
    for (int64_t n = 0; n < piecesOfThread(count); ++n) {
      Piece mine = piece(n, count);
      AttentionUnit::Range range = queries.positions(e.n(0), count, mine.query);
      Value &m = sums[3 * n], &l = sums[3 * n + 1], &o = sums[3 * n + 2];
      for (int64_t w = 0; w < warps; ++w) {
        Value isSeen = range.overlaps(e, e.add(base, w * unitKeys), unitKeys);
        Value stages = queries.copier(e.n(w), {}, 32, {}).stages;
        Value record = e.at(stages, e.mul(mine.query, records.bytes()));
        // What nobody has written may be anything.
        auto orZero = [&](Value number) { return e.select(isSeen, number, e.real(number.getType(), 0)); };
        AttentionMerge merge(e, m, l, e.load(e.f32(), record, 4 * shape.dimV),
                             orZero(e.load(e.f32(), record, 4 * shape.dimV + 4)), isSeen);
        o = merge.outputs(e, o, orZero(e.load(o.getType(), e.at(record, e.mul(mine.dimension, 4)), 0, 16)));
        m = merge.m, l = merge.l;
      }
    }
    return sums;
  }

  /// The block's records.
  void leave(Value keyBlock, Value first, int64_t count, ValueRange sums) {
    for (int64_t n = 0; n < piecesOfThread(count); ++n) {
      Piece mine = piece(n, count);
      AttentionUnit::Range range = queries.positions(e.n(0), count, mine.query);
      Value isSeen = range.overlaps(e, e.mul(keyBlock, shape.blockKeys()), shape.blockKeys());
      e.when(e.both(mine.isOurs, isSeen), [&] {
        Value number = e.add(first, mine.query);
        Value head = e.add(e.mul(kvHead, shape.group), e.rem(number, shape.group));
        Value record = records.at(keyBlock, owner(e.div(number, shape.group)).row, head);
        e.store(sums[3 * n + 2], e.at(record, e.mul(mine.dimension, 4)), 0, 16);
        e.when(e.equal(mine.dimension, e.n(0)), [&] {
          e.store(sums[3 * n], record, 4 * shape.dimV);
          e.store(sums[3 * n + 1], record, 4 * shape.dimV + 4);
        });
      });
    }
  }

  void appendAll(Value sequence, Value tokens, Value keyBlock, Value scratch) {
    e.loop(e.n(0), tokens, e.n(1), [&](Value token) {
      AttentionQueries::Owner mine = owner(token);
      e.when(e.equal(e.div(mine.position, shape.blockKeys()), keyBlock), [&] {
        rows.append(mine.row, {sequence, mine.position}, kvHead, scratch);
        meet(e);
      });
    });
  }
};

} // namespace

void emitAttentionSplit(ModuleOp module, const std::string &name, const AttentionShape &shape) {
  WarpEmitter e(module.getLoc(), module.getContext());
  emitEntry(e, module, name, AttentionShape::threads, [&](const KernelArguments &arguments) {
    AttentionRows rows(e, shape, arguments);
    AttentionQueries queries(e, module, name, shape, rows, 1, warps, stageBytes);
    Records records(e, shape, arguments);
    Value owners = sharedArray(e, module, name + "_owners", 8 * AttentionShape::mostSplitRows);
    Value scratch = sharedArray(e, module, name + "_row", AttentionRows::scratchBytes(shape));
    SplitEmitter split{e, shape, rows, queries, records, e.blockNumber(Axis::X), owners};
    // A row a lane: the rows of this sequence.
    AttentionRows::Token theirs = rows.token(e.min(rows.lane, e.sub(rows.count, 1)));
    e.loop(e.blockNumber(Axis::Y), rows.count, e.blockCount(Axis::Y), [&](Value row) {
      Value sequence = rows.token(row).sequence;
      Value isOurs = e.both(e.less(rows.lane, rows.count), e.equal(theirs.sequence, sequence));
      Value mask = ballot(e, isOurs);
      auto below = [&](Value lane) {
        Value bits = e.sub(arith::ShLIOp::create(e, e.n(1), lane).getResult(), 1);
        return e.popcount(e.both(mask, bits));
      };
      e.when(e.equal(below(row), e.n(0)), [&] {
        Value tokens = e.popcount(mask);
        meet(e);
        e.when(e.both(e.equal(rows.warp, e.n(0)), isOurs), [&] {
          Value address = e.at(owners, e.mul(below(rows.lane), 8));
          e.store(rows.lane, address);
          e.store(theirs.position, address, 4);
        });
        meet(e);
        Value from = reduceInts(e, "min", e.select(isOurs, rows.oldest(theirs.position), e.n(INT32_MAX)));
        Value last = reduceInts(e, "max", e.select(isOurs, theirs.position, e.n(0)));
        const int64_t blockKeys = shape.blockKeys();
        const AttentionUnit::Range visible{from, e.add(last, 1)};
        Value end = e.add(e.div(last, blockKeys), 1), total = e.mul(tokens, shape.group);
        e.loop(e.blockNumber(Axis::Z), end, e.blockCount(Axis::Z), [&](Value keyBlock) {
          e.when(e.compare(arith::CmpIPredicate::sge, keyBlock, e.div(from, blockKeys)), [&] {
            split.appendAll(sequence, tokens, keyBlock, scratch);
            auto inTurn = [&] {
              e.loop(e.n(0), total, e.n(shape.rows), [&](Value first) {
                split.attend(sequence, keyBlock, visible, first, total, shape.rows);
              });
            };
            if (shape.group >= shape.rows)
              inTurn();
            else // the one token of a sequence should not cost as much as several
              e.when(
                  e.equal(tokens, e.n(1)),
                  [&] { split.attend(sequence, keyBlock, visible, e.n(0), total, shape.group); }, inTurn);
          });
        });
      });
    });
  });
}

void emitAttentionCombine(ModuleOp module, const std::string &name, const AttentionShape &shape) {
  WarpEmitter e(module.getLoc(), module.getContext());
  emitEntry(e, module, name, AttentionShape::threads, [&](const KernelArguments &arguments) {
    AttentionRows rows(e, shape, arguments);
    Records records(e, shape, arguments);
    AttentionUnit unit(e, shape, 1);
    Value head = e.add(e.mul(e.blockNumber(Axis::X), warps), rows.warp);
    Value isSeen = e.splat(e.i1(), 1);
    e.loop(e.blockNumber(Axis::Y), rows.count, e.blockCount(Axis::Y), [&](Value row) {
      e.when(e.less(head, e.n(shape.spec.heads)), [&] {
        Value position = rows.token(row).position;
        const int64_t blockKeys = shape.blockKeys();
        Value from = e.div(rows.oldest(position), blockKeys), to = e.add(e.div(position, blockKeys), 1);
        AttentionSums none = unit.empty();
        // Several records are under way at a time.
        constexpr int64_t ahead = 4;
        auto add = [&](Value keyBlock, int64_t count, ValueRange carried) {
          SmallVector<AttentionSums> added(count);
          for (int64_t i = 0; i < count; ++i) {
            Value record = records.at(e.add(keyBlock, i), row, head);
            added[i].m = {e.load(e.f32(), record, 4 * shape.dimV)};
            added[i].l = {e.load(e.f32(), record, 4 * shape.dimV + 4)};
            for (auto [v, zero] : llvm::enumerate(none.o))
              added[i].o.push_back(e.load(
                  zero.getType(), e.at(record, e.mul(unit.dimension(rows.lane, v), 4)), 0, 4 * shape.width));
          }
          AttentionSums sums = AttentionSums::of(carried, 1);
          for (const AttentionSums &one : added)
            sums = unit.merge(sums, one, {isSeen});
          return sums.flat();
        };
        Value whole = e.add(from, e.mul(e.div(e.sub(to, from), ahead), ahead));
        Values most = e.loop32(from, whole, ahead, none.flat(),
                               [&](Value block, ValueRange carried) { return add(block, ahead, carried); });
        Values all = e.loop32(whole, to, 1, most,
                              [&](Value block, ValueRange carried) { return add(block, 1, carried); });
        AttentionSums sums = AttentionSums::of(all, 1);
        for (int64_t v = 0; v < shape.vectors; ++v)
          rows.write(row, head, unit.dimension(rows.lane, v, /*isLimited=*/false), sums.o[v], sums.m[0],
                     sums.l[0]);
        e.when(e.equal(head, e.n(shape.spec.heads - 1)), [&] { rows.writePadding(row); });
      });
    });
  });
}

} // namespace llmc::cuda
