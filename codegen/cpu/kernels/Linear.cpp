//===- Linear.cpp - norm + quantize + matmuls that share an input ---------===//
//
// 1. prepare: the workers share the rows of x and write them packed, once.
//    With few rows `run` does this instead, each worker for itself in its scratch.
// 2. run: the panels of all outputs, one after another, are cut into contiguous shares, and in a share those
//    of each output are walked (LinearPanels.h).
//
//===----------------------------------------------------------------------===//
#include "codegen/cpu/kernels/Linear.h"
#include "codegen/cpu/isa/Tiles.h"
#include "codegen/cpu/kernels/LinearPanels.h"

#include <algorithm>
#include <numeric>

using namespace mlir;

namespace llmc::cpu {

using quant::QuantScheme;

int64_t paddedColumns(const LinearSpec &spec) {
  int64_t columns = spec.k;
  for (const LinearSpec::Weight &weight : spec.weights)
    columns = std::max(columns, weight.scheme->records(spec.k) * weight.scheme->recordValues);
  return columns;
}

int64_t packedRowBytes(const LinearSpec &spec) {
  const int64_t columns = paddedColumns(spec);
  if (spec.activations == ActivationType::Int8)
    return columns / int8group::values * int8group::bytes;
  const bool isRounded = spec.activations != ActivationType::F32;
  return spec.norm != Norm::None || isRounded || columns != spec.k ? rowStride(columns) : 0;
}

/// Activations and all weights.
static bool isBF16(const LinearSpec &spec) {
  auto isBF16 = [](auto &weight) { return weight.scheme->storage == quant::Storage::BFloat16; };
  return spec.activations == ActivationType::BF16 && llvm::all_of(spec.weights, isBF16);
}

bool usesTiles(const LinearSpec &spec, const Isa &isa) {
  return isa.hasTiles() &&
         (spec.activations == ActivationType::Int8 || (isBF16(spec) && spec.k % tile::columns == 0));
}

bool usesBF16Dots(const LinearSpec &spec, const Isa &isa) {
  return isa.hasBF16Dots && isBF16(spec) && spec.k % 2 == 0;
}

bool mixesUnits(const LinearSpec &spec, const Isa &isa) { return usesTiles(spec, isa) && isa.mixesUnits(); }

bool differsFromBase(const LinearSpec &spec, const Isa &isa) {
  if (isa.hasTiles())
    return usesTiles(spec, isa);
  return isa.hasBF16Dots ? usesBF16Dots(spec, isa) : spec.activations == ActivationType::Int8;
}

ActivationType productType(const LinearSpec &spec, const Isa &isa) {
  if (spec.activations == ActivationType::Int8)
    return ActivationType::Int8;
  return usesBF16Dots(spec, isa) ? ActivationType::BF16 : ActivationType::F32;
}

int64_t activationStride(const LinearSpec &spec) {
  const int64_t packed = packedRowBytes(spec);
  return packed ? packed : rowStride(spec.k);
}

TileLayout tileLayout(const LinearSpec &spec, const Isa &isa) {
  constexpr int64_t pair = 2 * tile::rows, goodRows = 8 * pair, mostRows = 16 * pair;
  const int64_t all = paddedColumns(spec), numbers = isa.tuning.activationBytes / tile::numberBytes;
  int64_t unit = tile::columns;
  for (const LinearSpec::Weight &weight : spec.weights)
    unit = std::lcm(unit, weight.scheme->recordValues);
  const int64_t most = std::max(numbers / goodRows / unit, int64_t(1)) * unit;
  const int64_t wanted = roundUp(all, most) / most;
  const int64_t columns = roundUp(roundUp(all, wanted) / wanted, unit),
                chunks = roundUp(all, columns) / columns;
  return {columns, all - (chunks - 1) * columns, chunks,
          std::clamp(numbers / columns / pair * pair, pair, mostRows)};
}

void byRows(Emitter &e, const LinearSpec &spec, const Isa &isa, Value rows,
            llvm::function_ref<void(bool forTiles)> work) {
  if (!mixesUnits(spec, isa))
    return work(usesTiles(spec, isa));
  e.when(e.less(rows, e.c(isa.tileRows)), [&] { work(false); }, [&] { work(true); });
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
  int64_t packedBytes = packedRowBytes(spec), stride = activationStride(spec);
  LinearPanels walk{e, module, name, spec, isa};

  Value argument(const KernelArguments &k, int64_t index) {
    return index < 0 ? LLVM::ZeroOp::create(e, e.ptr()).getResult() : k.pointer(e, index);
  }

  /// Packs the rows [first, last) of `rows`.
  void packRows(const KernelArguments &k, Value first, Value last, Value rows, Value packed) {
    byRows(e, spec, isa, rows, [&](bool forTiles) { packRows(k, first, last, rows, packed, forTiles); });
  }
  void packRows(const KernelArguments &k, Value first, Value last, Value rows, Value packed, bool forTiles) {
    auto pack = emitPackRow(e, module, name + (forTiles ? ".pack_tiles" : ".pack"), spec, isa, forTiles);
    Value x = k.pointer(e, order.x), gain = argument(k, order.gain), bias = argument(k, order.normBias);
    e.loop(first, last, 1, [&](Value row) {
      Value from = e.at(x, e.mul(row, rowStride(spec.k)));
      if (forTiles)
        e.call(pack, {from, gain, bias, packed, rows, row});
      else
        e.call(pack, {from, gain, bias, e.at(packed, e.mul(row, packedBytes))});
    });
  }

  void emitPrepare() {
    emitEntry(e, module, name + ".prepare", isa, [&](const KernelArguments &k) {
      Value rows = k.rows(e, spec.rowSpace);
      auto [first, last] = k.share(e, rows);
      packRows(k, first, last, rows, k.pointer(e, order.packed));
    });
  }

  /// Of a worker: rows that it packs for itself; what the walk takes is behind them.
  int64_t packedScratch() const { return int64_t(minRowsToShare - 1) * packedBytes; }
  void emitRun() {
    emitEntry(e, module, name, isa, [&](const KernelArguments &k) {
      Value rows = k.rows(e, spec.rowSpace), activations = k.pointer(e, order.x);
      if (packedBytes) {
        Value few = e.less(rows, e.c(minRowsToShare));
        activations = e.select(few, k.scratch(e), k.pointer(e, order.packed));
        e.when(e.both(few, e.equal(k.again, e.c(0))), [&] { packRows(k, e.c(0), rows, rows, activations); });
      }
      const int64_t panels = allPanels(spec), ofUnit = panelsOfUnit(panels);
      const int64_t units = roundUp(panels, ofUnit) / ofUnit;
      auto walkUnits = [&](Value firstUnit, Value lastUnit, Value firstRow, Value lastRow) {
        Value first = e.mul(firstUnit, ofUnit), last = e.min(e.mul(lastUnit, ofUnit), e.c(panels));
        walkPanels(k, activations, first, last, firstRow, lastRow, rows);
      };
      if (!usesTiles(spec, isa)) {
        auto [first, last] = k.share(e, e.c(units));
        walkUnits(first, last, e.c(0), rows);
        return;
      }
      // The shares of one block of rows come after those of another: a worker's rows stay in its cache.
      Value blocks = blocksOf(rows, tileLayout(spec, isa).rows);
      Value ofBlock = e.mul(blocksOf(blocksOf(rows, blocks), 2 * tile::rows), 2 * tile::rows);
      auto [first, last] = k.share(e, e.mul(blocks, units));
      e.loop(e.c(0), blocks, 1, [&, first = first, last = last](Value block) {
        Value before = e.mul(block, units), row = e.mul(block, ofBlock);
        Value from = e.max(e.sub(first, before), e.c(0)), to = e.min(e.sub(last, before), e.c(units));
        e.when(e.less(from, to), [&] { walkUnits(from, to, row, e.min(e.add(row, ofBlock), rows)); });
      });
    });
  }

  /// a / b, rounded up.
  Value blocksOf(Value a, Value b) { return e.div(e.sub(e.add(a, b), 1), b); }
  Value blocksOf(Value a, int64_t b) { return e.div(e.add(a, b - 1), b); }

  /// The panels [first, last) of all outputs, for the rows [firstRow, lastRow) of `rows`.
  void walkPanels(const KernelArguments &k, Value activations, Value first, Value last, Value firstRow,
                  Value lastRow, Value rows) {
    const int64_t step = spec.glu ? 2 : 1;
    int64_t base = 0;
    for (size_t i = 0; i < spec.weights.size(); i += step) {
      const int64_t count = spec.weights[i].scheme->panels(spec.weights[i].n);
      Value from = e.sub(e.max(first, e.c(base)), base), to = e.sub(e.min(last, e.c(base + count)), base);
      auto segment = walk.emit(spec.weights[i], spec.weights[i + step - 1]);
      e.when(e.less(from, to), [&] {
        e.call(segment, {k.step, k.pointer(e, order.weights + i), k.pointer(e, order.weights + i + step - 1),
                         activations, argument(k, spec.bias ? order.biases + int64_t(i) : -1),
                         argument(k, spec.bias ? order.biases + int64_t(i + step - 1) : -1),
                         argument(k, order.residual), k.pointer(e, order.outputs + i / step),
                         e.c(rowStride(spec.weights[i].n)), from, to, firstRow, lastRow, rows,
                         e.at(k.scratch(e), packedScratch())});
      });
      base += count;
    }
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
  }
  result.scratchConstant = uint64_t(emitter.packedScratch() + emitter.walk.scratchBytes());
  emitter.emitRun();
  const int64_t panels = allPanels(spec), ofUnit = panelsOfUnit(panels);
  result.runUnits = roundUp(panels, ofUnit) / ofUnit;
  return result;
}

} // namespace llmc::cpu
