//===- LinearWeights.cpp - packed panels => operands of products ----------===//
//
// A warp copies chunks of two panels, as they lie in memory, to shared memory of its own: whole lines of it,
// whatever the scheme. There each lane finds four rows:
//   4 bits:  16 bytes of a line, four rows of two quads; lane (g, t) takes line t of a group of 32 columns;
//   8 bits:  16 bytes of a line, four rows of one quad; lines t and t + 4 of a group;
//   floats:  8 bytes of a record, four rows of one column; columns t, 4 + t, 8 + t, 12 + t of a step of 16.
// Which column a matrix instruction takes for which is free as long as the tokens' columns stand in the same
// order: columnsOf() says where.
//
//===----------------------------------------------------------------------===//
#include "codegen/cuda/kernels/Linear.h"

using namespace mlir;

namespace llmc::cuda::linear {

using emit::Emitter;
using emit::Values;
using quant::Storage;

Panels::Panels(Emitter &e, const Plan &plan, const Target &target) : e(e), plan(plan) {
  Value first = e.mul(target.rowBlock, warpPanels), last = e.sub(target.panels, 1);
  isThere = e.less(first, target.panels);
  for (Value weight : target.weights) {
    // Where there is no such panel the last one is taken; nobody stores its sums.
    auto &pair = addresses.emplace_back();
    for (int64_t i = 0; i < warpPanels; ++i)
      pair[i] = e.at(weight, e.mul(e.min(e.add(first, i), last), plan.panelBytes()));
  }
}

void Panels::copy(Value chunk, Value end, Value to) const {
  e.when(e.both(isThere, e.less(chunk, end)), [&] { copyChunk(chunk, to); });
}

void Panels::copyChunk(Value chunk, Value to) const {
  constexpr int64_t pieceBytes = 16;
  const int64_t pieces = plan.chunkBytes() / pieceBytes, all = warpPanels * pieces;
  const bool isRagged = plan.chunks * plan.chunkBytes() > plan.panelBytes();
  Value lane = laneNumber(e), start = e.mul(chunk, plan.chunkBytes());
  for (int64_t done = 0; done < all; done += warpLanes) {
    Value piece = e.add(lane, done);
    auto copyPieces = [&] {
      Value isSecond = e.less(e.c(pieces - 1), piece);
      Value inPanel = e.select(isSecond, e.sub(piece, pieces), piece);
      Value offset = e.add(start, e.mul(inPanel, pieceBytes));
      // Columns beyond the last are multiplied by zero: any numbers of the panel will do.
      if (isRagged)
        offset = e.min(offset, e.c(plan.panelBytes() - pieceBytes));
      for (auto [w, pair] : llvm::enumerate(addresses))
        copyAsync(e, e.at(to, e.add(e.mul(piece, pieceBytes), int64_t(w) * plan.pairBytes())),
                  e.at(e.select(isSecond, pair[1], pair[0]), offset));
    };
    // One branch for all weights: LLVM would draw what stands between two into both of their ways, and a
    // warp would go there twice.
    if (done + warpLanes <= all)
      copyPieces();
    else
      e.when(e.less(piece, e.c(all)), copyPieces);
  }
}

namespace {

Value bits(Emitter &e, Value word, int64_t shift, int64_t mask) {
  if (shift)
    word = arith::ShRUIOp::create(e, word, e.splat(e.i32(), shift));
  return e.both(word, e.splat(e.i32(), mask));
}

/// Two halves 1024 + q (q in the low bits of each) minus `bias`: exact, since all are integers below 2048.
Value integers(Emitter &e, Value quants, double bias) {
  auto halves = e.vec(2, e.f16());
  Value word = arith::OrIOp::create(e, quants, e.splat(e.i32(), 0x64006400));
  Value value = e.subf(LLVM::BitcastOp::create(e, halves, word), e.real(halves, bias));
  return LLVM::BitcastOp::create(e, e.i32(), value);
}

struct Loader {
  Emitter &e;
  const Plan &plan;
  Value group;
  Value t, quarter, panel;
  Fragments result;

  Loader(Emitter &e, const Plan &plan, Value chunk, Value group) : e(e), plan(plan), group(group) {
    Value lane = laneNumber(e), g = e.div(lane, 4);
    t = e.rem(lane, 4);
    quarter = e.rem(g, 4);
    panel = e.at(chunk, e.mul(e.div(g, 4), plan.chunkBytes()));
  }

  Value load(Type type, Value address, int64_t offset, unsigned alignment) {
    return e.load(type, e.at(address, offset), 0, alignment);
  }

  /// From a group to the next, where each is a record and where a record has several.
  Value ofGroup(int64_t bytes) {
    const bool isRecord = plan.scheme.recordValues == plan.scheme.group;
    return e.mul(group, isRecord ? plan.scheme.recordBytes : bytes);
  }

  /// Rows 4g to 4g + 3 as four words, `index` of the group's lines.
  Value line(Value index) {
    const int64_t groupBytes = plan.scheme.group * quant::panelRows * plan.scheme.lowBits / 8;
    Value at = e.add(e.mul(index, quant::lineBytes), e.mul(quarter, 16));
    return load(e.vec(4, e.i32()), e.at(panel, e.add(at, ofGroup(groupBytes))), 0, 16);
  }

  /// pairs[row][i]: the columns that instructions take for 8i + 2t and the next.
  void setSteps(ArrayRef<std::array<Value, 4>> pairs) {
    for (int64_t step = 0; step < 2; ++step)
      for (int64_t p = 0; p < 2; ++p)
        for (int64_t half = 0; half < 2; ++half)
          for (int64_t row = 0; row < 2; ++row)
            result.a[step][p].push_back(pairs[2 * p + row][2 * step + half]);
  }

  void loadNibbles() {
    Value words = line(t);
    SmallVector<std::array<Value, 4>> pairs;
    for (int64_t row = 0; row < 4; ++row) {
      Value word = e.element(words, row);
      auto pair = [&](int64_t shift) {
        return integers(e, bits(e, word, shift, 0x000f000f), 1024 + plan.scheme.zeroPoint);
      };
      pairs.push_back({pair(0), pair(8), pair(4), pair(12)});
    }
    setSteps(pairs);
  }

  void loadBytes() {
    Value low = line(t), high = line(e.add(t, 4));
    SmallVector<std::array<Value, 4>> pairs;
    for (int64_t row = 0; row < 4; ++row) {
      std::array<Value, 4> four;
      for (int64_t half = 0; half < 2; ++half) {
        // int8 plus 128 is unsigned.
        Value word = e.element(half ? high : low, row);
        word = arith::XOrIOp::create(e, word, e.splat(e.i32(), 0x80808080));
        for (int64_t odd = 0; odd < 2; ++odd)
          four[2 * half + odd] = integers(e, bits(e, word, 8 * odd, 0x00ff00ff), 1024 + 128);
      }
      pairs.push_back(four);
    }
    setSteps(pairs);
  }

  Value loadScales(int64_t offset) {
    Value at = e.add(e.mul(quarter, 8), ofGroup(quant::panelRows * plan.scheme.scaleBytes()));
    Value halves = load(e.vec(4, e.f16()), e.at(panel, at), offset, 8);
    return arith::ExtFOp::create(e, e.vec(4, e.f32()), halves);
  }

  void loadIntegers() {
    if (plan.scheme.lowBits == 4)
      loadNibbles();
    else
      loadBytes();
    result.scales = loadScales(plan.scheme.scalesOffset());
    if (plan.scheme.hasMin)
      result.minimums = loadScales(plan.scheme.minimumsOffset());
  }

  void loadFloats() {
    const int64_t bytes = plan.scheme.recordBytes;
    Value inGroup = e.add(e.add(e.mul(t, bytes), e.mul(quarter, 8)), e.mul(group, 32 * bytes));
    Value lane = e.at(panel, inGroup);
    for (int64_t step = 0; step < 2; ++step) {
      Values columns; // rows 0 and 1, then 2 and 3
      for (int64_t i = 0; i < 4; ++i)
        columns.push_back(load(e.vec(2, e.i32()), lane, (16 * step + 4 * i) * bytes, 8));
      for (int64_t p = 0; p < 2; ++p)
        for (int64_t half = 0; half < 2; ++half) {
          Values &a = result.a[step][p];
          Value first = e.element(columns[2 * half], p), second = e.element(columns[2 * half + 1], p);
          Value sixteen = e.splat(e.i32(), 16);
          a.push_back(
              arith::OrIOp::create(e, bits(e, first, 0, 0xffff), arith::ShLIOp::create(e, second, sixteen)));
          a.push_back(arith::OrIOp::create(e, arith::ShRUIOp::create(e, first, sixteen),
                                           bits(e, second, 0, 0xffff0000)));
        }
    }
  }
};

} // namespace

Fragments loadFragments(Emitter &e, const Plan &plan, Value chunk, Value group) {
  Loader loader(e, plan, chunk, group);
  if (plan.scheme.isInteger())
    loader.loadIntegers();
  else
    loader.loadFloats();
  return std::move(loader.result);
}

/// Where a quad of columns goes: instructions take number 8i + 2t + j of 32 for the one that lane t has as
/// half j of its pair i.
void Rows::store(ValueRange planes, Value chunk, Value quad) {
  Value group = e.mul(e.div(quad, 8), 64), inGroup = e.rem(quad, 8);
  for (auto [plane, four] : llvm::enumerate(planes)) {
    Value to = e.at(e.at(chunk, group), int64_t(plane) * plan.planeBytes());
    if (!plan.scheme.isInteger()) {
      // Columns t = 0 to 3 are of lane t each, in pair i = quad / 2, half quad % 2.
      Value at = e.add(e.mul(e.div(inGroup, 2), 16), e.mul(e.rem(inGroup, 2), 2));
      for (int64_t t = 0; t < 4; ++t)
        e.store(e.element(four, t), e.at(to, e.add(at, 4 * t)), 0, 2);
      continue;
    }
    // One lane's pairs: columns 0 and 2, then 1 and 3.
    const bool isNibbles = plan.scheme.lowBits == 4;
    Value t = isNibbles ? e.div(inGroup, 2) : e.rem(inGroup, 4);
    Value half = isNibbles ? e.rem(inGroup, 2) : e.div(inGroup, 4);
    Value at = e.add(e.mul(half, 32), e.mul(t, 4));
    for (int64_t odd = 0; odd < 2; ++odd) {
      Value pair = vector::ShuffleOp::create(e, four, four, ArrayRef<int64_t>{odd, odd + 2});
      e.store(pair, e.at(to, e.add(at, 16 * odd)), 0, 4);
    }
  }
}

} // namespace llmc::cuda::linear
