//===- PackRows.cpp - norm and quantize an activation row -----------------===//
//
// A row of x becomes what the products read: normed floats padded with zeros (rounded to f16 or bf16 first,
// if asked for), pairs of bf16, or groups of int8 with their scale and sums (int8group). Sums over the row
// add 16 lanes (or 4 x 16) in ascending order, then fold them in halves.
//
//===----------------------------------------------------------------------===//
#include "codegen/cpu/isa/Tiles.h"
#include "codegen/cpu/kernels/Linear.h"
#include "codegen/emit/Norm.h"

using namespace mlir;

namespace llmc::cpu {
namespace {

struct RowPacker {
  Emitter &e;
  const LinearSpec &spec;
  Value x, gain, normBias, out;
  bool wantsHalves;    // the sums of half groups
  Value mean, inverse; // of the norm, broadcast; mean is null for an RMS norm

  /// Vector number v of x; the buffer's padding beyond the row's end reads as zero.
  Value raw(Value v, bool isTail) {
    Value value = e.loadFloats(e.at(x, e.mul(v, 64)));
    if (!isTail)
      return value;
    Value inside =
        e.compare(arith::CmpIPredicate::slt, e.iota(), e.splat(e.vec(lanes, e.i32()), spec.k % lanes));
    return e.select(inside, value, e.zeros());
  }

  /// sum over the row of f(vector).
  Value reduce(llvm::function_ref<Value(Value sum, Value v, bool isTail)> add) {
    const int64_t whole = spec.k / lanes, ways = whole % 4 == 0 ? 4 : 1;
    Values sums =
        e.loop(e.c(0), e.c(whole), e.c(ways), Values(ways, e.zeros()), [&](Value v, ValueRange carried) {
          Values sums;
          for (int64_t i = 0; i < ways; ++i)
            sums.push_back(add(carried[i], e.add(v, i), false));
          return sums;
        });
    Value sum = ways == 4 ? e.addf(e.addf(sums[0], sums[1]), e.addf(sums[2], sums[3])) : sums[0];
    if (spec.k % lanes)
      sum = add(sum, e.c(whole), true);
    return e.sumLanes(sum);
  }

  void statistics() {
    if (spec.norm == Norm::None)
      return;
    if (spec.norm == Norm::Layer) {
      Value sum = reduce([&](Value sum, Value v, bool isTail) { return e.addf(sum, raw(v, isTail)); });
      mean = e.broadcast(e.divf(sum, e.real(e.f32(), double(spec.k))));
    }
    Value squares = reduce([&](Value sum, Value v, bool isTail) {
      Value value = centered(v, isTail);
      return e.fma(value, value, sum);
    });
    inverse = e.broadcast(emit::emitNormFactor(e, squares, spec.k, spec.eps));
  }

  Value centered(Value v, bool isTail) {
    Value value = raw(v, isTail);
    if (!mean)
      return value;
    value = e.subf(value, mean);
    if (!isTail)
      return value;
    Value inside =
        e.compare(arith::CmpIPredicate::slt, e.iota(), e.splat(e.vec(lanes, e.i32()), spec.k % lanes));
    return e.select(inside, value, e.zeros());
  }

  /// The normed vector number v. Gain and bias are padded with zeros, so the padding stays zero.
  Value normed(Value v, bool isTail) {
    Value value = centered(v, isTail);
    if (spec.norm == Norm::None)
      return value;
    value = e.mulf(value, inverse);
    if (spec.normGain)
      value = emit::emitGain(e, value, e.loadFloats(e.at(gain, e.mul(v, 64))), spec.normPlusOne);
    if (spec.normBias)
      value = e.addf(value, e.loadFloats(e.at(normBias, e.mul(v, 64))));
    return value;
  }

  /// To the activations' type and back. What f16 cannot hold becomes its largest number.
  Value rounded(Value value) {
    if (spec.activations == ActivationType::BF16)
      return e.extendBF16(e.truncToBF16(value));
    if (spec.activations != ActivationType::F16)
      return value;
    return arith::ExtFOp::create(e, e.floats(), e.truncToF16(value));
  }

  void packFloats() {
    const int64_t whole = spec.k / lanes, all = roundUp(paddedColumns(spec), lanes) / lanes;
    e.loop(e.c(0), e.c(whole), 1,
           [&](Value v) { e.store(rounded(normed(v, false)), e.at(out, e.mul(v, 64))); });
    int64_t done = whole;
    if (spec.k % lanes)
      e.store(rounded(normed(e.c(whole), true)), out, 64 * done++);
    for (; done < all; ++done)
      e.store(e.zeros(), out, 64 * done);
  }

  /// Of an even number of columns, without padding.
  void packBF16() {
    const int64_t whole = spec.k / lanes;
    auto pack = [&](Value v, bool isTail) {
      e.store(e.truncToBF16(normed(v, isTail)), e.at(out, e.mul(v, lanes * 2)));
    };
    e.loop(e.c(0), e.c(whole), 1, [&](Value v) { pack(v, false); });
    if (spec.k % lanes)
      pack(e.c(whole), true);
  }

  /// Group number g of the packed row.
  void packGroup(Value g, ArrayRef<Value> values) {
    auto words = e.vec(lanes, e.i32());
    Value target = e.at(out, e.mul(g, int8group::bytes));
    Value largest = e.maxLanes(e.maxf(e.abs(values[0]), e.abs(values[1])));
    Value scale = e.divf(largest, e.real(e.f32(), 127));
    // A group of zeros divides by one instead: all its int8 are zero.
    Value isZero = e.less(arith::CmpFPredicate::OEQ, scale, e.real(e.f32(), 0));
    Value divisor = e.broadcast(e.select(isZero, e.real(e.f32(), 1), scale));
    Values halves;
    for (int h = 0; h < 2; ++h) {
      // To nearest, ties to even: adding 1.5 * 2^23 leaves the integer in the low bits. The limits only
      // matter where a subnormal scale is imprecise.
      Value scaled = e.divf(values[h], divisor);
      Value shifted = e.addf(scaled, 12582912.0);
      Value integer = e.sub(arith::BitcastOp::create(e, words, shifted), 0x4b400000);
      integer = e.min(e.max(integer, e.splat(words, -127)), e.splat(words, 127));
      e.store(arith::TruncIOp::create(e, e.vec(lanes, e.i8()), integer), target, lanes * h);
      halves.push_back(integer);
    }
    auto scaled = [&](Value sum) { return e.mulf(scale, arith::SIToFPOp::create(e, e.f32(), sum)); };
    Value sum;
    if (wantsHalves) {
      for (int64_t h = 0; h < 2; ++h) {
        halves[h] = e.sumLanes(halves[h]);
        e.store(scaled(halves[h]), target, int8group::halfSums + 4 * h);
        e.store(e.mul(halves[h], -1), target, int8group::minusHalves + 4 * h);
      }
      sum = e.add(halves[0], halves[1]);
    } else {
      sum = e.sumLanes(e.add(halves[0], halves[1]));
      e.store(e.c(0), target, int8group::halfSums);
      e.store(e.c(0), target, int8group::minusHalves);
    }
    e.store(scale, target, int8group::scale);
    e.store(scaled(sum), target, int8group::sum);
    e.store(e.mul(sum, -8), target, int8group::minus8);
    e.store(e.mul(sum, -128), target, int8group::minus128);
  }

  /// Group number g of a row for tiles: a line of bf16, in the order of the pairs that weights are decoded
  /// to.
  void packTileGroup(const TileLayout &layout, Value rows, Value row, Value g, ArrayRef<Value> values) {
    SmallVector<int64_t> order;
    for (int64_t quad = 0; quad < int8group::values; quad += 4)
      order.insert(order.end(), {quad, quad + 2, quad + 1, quad + 3});
    const bool isScaled = spec.activations == ActivationType::Int8;
    Value halves[2];
    for (int h = 0; h < 2; ++h)
      halves[h] = e.truncToBF16(isScaled ? e.mulf(values[h], tileScale) : values[h]);
    Value line = vector::ShuffleOp::create(e, halves[0], halves[1], order);
    Value inBlock = e.rem(row, tile::rows), block = e.sub(row, inBlock);
    Value lines = e.min(e.sub(rows, block), e.c(tile::rows)), width = e.c(layout.columns), before = e.c(0);
    if (layout.chunks > 1) {
      Value chunk = e.div(g, layout.columns / tile::columns);
      width = e.select(e.less(chunk, e.c(layout.chunks - 1)), width, e.c(layout.lastColumns));
      before = e.mul(chunk, layout.columns);
      g = e.rem(g, layout.columns / tile::columns);
    }
    Value chunks = e.add(e.mul(before, rows), e.mul(width, block));
    Value inChunk = e.mul(e.add(e.mul(g, lines), inBlock), tile::lineBytes);
    e.store(line, e.at(out, e.add(e.mul(chunks, tile::numberBytes), inChunk)));
  }

  /// Calls `pack` with each group of 32 columns that has any in x; returns their number.
  int64_t overGroups(llvm::function_ref<void(Value g, ArrayRef<Value> values)> pack) {
    const int64_t groups = spec.k / int8group::values;
    e.loop(e.c(0), e.c(groups), 1, [&](Value g) {
      Value first = e.mul(g, 2);
      pack(g, {normed(first, false), normed(e.add(first, 1), false)});
    });
    if (spec.k % int8group::values == 0)
      return groups;
    const int64_t whole = spec.k / lanes;
    Values values;
    for (int64_t v = 2 * groups; v < 2 * groups + 2; ++v)
      values.push_back(v < whole                      ? normed(e.c(v), false)
                       : v == whole && spec.k % lanes ? normed(e.c(v), true)
                                                      : e.zeros());
    pack(e.c(groups), values);
    return groups + 1;
  }

  void packForTiles(const TileLayout &layout, Value rows, Value row) {
    auto pack = [&](Value g, ArrayRef<Value> values) { packTileGroup(layout, rows, row, g, values); };
    int64_t done = overGroups(pack);
    for (const int64_t all = paddedColumns(spec) / tile::columns; done < all; ++done)
      pack(e.c(done), {e.zeros(), e.zeros()});
  }

  void packInt8() {
    int64_t done = overGroups([&](Value g, ArrayRef<Value> values) { packGroup(g, values); });
    for (const int64_t all = paddedColumns(spec) / int8group::values; done < all; ++done)
      for (int64_t offset = 0; offset < int8group::bytes; offset += 8)
        e.store(e.c(0), out, done * int8group::bytes + offset);
  }
};

} // namespace

LLVM::LLVMFuncOp emitPackRow(Emitter &e, ModuleOp module, StringRef name, const LinearSpec &spec,
                             const Isa &isa, bool forTiles) {
  SmallVector<Type> types(4, e.ptr());
  if (forTiles)
    types.append(2, e.i64());
  return emitFunction(e, module, name, isa, types, true, [&](ValueRange a) {
    const bool wantsHalves =
        llvm::any_of(spec.weights, [&](auto &weight) { return needsHalfSums(*weight.scheme, isa); });
    RowPacker packer{e, spec, a[0], a[1], a[2], a[3], wantsHalves, {}, {}};
    packer.statistics();
    if (forTiles)
      packer.packForTiles(tileLayout(spec, isa), a[4], a[5]);
    else if (productType(spec, isa) == ActivationType::Int8)
      packer.packInt8();
    else if (productType(spec, isa) == ActivationType::BF16)
      packer.packBF16();
    else
      packer.packFloats();
  });
}

FailureOr<KernelResult> emitNorm(ModuleOp module, StringRef name, const NormSpec &spec, const Isa &isa) {
  if (spec.k <= 0 || spec.norm == Norm::None) {
    module.emitError() << "norm kernel '" << name << "': expected a norm and a positive width";
    return failure();
  }
  LinearSpec row;
  row.k = spec.k;
  row.norm = spec.norm;
  row.eps = spec.eps;
  row.normPlusOne = spec.plusOne;
  row.normGain = spec.gain;
  row.normBias = spec.bias;
  Emitter e(module.getLoc(), module.getContext());
  e.setInsertionPointToEnd(module.getBody());
  emitEntry(e, module, name, isa, [&](const KernelArguments &k) {
    int64_t next = 0;
    Value x = k.pointer(e, next++), none = LLVM::ZeroOp::create(e, e.ptr());
    Value gain = spec.gain ? k.pointer(e, next++) : none, bias = spec.bias ? k.pointer(e, next++) : none;
    Value y = k.pointer(e, next);
    auto pack = emitPackRow(e, module, (name + ".row").str(), row, isa, false);
    auto [first, last] = k.share(e, k.rows(e, spec.rowSpace));
    e.loop(first, last, 1, [&](Value i) {
      Value at = e.mul(i, rowStride(spec.k));
      e.call(pack, {e.at(x, at), gain, bias, e.at(y, at)});
    });
  });
  return KernelResult{};
}

} // namespace llmc::cpu
