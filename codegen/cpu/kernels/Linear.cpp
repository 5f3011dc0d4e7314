//===- Linear.cpp - norm + quantize + matmuls that share an input ---------===//
//
// 1. prepare: the workers share the rows of x and write them packed, once.
//    With few rows `run` does this instead, each worker for itself in its scratch.
// 2. run: the panels of all outputs, one after another, are cut into contiguous shares. A single row streams
//    the weights through a few panels at once; several rows go in blocks whose packed form stays in cache,
//    and in each block panel by panel, so that weights come from memory once a block.
//
//===----------------------------------------------------------------------===//
#include "codegen/cpu/kernels/Linear.h"
#include "codegen/cpu/isa/Tiles.h"

#include <algorithm>

using namespace mlir;

namespace llmc::cpu {

using quant::QuantScheme;

int64_t paddedColumns(const LinearSpec &spec) {
  int64_t columns = spec.k;
  for (const LinearSpec::Weight &weight : spec.weights)
    columns = std::max(columns, weight.scheme->records(spec.k) * weight.scheme->recordValues);
  return columns;
}

int64_t LinearSpec::packedRowBytes() const {
  const int64_t columns = paddedColumns(*this);
  if (activations == ActivationType::Int8)
    return columns / int8group::values * int8group::bytes;
  const bool isRounded = activations != ActivationType::F32;
  return norm != Norm::None || isRounded || columns != k ? rowStride(columns) : 0;
}

bool usesTiles(const LinearSpec &spec, const Isa &isa) {
  if (!isa.hasTiles())
    return false;
  auto isBF16 = [](auto &weight) { return weight.scheme->storage == quant::Storage::BFloat16; };
  return spec.activations == ActivationType::Int8 ||
         (spec.activations == ActivationType::BF16 && spec.k % tile::columns == 0 &&
          llvm::all_of(spec.weights, isBF16));
}

bool mixesUnits(const LinearSpec &spec, const Isa &isa) { return usesTiles(spec, isa) && isa.mixesUnits(); }

int64_t activationStride(const LinearSpec &spec) {
  const int64_t packed = spec.packedRowBytes();
  return packed ? packed : rowStride(spec.k);
}

namespace {

constexpr uint32_t minRowsToShare =
    4; // fewer rows are packed by every worker, which is cheaper than a barrier

/// Panels of all outputs; those of a gate and its up weight are walked together.
int64_t allPanels(const LinearSpec &spec) {
  int64_t panels = 0;
  for (size_t i = 0; i < spec.weights.size(); i += spec.glu ? 2 : 1)
    panels += spec.weights[i].scheme->panels(spec.weights[i].n);
  return panels;
}

/// The pieces that shares consist of: whole tiles of several rows, of a single row too where there are many.
int64_t panelsOfUnit(int64_t panels) {
  constexpr int64_t decodeTile = 4, tile = 2, manyUnits = 32;
  return panels < decodeTile * manyUnits ? tile : decodeTile;
}

/// Where each argument of the kernel stands.
struct ArgumentOrder {
  int64_t x = 0, gain = -1, normBias = -1, weights, biases = -1, residual = -1, outputs, packed;
  explicit ArgumentOrder(const LinearSpec &spec) {
    int64_t next = 1;
    if (spec.normGain)
      gain = next++;
    if (spec.normBias)
      normBias = next++;
    weights = next;
    next += spec.weights.size();
    if (spec.bias) {
      biases = next;
      next += spec.weights.size();
    }
    if (spec.residual)
      residual = next++;
    outputs = next;
    packed = next + int64_t(spec.weights.size()) / (spec.glu ? 2 : 1);
  }
};

struct LinearEmitter {
  Emitter &e;
  ModuleOp module;
  std::string name;
  const LinearSpec &spec;
  const Isa &isa;
  ArgumentOrder order{spec};
  int64_t packedBytes = spec.packedRowBytes(), stride = activationStride(spec);
  bool hasTiles = usesTiles(spec, isa);

  bool isInt8() const { return spec.activations == ActivationType::Int8; }
  ArrayRef<int> tileRows() const { return isInt8() ? isa.tuning.int8TileRows : isa.tuning.floatTileRows; }
  int tilePanels() const { return isInt8() ? isa.tuning.int8TilePanels : isa.tuning.floatTilePanels; }

  Value argument(const KernelArguments &k, int64_t index) {
    return index < 0 ? LLVM::ZeroOp::create(e, e.ptr()).getResult() : k.pointer(e, index);
  }
  Value panelsAt(Value base, Value panel, int64_t bytes) { return e.at(base, e.mul(panel, bytes)); }

  /// What is done with tiles, or without, for so many rows.
  void byRows(Value rows, llvm::function_ref<void(bool forTiles)> work) {
    if (!mixesUnits(spec, isa))
      return work(hasTiles);
    e.when(e.less(rows, e.c(isa.tileRows)), [&] { work(false); }, [&] { work(true); });
  }

  /// Packs the rows [first, last) of `rows`.
  void packRows(const KernelArguments &k, Value first, Value last, Value rows, Value packed) {
    byRows(rows, [&](bool forTiles) { packRows(k, first, last, rows, packed, forTiles); });
  }
  void packRows(const KernelArguments &k, Value first, Value last, Value rows, Value packed, bool forTiles) {
    auto pack = emitPackRow(e, module, name + (forTiles ? ".pack_tiles" : ".pack"), spec, isa, forTiles);
    Value x = k.pointer(e, order.x), gain = argument(k, order.gain), bias = argument(k, order.normBias);
    e.loop(first, last, 1, [&](Value row) {
      Value inBlock = forTiles ? e.rem(row, tile::rows) : e.c(0), block = e.sub(row, inBlock);
      Value lines = e.min(e.sub(rows, block), e.c(tile::rows));
      Value out = e.at(packed, e.add(e.mul(block, packedBytes), e.mul(inBlock, tile::lineBytes)));
      e.call(pack, {e.at(x, e.mul(row, rowStride(spec.k))), gain, bias, out, e.mul(lines, tile::lineBytes)});
    });
  }

  void emitPrepare() {
    emitEntry(e, module, name + ".prepare", isa, [&](const KernelArguments &k) {
      Value rows = k.rows(e, spec.rowSpace);
      auto [first, last] = k.share(e, rows);
      packRows(k, first, last, rows, k.pointer(e, order.packed));
    });
  }

  /// Of a worker: rows that it packs for itself, then what tiles take.
  int64_t packedScratch() const { return int64_t(minRowsToShare - 1) * packedBytes; }
  /// Rows whose activations stay in cache while the weights pass by; of tiles, whole pairs of blocks.
  int64_t tileRowsAtOnce() const {
    constexpr int64_t pair = 2 * tile::rows;
    return std::clamp<int64_t>(isa.tuning.activationBytes / (2 * paddedColumns(spec)) / pair * pair, pair,
                               16 * pair);
  }
  int64_t tileSumsBytes() const { return tileRowsAtOnce() * 2 * tile::lineBytes; }
  int64_t tileScratch() const {
    int64_t decoded = 0;
    for (const LinearSpec::Weight &weight : spec.weights)
      decoded = std::max(decoded, tileScratchBytes(*weight.scheme, isa));
    return hasTiles ? 2 * tileSumsBytes() + decoded : 0;
  }

  void emitRun() {
    emitEntry(e, module, name, isa, [&](const KernelArguments &k) {
      Value rows = k.rows(e, spec.rowSpace), activations = k.pointer(e, order.x);
      if (packedBytes) {
        Value few = e.less(rows, e.c(minRowsToShare));
        activations = e.select(few, k.scratch(e), k.pointer(e, order.packed));
        e.when(e.both(few, e.equal(k.again, e.c(0))), [&] { packRows(k, e.c(0), rows, rows, activations); });
      }
      const int64_t step = spec.glu ? 2 : 1, panels = allPanels(spec), ofUnit = panelsOfUnit(panels);
      auto [firstUnit, lastUnit] = k.share(e, e.c(roundUp(panels, ofUnit) / ofUnit));
      Value first = e.mul(firstUnit, ofUnit), last = e.min(e.mul(lastUnit, ofUnit), e.c(panels));
      int64_t base = 0;
      for (size_t i = 0; i < spec.weights.size(); i += step) {
        const int64_t count = spec.weights[i].scheme->panels(spec.weights[i].n);
        Value from = e.sub(e.max(first, e.c(base)), base), to = e.sub(e.min(last, e.c(base + count)), base);
        auto segment = emitSegment(spec.weights[i], spec.weights[i + step - 1]);
        e.when(e.less(from, to), [&] {
          e.call(segment,
                 {k.step, k.pointer(e, order.weights + i), k.pointer(e, order.weights + i + step - 1),
                  activations, argument(k, spec.bias ? order.biases + int64_t(i) : -1),
                  argument(k, spec.bias ? order.biases + int64_t(i + step - 1) : -1),
                  argument(k, order.residual), k.pointer(e, order.outputs + i / step),
                  e.c(rowStride(spec.weights[i].n)), from, to, rows, e.at(k.scratch(e), packedScratch())});
        });
        base += count;
      }
    });
  }

  /// The arguments of a segment function (emitSegment), and its scratch.
  struct Segment {
    Value step, weights[2], x, bias[2], residual, y, yStride, first, last, rows, scratch, sums[2];
    LLVM::LLVMFuncOp epilogue;
  };

  /// Sums of one tile into `sums`, for the gate (or only) and the up weight, then the epilogue into y.
  /// `valid` of the panels exist (null: all); the weights are not in cache yet if `row` is `cold`.
  void tile(const Segment &s, ArrayRef<const QuantScheme *> schemes, int tileRows, int tilePanels, Value row,
            Value panel, Value valid, Value cold) {
    const int64_t sumsStride = tilePanels * 64;
    Value x = e.at(s.x, e.mul(row, stride));
    for (auto [i, scheme] : llvm::enumerate(schemes)) {
      auto products = emitProducts(e, module, *scheme, spec.activations, isa, tileRows, tilePanels);
      const int64_t tileBytes = tilePanels * scheme->panelBytes(spec.k);
      // Rows after the first find the weights in cache: prefetching what is being read costs nothing there,
      // while prefetching the next tile once more would drive this one out.
      Value ahead = e.c(tileBytes <= isa.tuning.prefetchPanels ? tileBytes : isa.tuning.prefetchBytes);
      ahead = e.select(e.equal(row, cold), ahead, e.c(0));
      // A last, incomplete group of panels reads its first panel again; those sums are dropped.
      Value panelStride = e.c(scheme->panelBytes(spec.k));
      if (valid && tilePanels > 1)
        panelStride = e.select(e.equal(valid, e.c(tilePanels)), panelStride, e.c(0));
      e.call(products, {panelsAt(s.weights[i], panel, scheme->panelBytes(spec.k)), panelStride, x,
                        e.c(stride), e.c(scheme->records(spec.k)), s.sums[i], e.c(sumsStride), ahead});
    }
    finish(s, sumsStride, row, e.c(tileRows), panel, valid ? valid : e.c(tilePanels));
  }

  /// The epilogue of sums of `rows` rows and `panels` panels, into y.
  void finish(const Segment &s, int64_t sumsStride, Value row, Value rows, Value panel, Value panels) {
    Value offset = e.add(e.mul(row, s.yStride), e.mul(panel, 64));
    auto column = [&](Value base) { return spec.bias ? e.at(base, e.mul(panel, 64)) : base; };
    e.call(s.epilogue, {s.sums[0], s.sums[1], e.c(sumsStride), column(s.bias[0]), column(s.bias[1]),
                        spec.residual ? e.at(s.residual, offset) : s.residual, e.at(s.y, offset), s.yStride,
                        rows, panels});
  }

  void countLoads(const Segment &s, ArrayRef<const QuantScheme *> schemes, Value panel, Value count) {
    if (!spec.countLoads)
      return;
    for (auto [i, scheme] : llvm::enumerate(schemes)) {
      const int64_t bytes = scheme->panelBytes(spec.k);
      emitCountLoad(e, s.step, panelsAt(s.weights[i], panel, bytes), e.mul(count, bytes));
    }
  }

  void oneRow(const Segment &s, ArrayRef<const QuantScheme *> schemes) {
    countLoads(s, schemes, s.first, e.sub(s.last, s.first));
    Value from = s.first;
    for (int panels : isa.tuning.decodePanels) {
      Value to = e.add(from, e.mul(e.div(e.sub(s.last, from), panels), panels));
      e.loop(from, to, panels,
             [&](Value panel) { tile(s, schemes, 1, panels, e.c(0), panel, Value(), e.c(0)); });
      from = to;
    }
  }

  void manyRows(const Segment &s, ArrayRef<const QuantScheme *> schemes) {
    const int64_t block =
        std::max<int64_t>(roundUp(isa.tuning.activationBytes / stride, tileRows()[0]), tileRows()[0]);
    e.loop(e.c(0), s.rows, block, [&](Value blockFirst) {
      Value blockLast = e.min(e.add(blockFirst, block), s.rows);
      e.loop(s.first, s.last, tilePanels(), [&](Value panel) {
        Value valid = e.min(e.sub(s.last, panel), e.c(tilePanels()));
        countLoads(s, schemes, panel, valid);
        Value from = blockFirst;
        for (int count : tileRows()) {
          Value to = e.add(from, e.mul(e.div(e.sub(blockLast, from), count), count));
          e.loop(from, to, count,
                 [&](Value row) { tile(s, schemes, count, tilePanels(), row, panel, valid, blockFirst); });
          from = to;
        }
      });
    });
  }

  /// Up to a block of rows: every weight is decoded once and used at once.
  void fewTiles(const Segment &s, ArrayRef<const QuantScheme *> schemes) {
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

  /// Rows that stay in cache together, and for them two panels after two: decoded once, used by all rows.
  void manyTiles(const Segment &s, ArrayRef<const QuantScheme *> schemes) {
    e.loop(e.c(0), s.rows, tileRowsAtOnce(), [&](Value row) {
      Value rows = e.min(e.sub(s.rows, row), e.c(tileRowsAtOnce()));
      e.loop(s.first, s.last, 2, [&](Value panel) {
        Value valid = e.min(e.sub(s.last, panel), e.c(2));
        countLoads(s, schemes, panel, valid);
        for (auto [i, scheme] : llvm::enumerate(schemes)) {
          const int64_t bytes = scheme->panelBytes(spec.k);
          // A single last panel is multiplied twice; the second sums are dropped.
          e.call(emitTileProducts(e, module, *scheme, isa),
                 {panelsAt(s.weights[i], panel, bytes), e.mul(e.sub(valid, 1), bytes),
                  e.at(s.x, e.mul(row, stride)), e.c(stride), rows, e.c(tileRecords(*scheme, spec.k)),
                  s.sums[i], e.c(2 * tile::lineBytes), s.scratch});
        }
        finish(s, 2 * tile::lineBytes, row, rows, panel, valid);
      });
    });
  }

  /// The panels [first, last) of one output. Outputs of the same schemes share the function.
  LLVM::LLVMFuncOp emitSegment(const LinearSpec::Weight &gate, const LinearSpec::Weight &up) {
    SmallVector<const QuantScheme *> schemes = {gate.scheme};
    if (spec.glu)
      schemes.push_back(up.scheme);
    std::string segmentName = name + ".panels";
    for (const QuantScheme *scheme : schemes)
      segmentName += "." + std::string(scheme->name);
    Type p = e.ptr(), i = e.i64();
    return e.function(
        module, segmentName, isa, {p, p, p, p, p, p, p, p, i, i, i, i, p}, true, [&](ValueRange a) {
          const int64_t bytes = hasTiles
                                    ? tileSumsBytes()
                                    : 64 * std::max(isa.tuning.decodePanels[0], tileRows()[0] * tilePanels());
          Value sums = hasTiles ? a[12] : e.scratch(2 * bytes);
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
                    e.at(a[12], 2 * bytes),
                    {sums, e.at(sums, bytes)},
                    emitEpilogue(e, module, spec, isa)};
          byRows(s.rows, [&](bool forTiles) {
            if (forTiles)
              e.when(
                  e.less(s.rows, e.c(tile::rows + 1)), [&] { fewTiles(s, schemes); },
                  [&] { manyTiles(s, schemes); });
            else
              e.when(e.equal(s.rows, e.c(1)), [&] { oneRow(s, schemes); }, [&] { manyRows(s, schemes); });
          });
        });
  }
};

LogicalResult check(ModuleOp module, StringRef name, const LinearSpec &spec) {
  auto fail = [&](const Twine &what) {
    return module.emitError() << "linear kernel '" << name << "': " << what;
  };
  if (spec.k <= 0 || spec.weights.empty())
    return fail("expected columns and at least one weight");
  if (spec.glu && spec.weights.size() % 2)
    return fail("expected gate and up weights in pairs, but got " + Twine(spec.weights.size()) + " weights");
  if (spec.residual && spec.weights.size() != (spec.glu ? 2u : 1u))
    return fail("expected a single output with a residual");
  for (auto [i, weight] : llvm::enumerate(spec.weights)) {
    if (!weight.scheme || weight.n <= 0)
      return fail("expected a scheme and rows for weight " + Twine(i));
    if (spec.activations == ActivationType::Int8 && !weight.scheme->isInteger())
      return fail("int8 activations need an integer scheme, but got '" +
                  llvm::StringRef(weight.scheme->name) + "'");
    if (spec.glu && i % 2 && weight.n != spec.weights[i - 1].n)
      return fail("expected as many up rows as gate rows");
  }
  return success();
}

} // namespace

FailureOr<KernelResult> emitLinear(ModuleOp module, StringRef name, const LinearSpec &spec, const Isa &isa) {
  if (failed(check(module, name, spec)))
    return failure();
  Emitter e(module.getLoc(), module.getContext());
  e.setInsertionPointToEnd(module.getBody());
  LinearEmitter emitter{e, module, name.str(), spec, isa};
  KernelResult result;
  if (emitter.packedBytes) {
    emitter.emitPrepare();
    result.hasPrepare = true;
    result.prepareMinRows = minRowsToShare;
    result.scratchConstant = uint64_t(emitter.packedScratch() + emitter.tileScratch());
  }
  emitter.emitRun();
  const int64_t panels = allPanels(spec), ofUnit = panelsOfUnit(panels);
  result.runUnits = roundUp(panels, ofUnit) / ofUnit;
  return result;
}

} // namespace llmc::cpu
