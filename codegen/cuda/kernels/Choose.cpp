//===- Choose.cpp - the best of each row of logits on a GPU ---------------===//
//
// A logit and its token are one number of 64 bits, larger for what comes first, so that no two are equal and
// the result does not depend on who compares what.
//   1. NAME_parts: the columns are cut into parts, a block each, which finds the best of its own: as often as
//      candidates are wanted, the largest number below the one before.
//   2. NAME_best: a block for each row does the same with what the parts have found.
//   3. NAME_sums: sums of exp(logit - best), each in the order and the arithmetic of the runtime's logSumExp.
//
// Results go straight to memory of the host: neighbours by neighbouring threads, and nothing is read there.
//
//===----------------------------------------------------------------------===//
#include "codegen/cuda/kernels/Choose.h"

#include "codegen/cuda/Entry.h"
#include "codegen/cuda/Warp.h"
#include "codegen/emit/KernelArguments.h"
#include "runtime/include/llmc/module_abi.h"

#include <cstddef>

using namespace mlir;

namespace llmc::cuda {

using emit::Emitter;
using emit::KernelArguments;
using emit::Values;

namespace {

constexpr int64_t threads = 256, warps = threads / warpLanes, mostParts = 64, most = 64, mostRows = 32768;
constexpr int64_t sumThreads = 128, sumLanes = LLMC_SAMPLING_SUM_LANES,
                  sumColumns = LLMC_SAMPLING_SUM_COLUMNS;
constexpr int64_t sumsOfBlock = sumThreads / sumLanes;

class Chooser {
public:
  Chooser(ModuleOp module, StringRef name, int64_t vocab)
      : module(module), e(module.getLoc(), module.getContext()), name(name), vocab(vocab) {
    partColumns = emit::roundUp((vocab + mostParts - 1) / mostParts, threads);
    parts = (vocab + partColumns - 1) / partColumns;
    sums = (vocab + sumColumns - 1) / sumColumns * sumLanes;
  }

  codegen::DeviceKernel emit() {
    codegen::DeviceKernel kernel;
    auto launch = [&](const char *suffix, int64_t threads, int64_t blocks, auto body) {
      emitEntry(e, module, (name + suffix).str(), uint32_t(threads), body);
      kernel.launches.push_back({.entry = (name + suffix).str(),
                                 .threads = uint32_t(threads),
                                 .blocks = uint32_t(blocks),
                                 .rowsPerBlock = 1,
                                 .maxRowBlocks = mostRows});
    };
    launch("_parts", threads, parts, [&](const KernelArguments &k) { emitParts(k); });
    launch("_best", threads, 1, [&](const KernelArguments &k) { emitBest(k); });
    launch("_sums", sumThreads, (sums / sumLanes + sumsOfBlock - 1) / sumsOfBlock,
           [&](const KernelArguments &k) { emitSums(k); });
    kernel.sampling = {.most = most,
                       .sums = uint32_t(sums),
                       .rowBytes = uint64_t(resultBytes()),
                       .workBytes = uint64_t(workBytes())};
    return kernel;
  }

private:
  using Value = mlir::Value;

  int64_t resultBytes() const { return emit::roundUp(8 * most + 4 * sums, 16); }
  int64_t workBytes() const { return 8 * most * parts + 8; } // what parts have found, and the best logit
  Value logitsOf(const KernelArguments &k, Value row) {
    return e.at(k.pointer(e, 0), e.mul(row, emit::rowStride(vocab)));
  }
  Value workOf(const KernelArguments &k, Value row) { return e.at(k.pointer(e, 1), e.mul(row, workBytes())); }
  Value resultOf(const KernelArguments &k, Value row) {
    return e.at(e.load(e.ptr(), k.step, offsetof(llmc_step, candidates)), e.mul(row, resultBytes()));
  }
  Value wantedOf(const KernelArguments &k) { return e.load(e.i64(), k.step, offsetof(llmc_step, n_best)); }
  void eachRow(const KernelArguments &k, llvm::function_ref<void(Value)> body) {
    e.loop(k.number, k.rows(e, LLMC_ROWS_ASKED), k.count, body);
  }

  Value toBits(Value f32) { return arith::BitcastOp::create(e, e.i32(), f32); }
  Value toLong(Value i32) { return arith::ExtUIOp::create(e, e.i64(), i32); }
  Value toInt(Value i64) { return arith::TruncIOp::create(e, e.i32(), i64); }
  Value larger(Value a, Value b) { return arith::MaxUIOp::create(e, a, b); }
  Value shiftLeft(Value a, int64_t bits) { return arith::ShLIOp::create(e, a, e.splat(a.getType(), bits)); }
  Value shiftRight(Value a, int64_t bits) { return arith::ShRUIOp::create(e, a, e.splat(a.getType(), bits)); }
  Value flip(Value a) { return arith::XOrIOp::create(e, a, e.splat(a.getType(), -1)); }

  /// What stands for a logit, 0 for a NaN: ordered as unsigned numbers are, the lower token first among
  /// equals.
  Value keyOf(Value logit, Value column) {
    Value bits = toBits(e.addf(logit, e.real(e.f32(), 0))); // -0 is 0
    Value isNegative = e.less(bits, e.splat(e.i32(), 0));
    Value positive = arith::OrIOp::create(e, bits, e.splat(e.i32(), INT32_MIN));
    Value order = toLong(e.select(isNegative, flip(bits), positive));
    Value key = arith::OrIOp::create(e, shiftLeft(order, 32), toLong(flip(toInt(column))));
    return e.select(e.less(arith::CmpFPredicate::UNO, logit, logit), e.c(0), key);
  }

  Value largestOfLanes(Value i32) { return reduceInts(e, "umax", i32); }
  Value largestKeyOfLanes(Value key) {
    Value high = toInt(shiftRight(key, 32)), highest = largestOfLanes(high);
    Value low = e.select(e.equal(high, highest), toInt(key), e.splat(e.i32(), 0));
    return arith::OrIOp::create(e, shiftLeft(toLong(highest), 32), toLong(largestOfLanes(low)));
  }

  /// The largest of a number of each thread, for all threads. Of two calls in a row the first uses the other
  /// half of shared memory: `turn` is 0 and 1 in turn.
  Value largestOfBlock(Value key, Value turn) {
    key = largestKeyOfLanes(key);
    Value shared =
        e.at(sharedArray(e, module, (name + "_warps").str(), 2 * 8 * warps), e.mul(turn, 8 * warps));
    e.when(e.equal(laneNumber(e), e.c(0)), [&] { e.store(key, e.at(shared, e.mul(warpNumber(e), 8))); });
    meet(e);
    Value best = e.load(e.i64(), shared);
    for (int64_t i = 1; i < warps; ++i)
      best = larger(best, e.load(e.i64(), e.at(shared, 8 * i)));
    return best;
  }

  /// Calls found(i, key) in thread i for the i-th best of all threads' keys, as often as is wanted.
  void inOrder(const KernelArguments &k, ArrayRef<Value> keys, llvm::function_ref<void(Value, Value)> found) {
    static_assert(most <= threads);
    auto next = [&](Value i, ValueRange carried) -> Values {
      Value best = e.c(0);
      for (Value key : keys) {
        Value isBelow = e.compare(arith::CmpIPredicate::ult, key, carried.front());
        best = larger(best, e.select(isBelow, key, e.c(0)));
      }
      best = largestOfBlock(best, e.rem(i, 2));
      return {best, e.select(e.equal(k.lane, i), best, carried.back())};
    };
    Value wanted = wantedOf(k);
    Value mine = e.loop(e.c(0), wanted, e.c(1), ValueRange{e.c(-1), e.c(0)}, next).back();
    e.when(e.less(k.lane, wanted), [&] { found(k.lane, mine); });
    meet(e); // before the next row uses shared memory
  }

  void emitParts(const KernelArguments &k) {
    Value part = blockNumber(e, Axis::X);
    eachRow(k, [&](Value row) {
      Value logits = logitsOf(k, row), work = workOf(k, row);
      Values keys;
      for (int64_t i = 0; i < partColumns; i += threads) {
        Value column = e.add(e.add(e.mul(part, partColumns), k.lane), i);
        Value within = e.min(column, e.c(vocab - 1));
        Value key = keyOf(e.load(e.f32(), e.at(logits, e.mul(within, 4))), within);
        keys.push_back(e.select(e.less(column, e.c(vocab)), key, e.c(0)));
      }
      inOrder(k, keys,
              [&](Value i, Value key) { e.store(key, e.at(work, e.mul(e.add(e.mul(i, parts), part), 8))); });
    });
  }

  void emitBest(const KernelArguments &k) {
    Value found = e.mul(wantedOf(k), parts);
    eachRow(k, [&](Value row) {
      Value logits = logitsOf(k, row), work = workOf(k, row), result = resultOf(k, row);
      Values keys;
      for (int64_t i = 0; i < most * parts; i += threads) {
        Value number = e.add(k.lane, i);
        Value within = e.select(e.less(number, found), number, e.c(0));
        Value key = e.load(e.i64(), e.at(work, e.mul(within, 8)));
        keys.push_back(e.select(e.less(number, found), key, e.c(0)));
      }
      inOrder(k, keys, [&](Value i, Value key) {
        Value isNone = e.equal(key, e.c(0)), token = flip(toInt(key));
        Value within = e.select(isNone, e.c(0), toLong(token));
        Value logit = e.load(e.f32(), e.at(logits, e.mul(within, 4)));
        static_assert(offsetof(llmc_candidate, logit) == 0 && offsetof(llmc_candidate, token) == 4);
        Value tokenOrNone = e.select(isNone, e.splat(e.i32(), -1), token);
        Value both = arith::OrIOp::create(e, shiftLeft(toLong(tokenOrNone), 32), toLong(toBits(logit)));
        e.store(both, e.at(result, e.mul(i, 8)));
        e.when(e.equal(i, e.c(0)), [&] {
          e.store(logit, work, 8 * most * parts);
          e.when(e.equal(row, e.c(0)), [&] {
            e.store(e.select(isNone, e.splat(e.i32(), 0), token),
                    e.load(e.ptr(), k.step, offsetof(llmc_step, chosen)));
          });
        });
      });
    });
  }

  /// exp(x) for x <= 0: expNegative of runtime/Sampler.cpp, operation by operation; 0 where it adds nothing.
  Value term(Value x) {
    Value t = e.mulf(x, double(1.44269504f)), lowest = e.real(e.f32(), -126);
    t = e.select(e.less(arith::CmpFPredicate::OLT, t, lowest), lowest, t);
    Value shifted = e.addf(t, 12582912.0), whole = e.subf(shifted, e.real(e.f32(), 12582912.0));
    Value f = e.mulf(e.subf(t, whole), double(0.693147181f));
    Value p = e.mulf(f, double(0.00138889f));
    for (float coefficient : {0.00833333f, 0.0416666667f, 0.166666667f, 0.5f, 1.0f})
      p = e.mulf(f, e.addf(p, double(coefficient)));
    p = e.addf(p, 1.0);
    Value power = arith::AddIOp::create(e, toBits(p), shiftLeft(toBits(shifted), 23));
    Value y = arith::BitcastOp::create(e, e.f32(), power);
    return e.select(e.less(arith::CmpFPredicate::OGT, x, e.real(e.f32(), -80)), y, e.real(e.f32(), 0));
  }

  void emitSums(const KernelArguments &k) {
    constexpr int64_t unrolled = 8;
    Value place = e.rem(k.lane, sumLanes);
    Value number = e.add(e.mul(blockNumber(e, Axis::X), sumsOfBlock), e.div(k.lane, sumLanes));
    const int64_t whole = vocab / sumLanes * sumLanes; // the columns behind it are all of place 0
    e.when(e.less(number, e.c(sums / sumLanes)), [&] {
      eachRow(k, [&](Value row) {
        Value logits = logitsOf(k, row), result = resultOf(k, row);
        Value best = e.load(e.f32(), workOf(k, row), 8 * most * parts), none = e.real(e.f32(), 0);
        auto logit = [&](Value column) { return e.load(e.f32(), e.at(logits, e.mul(column, 4))); };
        Value first = e.add(e.mul(number, sumColumns), place);
        auto several = [&](Value i, ValueRange carried) -> Values {
          Values read, columns;
          for (int64_t j = 0; j < unrolled; ++j) {
            columns.push_back(e.add(e.add(first, i), j * sumLanes));
            read.push_back(logit(e.min(columns.back(), e.c(vocab - 1))));
          }
          Value sum = carried.front();
          for (auto [column, x] : llvm::zip(columns, read))
            sum = e.addf(sum, e.select(e.less(column, e.c(whole)), term(e.subf(x, best)), none));
          return {sum};
        };
        Value sum = e.loop(e.c(0), e.c(sumColumns), unrolled * sumLanes, none, several).front();
        Value out = e.at(result, e.mul(e.add(e.mul(number, sumLanes), place), 4));
        e.store(sum, out, 8 * most);
        if (whole == vocab)
          return;
        Value isLast = e.both(e.equal(number, e.c(sums / sumLanes - 1)), e.equal(place, e.c(0)));
        e.when(isLast, [&] {
          Value total = sum;
          for (int64_t column = whole; column < vocab; ++column)
            total = e.addf(total, term(e.subf(logit(e.c(column)), best)));
          e.store(total, out, 8 * most);
        });
      });
    });
  }

  ModuleOp module;
  Emitter e;
  StringRef name;
  int64_t vocab, partColumns, parts, sums;
};

} // namespace

codegen::DeviceKernel emitChoose(ModuleOp module, StringRef name, int64_t vocab) {
  return Chooser(module, name, vocab).emit();
}

} // namespace llmc::cuda
