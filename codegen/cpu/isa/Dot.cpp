//===- Dot.cpp - int8 dot products of a group -----------------------------===//
//
// MaddUbs adds two products of an unsigned and a signed byte in 16 bits, and saturates. A quad contributes at
// most 2 * 127 * (largest quant), so as many quads as fit are added in 16 bits before they are widened: 8 of
// nibbles (30480), 4 of 5 bits (31496), 2 of 6 bits (32004), 1 of bytes (|-128|: 32512).
//
//===----------------------------------------------------------------------===//
#include "codegen/cpu/isa/Dot.h"

using namespace mlir;

namespace llmc::cpu {

using quant::QuantScheme;

DotForm DotForm::of(const QuantScheme &scheme, DotUnit unit) {
  constexpr int quadLimit = 32767 / (2 * 127);
  if (!scheme.isSigned()) {
    const int largest = (1 << (scheme.lowBits + scheme.highBits)) - 1;
    return {0, scheme.zeroPoint, false, quadLimit / largest};
  }
  if (unit != DotUnit::MaddUbs)
    return {128, 128, false, 0};
  int lowest = -128, highest = 127;
  if (scheme.codebook) {
    auto [low, high] = std::minmax_element(scheme.codebook, scheme.codebook + 16);
    lowest = *low, highest = *high;
  }
  if (highest - lowest <= quadLimit / 2) // unsigned is cheaper, as soon as two quads fit
    return {-lowest, -lowest, false, quadLimit / (highest - lowest)};
  return {0, 0, true, 1};
}

Value lookUpBytes(Emitter &e, DotUnit unit, Value table, Value indices) {
  const int64_t bytes = vectorBytes(unit);
  auto type = e.vec(bytes, e.i8());
  if (bytes == 64)
    return e.intrinsic("llvm.x86.avx512.pshuf.b.512", type, {table, indices});
  auto half = [&](int64_t first) {
    return e.intrinsic("llvm.x86.avx2.pshuf.b", type,
                       {e.slice(table, 0, bytes), e.slice(indices, first, bytes)});
  };
  return e.concat(half(0), half(32));
}

quant::ByteLookup byteLookup(Emitter &e, DotUnit unit) {
  return [&e, unit](Value indices, ArrayRef<int8_t> table) {
    SmallVector<int8_t> repeated;
    for (int64_t i = 0; i < 64; ++i)
      repeated.push_back(table[i % 16]);
    Value values =
        arith::ConstantOp::create(e, DenseElementsAttr::get(e.vec(64, e.i8()), ArrayRef<int8_t>(repeated)));
    return lookUpBytes(e, unit, values, indices);
  };
}

SmallVector<Value> prepareQuad(Emitter &e, const DotForm &form, DotUnit unit, Value quad) {
  if (vectorBytes(unit) == 64)
    return {quad};
  SmallVector<Value> halves = {e.slice(quad, 0, 32), e.slice(quad, 32, 32)};
  if (form.isSigned)
    for (int h = 0; h < 2; ++h)
      halves.push_back(
          e.intrinsic("llvm.x86.avx2.psign.b", e.vec(32, e.i8()), {halves[h], halves[h]})); // |w|
  return halves;
}

SmallVector<Value> prepareActivations(Emitter &e, DotUnit unit, Value four) {
  const int64_t bytes = vectorBytes(unit);
  return {e.bitcast(e.broadcast(four, bytes / 4), e.vec(bytes, e.i8()))};
}

GroupDot::GroupDot(Emitter &e, const DotForm &form, DotUnit unit, Value start) : form(form), unit(unit) {
  const int64_t count = vectorBytes(unit) / 4;
  if (start || unit != DotUnit::MaddUbs)
    sums.assign(lanes / count, start ? e.broadcast(start, count) : e.splat(e.vec(count, e.i32()), 0));
}

void GroupDot::add(Emitter &e, ArrayRef<Value> quad, ArrayRef<Value> activations) {
  if (unit != DotUnit::MaddUbs) {
    const char *name = sums.size() == 1 ? "llvm.x86.avx512.vpdpbusd.512" : "llvm.x86.avx512.vpdpbusd.256";
    for (auto [sum, weights] : llvm::zip_equal(sums, quad))
      sum = e.intrinsic(name, sum.getType(), {sum, weights, activations[0]});
    return;
  }
  for (int h = 0; h < 2; ++h) {
    Value w = quad[h], x = activations[0];
    if (form.isSigned) {
      x = e.intrinsic("llvm.x86.avx2.psign.b", e.vec(32, e.i8()), {x, w});
      w = quad[2 + h];
    }
    Value pairs = e.intrinsic("llvm.x86.avx2.pmadd.ub.sw", e.vec(16, e.i16()), {w, x});
    if (quadsInWords == 0)
      words.push_back(pairs);
    else
      words[h] = e.add(words[h], pairs);
  }
  if (++quadsInWords == form.quadsPerWord)
    widen(e);
}

/// Moves the 16-bit sums to the 32-bit ones.
void GroupDot::widen(Emitter &e) {
  if (quadsInWords == 0)
    return;
  for (int h = 0; h < 2; ++h) {
    Value wide =
        e.intrinsic("llvm.x86.avx2.pmadd.wd", e.vec(8, e.i32()), {words[h], e.splat(e.vec(16, e.i16()), 1)});
    if (int(sums.size()) == h)
      sums.push_back(wide);
    else
      sums[h] = e.add(sums[h], wide);
  }
  words.clear();
  quadsInWords = 0;
}

Value GroupDot::finish(Emitter &e) {
  widen(e);
  Value sum = sums.size() == 1 ? sums[0] : e.concat(sums[0], sums[1]);
  return arith::SIToFPOp::create(e, e.vec(16, e.f32()), sum);
}

Value dotBF16Pairs(Emitter &e, Value sums, Value a, Value b) {
  auto numbers = e.vec(2 * lanes, mlir::BFloat16Type::get(e.getContext()));
  return e.intrinsic("llvm.x86.avx512bf16.dpbf16ps.512", e.floats(),
                     {sums, e.bitcast(a, numbers), e.bitcast(b, numbers)});
}

Value sideBySide(Emitter &e, Value words) {
  SmallVector<int64_t> order;
  for (int64_t i = 0; i < lanes; ++i)
    order.append({i, i + lanes});
  return vector::ShuffleOp::create(e, words, words, order);
}

} // namespace llmc::cpu
