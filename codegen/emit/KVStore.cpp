//===- KVStore.cpp - reading and writing the numbers of a page ------------===//
#include "codegen/emit/KVStore.h"

#include <cmath>

using namespace mlir;

namespace llmc::emit {

Type KVStore::storedType() {
  return type.perScale ? e.i8() : type.name == "f32" ? e.f32() : type.name == "f16" ? e.f16() : e.i16();
}

/// `element`, or a vector of them as long as `value`.
static Type like(Value value, Type element) {
  auto vector = dyn_cast<VectorType>(value.getType());
  return vector ? Type(VectorType::get(vector.getShape(), element)) : element;
}

Value KVStore::widen(Value stored) {
  if (type.perScale)
    return arith::SIToFPOp::create(e, like(stored, e.f32()), stored);
  if (type.name == "bf16")
    return e.extendBF16(stored);
  return type.name == "f16" ? arith::ExtFOp::create(e, like(stored, e.f32()), stored).getResult() : stored;
}

Value KVStore::narrow(Value f32) {
  if (type.name == "bf16")
    return e.truncToBF16(f32);
  return type.name == "f16" ? e.truncToF16(f32) : f32;
}

/// Of `bytes` that are read at `offset`, those that begin a line there.
void KVStore::prefetch(Value read, int64_t offset, int64_t bytes) {
  constexpr int64_t line = 64;
  if (!ahead)
    return;
  for (int64_t at = roundUp(offset, line); at < offset + bytes; at += line)
    e.prefetch(e.at(e.at(read, ahead), at), aheadLevel);
}

Values KVStore::forEachDimension(Value head, int64_t vectors, int64_t atOnce, ValueRange carried,
                                 DimensionBody body) {
  const int64_t stride = layout.pageTokens * type.bytes;
  auto stored = e.vec(lanes, storedType());
  auto loop = [&](Value first, Value last, ArrayRef<Value> scales, ValueRange carried) {
    return e.loop(first, last, e.c(atOnce), carried, [&](Value d, ValueRange carried) {
      Values keys;
      for (int64_t i = 0; i < atOnce; ++i) {
        Value at = e.at(e.at(head, e.mul(d, stride)), i * stride);
        prefetch(at, 0, vectors * lanes * type.bytes);
        for (int64_t v = 0; v < vectors; ++v) {
          Value key = widen(e.load(stored, at, v * lanes * type.bytes));
          keys.push_back(scales.empty() ? key : e.mulf(key, scales[v]));
        }
      }
      return body(d, keys, carried);
    });
  };
  if (!type.perScale)
    return loop(e.c(0), e.c(layout.dimK), {}, carried);
  return e.loop(e.c(0), e.c(layout.groups(layout.dimK)), e.c(1), carried, [&](Value g, ValueRange carried) {
    Value at = e.at(head, e.add(e.mul(g, 2 * layout.pageTokens), layout.scalesK()));
    Values scales;
    for (int64_t v = 0; v < vectors; ++v)
      scales.push_back(e.loadFloats(at, v * lanes * 2, /*halves=*/true));
    Value first = e.mul(g, type.perScale);
    Value last = e.min(e.add(first, type.perScale), e.c(layout.dimK));
    return loop(first, last, scales, carried);
  });
}

void KVStore::widenValueScales(Value head, Value place) {
  if (!type.perScale)
    return;
  wideScales = place;
  Value stored = e.at(head, layout.scalesV());
  e.loop(e.c(0), e.c(layout.pageTokens * layout.groups(layout.dimV)), lanes, [&](Value i) {
    e.store(e.loadFloats(e.at(stored, e.mul(i, 2)), 0, /*halves=*/true), e.at(place, e.mul(i, 4)));
  });
}

Value KVStore::values(Value head, Value slot, Value column, int64_t offset) {
  Value place = e.at(head, e.mul(e.add(e.mul(slot, layout.dimVPadded()), column), type.bytes));
  prefetch(place, offset * type.bytes, lanes * type.bytes);
  Value v = widen(e.load(e.vec(lanes, storedType()), place, offset * type.bytes));
  if (!type.perScale)
    return v;
  Value group = e.add(e.mul(slot, layout.groups(layout.dimV)), e.div(e.add(column, offset), type.perScale));
  Value wide = wideScales ? e.load(e.f32(), e.at(wideScales, e.mul(group, 4)))
                          : scale(e.at(head, e.add(e.mul(group, 2), layout.scalesV())));
  return e.mulf(v, e.broadcast(wide));
}

Value KVStore::key(Value head, Value slot, Value d) {
  Value at = e.add(e.mul(d, layout.pageTokens), slot);
  Value number = widen(e.load(storedType(), e.at(head, e.mul(at, type.bytes))));
  if (!type.perScale)
    return number;
  Value group = e.add(e.mul(e.div(d, type.perScale), layout.pageTokens), slot);
  return e.mulf(number, scale(e.at(head, e.add(e.mul(group, 2), layout.scalesK()))));
}

Value KVStore::value(Value head, Value slot, Value d) {
  Value at = e.add(e.mul(slot, layout.dimVPadded()), d);
  Value number = widen(e.load(storedType(), e.at(head, e.mul(at, type.bytes))));
  if (!type.perScale)
    return number;
  Value group = e.add(e.mul(slot, layout.groups(layout.dimV)), e.div(d, type.perScale));
  return e.mulf(number, scale(e.at(head, e.add(e.mul(group, 2), layout.scalesV()))));
}

/// The scale is rounded to f16 first, so that the int8 make up for its rounding.
std::pair<Value, Value> KVStore::scaleFor(Value largest) {
  constexpr double largestHalf = 65504;
  Value wanted = e.divf(largest, e.real(e.f32(), 127)), limit = e.real(e.f32(), largestHalf);
  wanted = e.select(e.less(arith::CmpFPredicate::OLT, wanted, limit), wanted, limit);
  Value half = arith::TruncFOp::create(e, e.f16(), wanted);
  Value scale = arith::ExtFOp::create(e, e.f32(), half);
  // With a scale of zero all int8 are zero.
  Value isZero = e.less(arith::CmpFPredicate::OEQ, scale, e.real(e.f32(), 0));
  return {half, e.select(isZero, e.real(e.f32(), INFINITY), scale)};
}

Value KVStore::quantize(Value number, Value divisor) {
  // To nearest, ties to even: adding 1.5 * 2^23 leaves the integer in the low bits. The limits matter where
  // a scale at the end of f16's range is imprecise.
  Value scaled = e.divf(number, divisor), bound = e.real(e.f32(), 127);
  scaled = e.select(e.less(arith::CmpFPredicate::OLT, scaled, bound), scaled, bound);
  scaled = e.maxf(scaled, e.real(e.f32(), -127));
  Value integer = arith::BitcastOp::create(e, e.i32(), e.addf(scaled, 12582912.0));
  return arith::TruncIOp::create(e, e.i8(), integer);
}

/// Numbers [first, last) of a row as int8 times a scale: the largest becomes about 127.
void KVStore::storeScaled(Value row, Value first, Value last, Place place, Value scaleAddress) {
  auto number = [&](Value d) { return e.load(e.f32(), e.at(row, e.mul(d, 4))); };
  Value largest =
      e.loop(first, last, e.c(1), ValueRange{e.real(e.f32(), 0)},
             [&](Value d, ValueRange carried) { return Values{e.maxf(e.abs(number(d)), carried[0])}; })[0];
  auto [scale, divisor] = scaleFor(largest);
  e.store(scale, scaleAddress);
  e.loop(first, last, 1,
         [&, divisor = divisor](Value d) { e.store(quantize(number(d), divisor), place(d)); });
}

/// A row of `dim` floats, `unit` at once where whole vectors fit; `place` and `scalePlace` give addresses of
/// a number and of a group's scale.
void KVStore::store(Value row, int64_t dim, int64_t unit, Place place, Place scalePlace) {
  if (type.perScale) {
    e.loop(e.c(0), e.c(layout.groups(dim)), 1, [&](Value g) {
      Value first = e.mul(g, type.perScale), last = e.min(e.add(first, type.perScale), e.c(dim));
      storeScaled(row, first, last, place, scalePlace(g));
    });
    return;
  }
  const int64_t whole = unit > 1 ? dim / unit * unit : 0;
  e.loop(e.c(0), e.c(whole), unit,
         [&](Value d) { e.store(narrow(e.loadFloats(e.at(row, e.mul(d, 4)))), place(d)); });
  e.loop(e.c(whole), e.c(dim), 1,
         [&](Value d) { e.store(narrow(e.load(e.f32(), e.at(row, e.mul(d, 4)))), place(d)); });
}

void KVStore::storeKey(Value head, Value slot, Value row) {
  store(
      row, layout.dimK, 1,
      [&](Value d) { return e.at(head, e.mul(e.add(e.mul(d, layout.pageTokens), slot), type.bytes)); },
      [&](Value g) {
        return e.at(head, e.add(e.mul(e.add(e.mul(g, layout.pageTokens), slot), 2), layout.scalesK()));
      });
}

void KVStore::storeValue(Value head, Value slot, Value row) {
  store(
      row, layout.dimV, lanes,
      [&](Value d) { return e.at(head, e.mul(e.add(e.mul(slot, layout.dimVPadded()), d), type.bytes)); },
      [&](Value g) {
        return e.at(head,
                    e.add(e.mul(e.add(e.mul(slot, layout.groups(layout.dimV)), g), 2), layout.scalesV()));
      });
}

} // namespace llmc::emit
