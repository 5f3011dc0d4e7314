//===- Dot.cpp - int8 dot products of a group -----------------------------===//
//
// MaddUbs: products of nibbles (at most 15 * 127 each) of a whole group fit int16: 16 of them are 30480.
// Products of bytes fill int16 with two (2 * 128 * 127 = 32512), so they widen quad by quad.
//
//===----------------------------------------------------------------------===//
#include "codegen/cpu/isa/Dot.h"

using namespace mlir;

namespace llmc::cpu {

using quant::QuantScheme;
using quant::Storage;

int dotBias(const QuantScheme &scheme, DotUnit unit) {
  if (scheme.storage == Storage::Int8)
    return unit == DotUnit::Vnni ? 128 : 0;
  return scheme.zeroPoint;
}

SmallVector<Value> prepareQuad(Emitter &e, const QuantScheme &scheme, DotUnit unit, Value quad) {
  const bool isSigned = scheme.storage == Storage::Int8;
  if (unit == DotUnit::Vnni) {
    if (isSigned)
      quad = arith::XOrIOp::create(e, quad, e.splat(e.vec(64, e.i8()), 0x80));
    return {quad};
  }
  SmallVector<Value> halves = {e.slice(quad, 0, 32), e.slice(quad, 32, 32)};
  if (isSigned)
    for (int h = 0; h < 2; ++h)
      halves.push_back(
          e.intrinsic("llvm.x86.avx2.psign.b", e.vec(32, e.i8()), {halves[h], halves[h]})); // |w|
  return halves;
}

SmallVector<Value> prepareActivations(Emitter &e, DotUnit unit, Value four) {
  const int lanes = unit == DotUnit::Vnni ? 16 : 8;
  return {e.bitcast(e.broadcast(four, lanes), e.vec(4 * lanes, e.i8()))};
}

GroupDot::GroupDot(Emitter &e, const QuantScheme &scheme, DotUnit unit, Value start)
    : scheme(scheme), unit(unit), start(start) {
  if (unit == DotUnit::Vnni)
    sums.push_back(start ? e.broadcast(start, 16) : e.splat(e.vec(16, e.i32()), 0));
}

void GroupDot::add(Emitter &e, ArrayRef<Value> quad, ArrayRef<Value> activations) {
  if (unit == DotUnit::Vnni) {
    sums[0] =
        e.intrinsic("llvm.x86.avx512.vpdpbusd.512", e.vec(16, e.i32()), {sums[0], quad[0], activations[0]});
    return;
  }
  const bool isSigned = scheme.storage == Storage::Int8;
  SmallVector<Value> parts;
  for (int h = 0; h < 2; ++h) {
    Value w = quad[h], x = activations[0];
    if (isSigned) {
      x = e.intrinsic("llvm.x86.avx2.psign.b", e.vec(32, e.i8()), {x, w});
      w = quad[2 + h];
    }
    Value pairs = e.intrinsic("llvm.x86.avx2.pmadd.ub.sw", e.vec(16, e.i16()), {w, x});
    if (isSigned)
      pairs =
          e.intrinsic("llvm.x86.avx2.pmadd.wd", e.vec(8, e.i32()), {pairs, e.splat(e.vec(16, e.i16()), 1)});
    parts.push_back(pairs);
  }
  if (sums.empty())
    sums = parts;
  else
    for (int h = 0; h < 2; ++h)
      sums[h] = e.add(sums[h], parts[h]);
}

Value GroupDot::finish(Emitter &e) {
  Value sum;
  if (unit == DotUnit::Vnni) {
    sum = sums[0];
  } else {
    SmallVector<Value> halves = sums;
    if (scheme.storage != Storage::Int8)
      for (Value &half : halves)
        half =
            e.intrinsic("llvm.x86.avx2.pmadd.wd", e.vec(8, e.i32()), {half, e.splat(e.vec(16, e.i16()), 1)});
    if (start)
      for (Value &half : halves)
        half = e.add(half, e.broadcast(start, 8));
    sum = e.concat(halves[0], halves[1]);
  }
  return arith::SIToFPOp::create(e, e.vec(16, e.f32()), sum);
}

} // namespace llmc::cpu
