//===- AttentionRows.cpp - rows of q, k, v and what they become -----------===//
#include "codegen/cuda/kernels/AttentionRows.h"

#include "codegen/emit/MathPoly.h"
#include "codegen/emit/Norm.h"
#include "codegen/emit/Rotation.h"
#include "runtime/include/llmc/module_abi.h"

#include <cstddef>

using namespace mlir;

namespace llmc::cuda {

AttentionRows::AttentionRows(WarpEmitter &e, const AttentionShape &shape,
                             const emit::KernelArguments &arguments)
    : e(e), shape(shape), store(e, shape.layout), pool(e, arguments, shape.cache()) {
  tid = e.threadNumber();
  lane = e.both(tid, e.n(31));
  warp = e.div(tid, 32);
  count = e.narrow(arguments.rows(e, LLMC_ROWS_TOKENS));
  tokens = e.load(e.ptr(), arguments.step, offsetof(llmc_step, tokens));
  q = arguments.pointer(e, 0);
  k = arguments.pointer(e, 1);
  v = arguments.pointer(e, 2);
  y = arguments.pointer(e, shape.output());
  if (shape.spec.hasSinks)
    sinks = arguments.pointer(e, shape.sinks());
  if (shape.spec.gainQ)
    gainQ = arguments.pointer(e, shape.gainQ());
  if (shape.spec.gainK)
    gainK = arguments.pointer(e, shape.gainK());
  if (shape.spec.ropeDims)
    frequencies = arguments.pointer(e, shape.frequencies());
  if (shape.spec.hasWindow)
    window = e.narrow(arguments.immediate(e, shape.window()));
}

AttentionRows::Token AttentionRows::token(Value row) {
  Value mine = e.at(tokens, e.mul(e.widen(row), sizeof(llmc_token_row)));
  return {e.load(e.i32(), mine, offsetof(llmc_token_row, seq)),
          e.load(e.i32(), mine, offsetof(llmc_token_row, pos))};
}

Value AttentionRows::oldest(Value position) {
  return shape.spec.hasWindow ? e.max(e.sub(position, e.sub(window, 1)), e.n(0)) : e.n(0);
}

AttentionRows::Unit AttentionRows::unit(Value sequence, Value kvHead, Value number) {
  const int64_t unitsPerPage = shape.spec.pageTokens / AttentionShape::unitKeys;
  const auto layer = pool.layer(e, e.widen(sequence), e.widen(e.div(number, unitsPerPage)));
  const auto [keys, values] = emit::KVPool::head(e, shape.layout, layer, e.widen(kvHead));
  return {keys, values, e.rem(number, unitsPerPage)};
}

/// Each lane adds the squares of every 32nd number, in order; then those of the lanes are folded.
AttentionRows::Head AttentionRows::normed(Value numbers, Value gain) {
  if (!hasNorms())
    return {numbers, {}, {}};
  const int64_t dim = shape.spec.dimK;
  Value sum = e.real(e.f32(), 0);
  for (int64_t first = 0; first < dim; first += warpLanes) {
    const bool isWhole = first + warpLanes <= dim;
    Value d = e.add(lane, first), safe = isWhole ? d : e.min(d, e.n(dim - 1));
    Value x = e.load(e.f32(), e.at(numbers, e.mul(safe, 4)));
    if (!isWhole)
      x = e.select(e.less(d, e.n(dim)), x, e.real(e.f32(), 0));
    sum = e.fma(x, x, sum);
  }
  return {numbers, emit::emitNormFactor(e, sumOfLanes(e, sum), dim, shape.spec.normEps), gain};
}

void AttentionRows::rotate(const Head &head, Value position, Value piece, Put put) {
  const int64_t pairs = shape.spec.ropeDims / 2;
  auto element = [&](Value d) {
    Value x = e.load(e.f32(), e.at(head.numbers, e.mul(d, 4)));
    if (head.inverseRoot)
      x = e.mulf(x, head.inverseRoot);
    if (!head.gain)
      return x;
    return emit::emitGain(e, x, e.load(e.f32(), e.at(head.gain, e.mul(d, 4))), shape.spec.normPlusOne);
  };
  auto turn = [&] {
    Value first = shape.spec.ropeInterleaved ? e.mul(piece, 2) : piece;
    Value second = e.add(first, shape.spec.ropeInterleaved ? 1 : pairs);
    Value x = element(first), y = element(second);
    Value frequency = e.load(e.f32(), e.at(frequencies, e.mul(piece, 4)));
    Value number = arith::SIToFPOp::create(e, e.f32(), position);
    auto [turnedX, turnedY] =
        emit::emitRotated(e, x, y, emit::emitTurn(e, number, frequency, shape.spec.ropeFactor));
    put(first, turnedX);
    put(second, turnedY);
  };
  auto keep = [&] {
    Value d = e.add(piece, pairs);
    put(d, element(d));
  };
  if (pieces() == pairs)
    turn();
  else if (!pairs)
    keep();
  else
    e.when(e.less(piece, e.n(pairs)), turn, keep);
}

/// A row of floats as numbers of the cache: a number a thread, or a group with one scale a warp.
void AttentionRows::storeRow(llvm::function_ref<Value(Value)> element, int64_t dim, int64_t groups,
                             llvm::function_ref<Value(Value)> place,
                             llvm::function_ref<Value(Value)> scalePlace) {
  if (!groups) {
    e.loop(tid, e.n(dim), e.n(AttentionShape::threads),
           [&](Value d) { e.store(store.narrow(element(d)), place(d)); });
    return;
  }
  // Behind the last number of a row there are zeros.
  e.loop(warp, e.n(groups), e.n(AttentionShape::warps), [&](Value group) {
    Value d = e.add(e.mul(group, store.perScale()), lane), number = element(d);
    auto [scale, divisor] = store.scaleFor(maxOfLanes(e, e.abs(number)));
    e.when(e.equal(lane, e.n(0)), [&, scale = scale] { e.store(scale, scalePlace(group)); });
    e.when(e.less(d, e.n(dim)),
           [&, divisor = divisor] { e.store(store.quantize(number, divisor), place(d)); });
  });
}

void AttentionRows::append(Value row, const Token &token, Value kvHead, Value scratch) {
  const emit::AttentionSpec &spec = shape.spec;
  const emit::KVLayout &layout = shape.layout;
  Unit here = unit(token.sequence, kvHead, e.div(token.position, AttentionShape::unitKeys));
  Value slot = e.rem(token.position, spec.pageTokens);
  auto put = [&](Value d, Value element) { e.store(element, e.at(scratch, e.mul(d, 4))); };
  Head head = keyHead(row, kvHead); // each warp norms it for itself
  e.loop(tid, e.n(pieces()), e.n(AttentionShape::threads),
         [&](Value piece) { rotate(head, token.position, piece, put); });
  if (const int64_t end = shape.groupsK * store.perScale(); end > spec.dimK)
    e.loop(e.add(tid, spec.dimK), e.n(end), e.n(AttentionShape::threads),
           [&](Value d) { put(d, e.real(e.f32(), 0)); });
  meet(e);
  storeRow(
      [&](Value d) { return e.load(e.f32(), e.at(scratch, e.mul(d, 4))); }, spec.dimK, shape.groupsK,
      [&](Value d) { return e.at(here.keys, e.mul(e.add(e.mul(d, spec.pageTokens), slot), shape.bytes)); },
      [&](Value group) {
        return e.at(here.keys, e.add(e.mul(e.add(e.mul(group, spec.pageTokens), slot), 2), layout.scalesK()));
      });
  Value value = rowOf(v, row, kvHead, spec.kvHeads, spec.dimV);
  storeRow(
      [&](Value d) {
        Value number = e.load(e.f32(), e.at(value, e.mul(e.min(d, e.n(spec.dimV - 1)), 4)));
        return e.select(e.less(d, e.n(spec.dimV)), number, e.real(e.f32(), 0));
      },
      spec.dimV, shape.groupsV,
      [&](Value d) { return e.at(here.values, e.mul(e.add(e.mul(slot, shape.dimV), d), shape.bytes)); },
      [&](Value group) {
        return e.at(here.values, e.add(e.mul(e.add(e.mul(slot, shape.groupsV), group), 2), layout.scalesV()));
      });
}

void AttentionRows::write(Value row, Value head, Value dimension, Value o, Value m, Value l) {
  auto vector = dyn_cast<VectorType>(o.getType());
  auto like = [&](Value scalar) { return vector ? e.broadcast(scalar, vector.getNumElements()) : scalar; };
  if (shape.spec.hasSinks) {
    Value sink = e.load(e.f32(), e.at(sinks, e.mul(e.widen(head), 4))), top = e.maxf(m, sink);
    Value factor = emit::buildExp(e, e.subf(m, top));
    l = e.fma(l, factor, emit::buildExp(e, e.subf(sink, top)));
    o = e.mulf(o, like(factor));
  }
  Value isNone = e.less(arith::CmpFPredicate::OEQ, l, e.real(e.f32(), 0));
  Value divisor = e.select(isNone, e.real(e.f32(), 1), l); // o is 0 then
  Value target = rowOf(y, row, head, shape.spec.heads, shape.spec.dimV);
  e.when(e.less(dimension, e.n(shape.spec.dimV)),
         [&] { e.store(e.divf(o, like(divisor)), e.at(target, e.mul(dimension, 4)), 0, 4 * shape.width); });
}

void AttentionRows::writePadding(Value row) {
  const int64_t width = shape.spec.heads * shape.spec.dimV, padded = emit::rowStride(width) / 4;
  if (width == padded)
    return;
  e.when(e.less(lane, e.n(padded - width)), [&] {
    Value target = e.at(y, e.mul(e.widen(row), 4 * padded));
    e.store(e.real(e.f32(), 0), e.at(target, e.mul(e.add(lane, width), 4)));
  });
}

} // namespace llmc::cuda
