//===- LinearPanels.cpp - the walk over the panels of an output -----------===//
#include "codegen/cpu/kernels/LinearPanels.h"

#include "codegen/cpu/isa/Tiles.h"
#include "codegen/cpu/kernels/CodedProducts.h"

#include <algorithm>

using namespace mlir;

namespace llmc::cpu {

using quant::QuantScheme;

LinearPanels::LinearPanels(Emitter &e, ModuleOp module, StringRef name, const LinearSpec &spec,
                           const Isa &isa)
    : e(e), module(module), name(name), spec(spec), isa(isa) {}

/// Rows whose activations stay in cache while the weights pass by.
int64_t LinearPanels::rowsAtOnce() const {
  return std::max<int64_t>(roundUp(isa.tuning.activationBytes / stride, tileRows()[0]), tileRows()[0]);
}

/// Panels whose sums are begun in the first chunk of the columns and finished in the last.
int64_t LinearPanels::tileGroup() const { return layout.chunks > 1 ? 16 : 2; }

/// Of a tile of the dot unit, or of a group of panels and all rows that stay in cache.
int64_t LinearPanels::sumsBytes() const {
  const int64_t ofTile = 64 * std::max({isa.tuning.decodePanels[0], 2, tileRows()[0] * tilePanels()});
  return hasTiles ? std::max(ofTile, layout.rows * tileGroup() * tile::lineBytes) : ofTile;
}

/// Of a tile's panels of one weight.
int64_t LinearPanels::unpackedBytes() const {
  int64_t bytes = 0;
  for (const LinearSpec::Weight &weight : spec.weights)
    if (weight.scheme->isCoded())
      bytes = tilePanels() * unpackedPanelBytes(*weight.scheme, spec.k);
  return bytes;
}

int64_t LinearPanels::scratchBytes() const {
  int64_t decoded = (spec.glu ? 2 : 1) * unpackedBytes();
  for (const LinearSpec::Weight &weight : spec.weights)
    if (hasTiles)
      decoded = std::max(decoded, tileScratchBytes(*weight.scheme, isa));
  return 2 * sumsBytes() + decoded;
}

SmallVector<LinearPanels::Panels> LinearPanels::panelsFrom(const Segment &s, Schemes schemes, Value panel) {
  SmallVector<Panels> weights;
  for (auto [i, scheme] : llvm::enumerate(schemes)) {
    const int64_t bytes = scheme->panelBytes(spec.k);
    weights.push_back({scheme, panelsAt(s.weights[i], panel, bytes), bytes});
  }
  return weights;
}

/// The first `valid` panels of a tile of several rows, where they are coded in the worker's scratch.
SmallVector<LinearPanels::Panels> LinearPanels::unpacked(const Segment &s, ArrayRef<Panels> weights,
                                                         Value valid) {
  SmallVector<Panels> result(weights);
  for (auto [i, panels] : llvm::enumerate(result)) {
    const Panels stored = panels;
    if (!stored.scheme->isCoded())
      continue;
    panels = {stored.scheme, e.at(s.scratch, i * unpackedBytes()), unpackedPanelBytes(*stored.scheme, spec.k),
              stored.first};
    Value records = e.c(stored.scheme->records(spec.k));
    auto unpack = emitUnpack(e, module, *stored.scheme, isa);
    e.loop(e.c(0), valid, 1, [&, room = panels](Value number) {
      e.call(unpack, {panelsAt(stored.first, number, stored.bytes), records, e.c(0), records, e.c(0),
                      panelsAt(room.first, number, room.bytes)});
    });
  }
  return result;
}

LLVM::LLVMFuncOp LinearPanels::productsOf(const Panels &panels, int tileRows, int tilePanels) {
  const QuantScheme &scheme = *panels.scheme;
  if (panels.stored)
    return emitUnpackedProducts(e, module, scheme, isa, tileRows, tilePanels);
  if (scheme.isCoded())
    return emitCodedProducts(e, module, scheme, isa, tilePanels);
  return emitProducts(e, module, scheme, productType(spec, isa), isa, tileRows, tilePanels);
}

/// Sums of one tile into `sums`, for the gate (or only) and the up weight, then the epilogue into y.
/// `valid` of the panels exist (null: all); the weights are not in cache yet if `row` is `cold`.
void LinearPanels::tile(const Segment &s, ArrayRef<Panels> weights, int tileRows, int tilePanels, Value row,
                        Value panel, Value valid, Value cold) {
  const int64_t sumsStride = tilePanels * 64;
  Value x = e.at(s.x, e.mul(row, stride));
  for (auto [i, panels] : llvm::enumerate(weights)) {
    const QuantScheme &scheme = *panels.scheme;
    auto products = productsOf(panels, tileRows, tilePanels);
    // Rows after the first find the weights in cache: prefetching what is being read costs nothing there,
    // while prefetching the next tile once more would drive this one out.
    Value isCold = e.equal(row, cold), ahead;
    const int64_t tileBytes = tilePanels * scheme.panelBytes(spec.k);
    const bool isWhole = tileBytes <= (scheme.isCoded() ? isa.tuning.codedTile : isa.tuning.prefetchPanels);
    if (panels.stored) // nothing else comes from memory meanwhile
      ahead = isWhole ? e.select(isCold, e.at(panels.stored, tileBytes), panels.stored) : panels.stored;
    else
      ahead = e.select(isCold, e.c(isWhole ? tileBytes : isa.tuning.prefetchBytes), e.c(0));
    // A last, incomplete group of panels reads its first panel again; those sums are dropped.
    Value panelStride = e.c(panels.bytes);
    if (valid && tilePanels > 1)
      panelStride = e.select(e.equal(valid, e.c(tilePanels)), panelStride, e.c(0));
    e.call(products, {panels.first, panelStride, x, e.c(stride), e.c(scheme.records(spec.k)), s.sums[i],
                      e.c(sumsStride), ahead});
  }
  finish(s, sumsStride, row, e.c(tileRows), panel, valid ? valid : e.c(tilePanels));
}

/// The epilogue of sums of `rows` rows and `panels` panels, into y.
void LinearPanels::finish(const Segment &s, int64_t sumsStride, Value row, Value rows, Value panel,
                          Value panels) {
  Value offset = e.add(e.mul(row, s.yStride), e.mul(panel, 64));
  auto column = [&](Value base) { return spec.bias ? e.at(base, e.mul(panel, 64)) : base; };
  e.call(s.epilogue,
         {s.sums[0], s.sums[1], e.c(sumsStride), column(s.bias[0]), column(s.bias[1]),
          spec.residual ? e.at(s.residual, offset) : s.residual, e.at(s.y, offset), s.yStride, rows, panels});
}

void LinearPanels::countLoads(const Segment &s, Schemes schemes, Value panel, Value count) {
  if (!spec.countLoads)
    return;
  for (auto [i, scheme] : llvm::enumerate(schemes)) {
    const int64_t bytes = scheme->panelBytes(spec.k);
    emitCountLoad(e, s.step, panelsAt(s.weights[i], panel, bytes), e.mul(count, bytes));
  }
}

void LinearPanels::oneRow(const Segment &s, Schemes schemes) {
  countLoads(s, schemes, s.first, e.sub(s.last, s.first));
  Value from = s.first;
  // Sums of coded floats wait for each other longer than their decoding takes: two are worked on at once.
  static constexpr int two[] = {2, 1};
  const bool isCoded = llvm::any_of(schemes, [](const QuantScheme *scheme) { return scheme->isCoded(); });
  for (int panels : isCoded ? ArrayRef<int>(two) : isa.tuning.decodePanels) {
    Value to = e.add(from, e.mul(e.div(e.sub(s.last, from), panels), panels));
    e.loop(from, to, panels, [&](Value panel) {
      tile(s, panelsFrom(s, schemes, panel), 1, panels, e.c(0), panel, Value(), e.c(0));
    });
    from = to;
  }
}

void LinearPanels::manyRows(const Segment &s, Schemes schemes) {
  e.loop(e.c(0), s.rows, rowsAtOnce(), [&](Value blockFirst) {
    Value blockLast = e.min(e.add(blockFirst, rowsAtOnce()), s.rows);
    e.loop(s.first, s.last, tilePanels(), [&](Value panel) {
      Value valid = e.min(e.sub(s.last, panel), e.c(tilePanels()));
      countLoads(s, schemes, panel, valid);
      SmallVector<Panels> weights = unpacked(s, panelsFrom(s, schemes, panel), valid);
      Value from = blockFirst;
      for (int count : tileRows()) {
        Value to = e.add(from, e.mul(e.div(e.sub(blockLast, from), count), count));
        e.loop(from, to, count,
               [&](Value row) { tile(s, weights, count, tilePanels(), row, panel, valid, blockFirst); });
        from = to;
      }
    });
  });
}

/// Up to a block of rows: every weight is decoded once and used at once.
void LinearPanels::fewTiles(const Segment &s, Schemes schemes) {
  countLoads(s, schemes, s.first, e.sub(s.last, s.first));
  Value from = s.first;
  for (int panels : isa.tuning.decodePanels) {
    Value to = e.add(from, e.mul(e.div(e.sub(s.last, from), panels), panels));
    e.loop(from, to, panels, [&](Value panel) {
      for (auto [i, scheme] : llvm::enumerate(schemes)) {
        const int64_t bytes = scheme->panelBytes(spec.k);
        Value ahead =
            e.c(panels * bytes <= isa.tuning.prefetchPanels ? panels * bytes : isa.tuning.prefetchBytes);
        e.call(emitFewTileProducts(e, module, *scheme, isa, panels),
               {panelsAt(s.weights[i], panel, bytes), e.c(bytes), s.x, s.rows,
                e.c(tileRecords(*scheme, spec.k)), s.sums[i], e.c(panels * tile::lineBytes), ahead,
                s.scratch});
      }
      finish(s, panels * tile::lineBytes, e.c(0), s.rows, panel, e.c(panels));
    });
    from = to;
  }
}

/// Rows that stay in cache together: for each chunk of their columns two panels after two are decoded once
/// and used by all rows.
void LinearPanels::manyTiles(const Segment &s, Schemes schemes) {
  constexpr int64_t sumsStride = 2 * tile::lineBytes;
  Value rows = e.sub(s.lastRow, s.firstRow);
  e.loop(s.first, s.last, tileGroup(), [&](Value group) {
    Value ofGroup = e.min(e.sub(s.last, group), e.c(tileGroup()));
    countLoads(s, schemes, group, ofGroup);
    e.loop(e.c(0), e.c(layout.chunks), 1, [&](Value chunk) {
      Value isLast = e.equal(chunk, e.c(layout.chunks - 1)), before = e.mul(chunk, layout.columns);
      Value width = e.mul(e.select(isLast, e.c(layout.lastColumns), e.c(layout.columns)), tile::numberBytes);
      Value x = e.at(s.x, e.add(e.mul(e.mul(before, s.rows), tile::numberBytes), e.mul(s.firstRow, width)));
      e.loop(e.c(0), ofGroup, 2, [&](Value pair) {
        Value panel = e.add(group, pair), isSingle = e.equal(e.sub(ofGroup, pair), e.c(1));
        for (auto [i, scheme] : llvm::enumerate(schemes)) {
          const int64_t bytes = scheme->panelBytes(spec.k), records = tileRecords(*scheme, spec.k);
          const int64_t ofChunk = tileRecords(*scheme, layout.columns);
          Value first = e.mul(chunk, ofChunk), last = e.min(e.add(first, ofChunk), e.c(records));
          // A single last panel is multiplied twice; the second sums are dropped.
          e.call(emitTileProducts(e, module, *scheme, isa),
                 {panelsAt(s.weights[i], panel, bytes), e.select(isSingle, e.c(0), e.c(bytes)), x, width,
                  rows, first, last, e.c(records),
                  e.at(s.sums[i], e.mul(pair, layout.rows * tile::lineBytes)), e.c(sumsStride), s.scratch});
        }
      });
    });
    e.loop(e.c(0), ofGroup, 2, [&](Value pair) {
      Segment ofPair = s;
      for (Value &sums : ofPair.sums)
        sums = e.at(sums, e.mul(pair, layout.rows * tile::lineBytes));
      finish(ofPair, sumsStride, s.firstRow, rows, e.add(group, pair), e.min(e.sub(ofGroup, pair), e.c(2)));
    });
  });
}

LLVM::LLVMFuncOp LinearPanels::emit(const LinearSpec::Weight &gate, const LinearSpec::Weight &up) {
  SmallVector<const QuantScheme *> schemes = {gate.scheme};
  if (spec.glu)
    schemes.push_back(up.scheme);
  std::string segmentName = name + ".panels";
  for (const QuantScheme *scheme : schemes)
    segmentName += "." + std::string(scheme->name);
  Type p = e.ptr(), i = e.i64();
  return emitFunction(
      e, module, segmentName, isa, {p, p, p, p, p, p, p, p, i, i, i, i, i, i, p}, true, [&](ValueRange a) {
        const int64_t bytes = sumsBytes();
        Value sums = a[14];
        Segment s{a[0],
                  {a[1], a[2]},
                  a[3],
                  {a[4], a[5]},
                  a[6],
                  a[7],
                  a[8],
                  a[9],
                  a[10],
                  a[11],
                  a[12],
                  a[13],
                  e.at(sums, 2 * bytes),
                  {sums, e.at(sums, bytes)},
                  emitEpilogue(e, module, spec, isa)};
        byRows(e, spec, isa, s.rows, [&](bool forTiles) {
          if (forTiles)
            e.when(
                e.less(s.rows, e.c(tile::rows + 1)), [&] { fewTiles(s, schemes); },
                [&] { manyTiles(s, schemes); });
          else
            e.when(e.equal(s.rows, e.c(1)), [&] { oneRow(s, schemes); }, [&] { manyRows(s, schemes); });
        });
      });
}

} // namespace llmc::cpu
