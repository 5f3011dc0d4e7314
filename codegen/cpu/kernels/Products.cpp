//===- Products.cpp - sums of products of a tile --------------------------===//
//
// rows x panels accumulators of 16 outputs stay in registers while K is walked once. Every tile size computes
// a sum by the same operations in the same order:
//   int8: for each group: acc = fma(float(dot), wscale * xscale, acc), then acc = fma(wmin, xscale * sum(x),
//   acc);
//         with a scale per row: acc = fma(float(dot), xscale, acc) for each 32, and wscale * acc at the end
//   f32:  for each k:     acc = fma(w, x, acc)
//
//===----------------------------------------------------------------------===//
#include "codegen/cpu/isa/Dot.h"
#include "codegen/cpu/kernels/Linear.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace llmc::cpu {
namespace {

using quant::ChunkReader;
using quant::OuterScales;
using quant::QuantScheme;
using quant::ScaleKind;

/// One tile: `rows` activation rows at x + i * stride, `panels` panels at w + p * stride.
struct Tile {
  Emitter &e;
  const QuantScheme &scheme;
  const Isa &isa;
  int rows, panels;
  Value ahead; // null: no prefetching
  const DotForm form = scheme.isInteger() ? DotForm::of(scheme, isa.dot) : DotForm{};

  Value &sum(Values &sums, int row, int panel) { return sums[row * panels + panel]; }
  Values addresses(Value base, Value stride, int count) { return addressesOf(e, base, stride, count); }
  ChunkReader reader(Value record, Value chunk, OuterScales outer, int64_t columns) {
    return ChunkReader(e, scheme, record, chunk, outer, byteLookup(e, isa.dot), columns);
  }

  using ChunkBody =
      llvm::function_ref<void(MutableArrayRef<ChunkReader> weights, ValueRange x, Values &sums)>;
  /// What overChunks walks: chunks of so many columns, which are xBytes of an activation row; up to
  /// `writtenOut` of them are no loop.
  struct Walk {
    int64_t columns, xBytes, writtenOut;
  };
  Values overChunks(Value w, Value wStride, Value x, Value xStride, Value records, Walk walk, ChunkBody body);
  Values int8(Value w, Value wStride, Value x, Value xStride, Value records);
  Values floats(Value w, Value wStride, Value x, Value xStride, Value records);
  Values bf16Pairs(Value w, Value wStride, Value x, Value xStride, Value records);
  void int8Group(MutableArrayRef<ChunkReader> weights, ValueRange x, int64_t group, int firstPanel,
                 int lastPanel, Values &sums);
  void floatColumn(ArrayRef<Value> weights, ValueRange x, int64_t at, Values &sums);
  Value dotStart(Value x, int64_t group);
};

/// Walks the records and their chunks. Weights of the same place `ahead` are prefetched on the way.
Values Tile::overChunks(Value w, Value wStride, Value x, Value xStride, Value records, Walk walk,
                        ChunkBody body) {
  const int64_t chunks = scheme.recordValues / walk.columns, xBytes = walk.xBytes;
  Values wBase = addresses(w, wStride, panels), xBase = addresses(x, xStride, rows);
  SmallVector<OuterScales> ofPanel;
  for (Value &base : wBase) {
    ofPanel.push_back(OuterScales::ofPanel(e, scheme, base));
    base = e.at(base, scheme.panelHeader);
  }
  return e.loop(
      e.c(0), records, e.c(1), Values(rows * panels, e.zeros()), [&](Value record, ValueRange carried) {
        Value wOffset = e.mul(record, scheme.recordBytes), xOffset = e.mul(record, chunks * xBytes);
        Values bases, xs;
        SmallVector<OuterScales> outer;
        for (int p = 0; p < panels; ++p) {
          bases.push_back(e.at(wBase[p], wOffset));
          outer.push_back(scheme.hasSuperBlocks() ? OuterScales::ofRecord(e, scheme, bases[p]) : ofPanel[p]);
        }
        for (int i = 0; i < rows; ++i)
          xs.push_back(e.at(xBase[i], xOffset));
        auto oneChunk = [&](Value chunk, ValueRange carried) {
          Values sums(carried), xsOfChunk;
          SmallVector<ChunkReader, 0> weights;
          for (int p = 0; p < panels; ++p) {
            if (ahead)
              prefetchChunk(e, isa, e.at(bases[p], ahead), chunk, scheme.recordBytes, chunks);
            weights.push_back(reader(bases[p], chunk, outer[p], walk.columns));
          }
          for (int i = 0; i < rows; ++i)
            xsOfChunk.push_back(e.at(xs[i], e.mul(chunk, xBytes)));
          body(weights, xsOfChunk, sums);
          return sums;
        };
        if (chunks > walk.writtenOut)
          return e.loop(e.c(0), e.c(chunks), e.c(1), carried, oneChunk);
        Values sums(carried);
        for (int64_t chunk = 0; chunk < chunks; ++chunk)
          sums = oneChunk(e.c(chunk), sums);
        return sums;
      });
}

/// -bias * sum(x) of group `group` of a chunk.
Value Tile::dotStart(Value x, int64_t group) {
  if (!form.bias)
    return Value();
  if (scheme.group == int8group::values && form.bias == 8)
    return e.load(e.i32(), x, int8group::minus8);
  if (scheme.group == int8group::values && form.bias == 128)
    return e.load(e.i32(), x, int8group::minus128);
  Value sum = e.load(e.i32(), x, int8group::minusHalves + 4 * group);
  if (scheme.group == int8group::values)
    sum = e.add(sum, e.load(e.i32(), x, int8group::minusHalves + 4));
  return e.mul(sum, form.bias);
}

// One group of columns of a chunk.
void Tile::int8Group(MutableArrayRef<ChunkReader> weights, ValueRange x, int64_t group, int firstPanel,
                     int lastPanel, Values &sums) {
  const int64_t quads = scheme.group / 4;
  const int count = lastPanel - firstPanel;
  SmallVector<GroupDot> dots;
  for (int i = 0; i < rows; ++i) {
    Value start = dotStart(x[i], group);
    for (int p = 0; p < count; ++p)
      dots.emplace_back(e, form, isa.dot, start);
  }
  for (int64_t quad = group * quads; quad < (group + 1) * quads; ++quad) {
    SmallVector<Values> w;
    for (int p = 0; p < count; ++p)
      w.push_back(prepareQuad(e, form, isa.dot, weights[firstPanel + p].quad(quad, form.offset)));
    for (int i = 0; i < rows; ++i) {
      Values four = prepareActivations(e, isa.dot, e.load(e.i32(), x[i], 4 * quad));
      for (int p = 0; p < count; ++p)
        dots[i * count + p].add(e, w[p], four);
    }
  }
  for (int i = 0; i < rows; ++i) {
    Value scale = e.broadcast(e.load(e.f32(), x[i], int8group::scale));
    for (int p = 0; p < count; ++p) {
      // The scale of a whole row multiplies its finished sum.
      Value factor =
          scheme.scale == ScaleKind::Row ? scale : e.mulf(weights[firstPanel + p].scales(group), scale);
      Value &acc = sum(sums, i, firstPanel + p);
      acc = e.fma(dots[i * count + p].finish(e), factor, acc);
    }
    if (scheme.hasMin) {
      const bool isWhole = scheme.group == int8group::values;
      Value total =
          e.broadcast(e.load(e.f32(), x[i], isWhole ? int8group::sum : int8group::halfSums + 4 * group));
      for (int p = firstPanel; p < lastPanel; ++p)
        sum(sums, i, p) = e.fma(weights[p].minimums(group), total, sum(sums, i, p));
    }
  }
}

Values Tile::int8(Value w, Value wStride, Value x, Value xStride, Value records) {
  // The chunks of long records are a loop, which keeps the code small.
  Values sums = overChunks(w, wStride, x, xStride, records, {quant::chunkValues, int8group::bytes, 2},
                           [&](MutableArrayRef<ChunkReader> weights, ValueRange x, Values &sums) {
                             // A single row needs no quad twice: panel by panel takes fewer registers.
                             const int together = rows == 1 ? 1 : panels;
                             for (int p = 0; p < panels; p += together)
                               for (int64_t g = 0; g < quant::chunkValues / scheme.group; ++g)
                                 int8Group(weights, x, g, p, p + together, sums);
                           });
  if (scheme.scale == ScaleKind::Row) {
    Values bases = addresses(w, wStride, panels);
    for (int p = 0; p < panels; ++p) {
      Value scales = OuterScales::ofPanel(e, scheme, bases[p]).scales;
      for (int i = 0; i < rows; ++i)
        sum(sums, i, p) = e.mulf(scales, sum(sums, i, p));
    }
  }
  return sums;
}

/// One column, `at` bytes into the rows of x.
void Tile::floatColumn(ArrayRef<Value> weights, ValueRange x, int64_t at, Values &sums) {
  for (int i = 0; i < rows; ++i) {
    Value value = e.broadcast(e.load(e.f32(), x[i], at));
    for (int p = 0; p < panels; ++p)
      sum(sums, i, p) = e.fma(weights[p], value, sum(sums, i, p));
  }
}

Values Tile::floats(Value w, Value wStride, Value x, Value xStride, Value records) {
  const int64_t columns = scheme.group;
  if (!scheme.isInteger())
    return overChunks(w, wStride, x, xStride, records, {columns, columns * 4, 1},
                      [&](MutableArrayRef<ChunkReader> weights, ValueRange x, Values &sums) {
                        floatColumn(llvm::map_to_vector(weights, [](auto &w) { return w.column(0); }), x, 0,
                                    sums);
                      });
  // Scales once a group, and columns in a loop over parts of it: written out, a group of a large tile is
  // thousands of instructions, which take longer to compile than all other kernels.
  constexpr int64_t part = ChunkReader::partValues;
  return overChunks(w, wStride, x, xStride, records, {columns, columns * 4, 1},
                    [&](MutableArrayRef<ChunkReader> weights, ValueRange x, Values &sums) {
                      Values scales, minimums;
                      for (ChunkReader &panel : weights) {
                        scales.push_back(panel.scales(0));
                        minimums.push_back(scheme.hasMin ? panel.minimums(0) : Value());
                      }
                      sums = e.loop(e.c(0), e.c(columns / part), e.c(1), sums,
                                    [&](Value number, ValueRange carried) {
                                      Values sums(carried), xs;
                                      for (Value row : x)
                                        xs.push_back(e.at(row, e.mul(number, part * 4)));
                                      SmallVector<ChunkReader, 0> parts;
                                      for (ChunkReader &panel : weights)
                                        parts.push_back(panel.part(number));
                                      for (int64_t k = 0; k < part; ++k) {
                                        Values column;
                                        for (int p = 0; p < panels; ++p)
                                          column.push_back(parts[p].column(k, scales[p], minimums[p]));
                                        floatColumn(column, xs, 4 * k, sums);
                                      }
                                      return sums;
                                    });
                    });
}

/// Two columns at once: a record of bf16 is a column of 16 rows, so two of them are put side by side.
Values Tile::bf16Pairs(Value w, Value wStride, Value x, Value xStride, Value records) {
  constexpr int64_t pairs = quant::panelRows;
  Values panelsAt = addresses(w, wStride, panels), rowsAt = addresses(x, xStride, rows);
  auto line = e.vec(2 * pairs, e.i16());
  return e.loop(e.c(0), e.div(records, 2), e.c(1), Values(rows * panels, e.zeros()),
                [&](Value pair, ValueRange carried) {
                  Values sums(carried), weights;
                  for (Value panel : panelsAt) {
                    Value columns = e.load(line, e.at(panel, e.mul(pair, 2 * scheme.recordBytes)));
                    weights.push_back(sideBySide(e, columns));
                  }
                  for (int i = 0; i < rows; ++i) {
                    Value activations = e.broadcast(e.load(e.i32(), e.at(rowsAt[i], e.mul(pair, 4))));
                    for (int p = 0; p < panels; ++p)
                      sum(sums, i, p) = dotBF16Pairs(e, sum(sums, i, p), weights[p], activations);
                  }
                  return sums;
                });
}

} // namespace

Values addressesOf(Emitter &e, Value base, Value stride, int count) {
  Values result = {base};
  while (int(result.size()) < count)
    result.push_back(e.at(result.back(), stride));
  return result;
}

void prefetchChunk(Emitter &e, const Isa &isa, Value record, Value chunk, int64_t recordBytes,
                   int64_t chunks) {
  const int64_t lines = roundUp(recordBytes, quant::lineBytes) / quant::lineBytes;
  const int64_t linesPerChunk = roundUp(lines, chunks) / chunks;
  Value first = e.at(record, e.mul(chunk, linesPerChunk * quant::lineBytes));
  for (int64_t line = 0; line < linesPerChunk; ++line)
    e.prefetch(e.at(first, line * quant::lineBytes), isa.tuning.prefetchLevel);
}

bool needsHalfSums(const QuantScheme &scheme, const Isa &isa) {
  if (!scheme.isInteger())
    return false;
  const int bias = DotForm::of(scheme, isa.dot).bias;
  return scheme.group < int8group::values || (bias && bias != 8 && bias != 128);
}

/// Whether a tile's weights are one stream of lines, which some CPUs fetch ahead better by themselves: a
/// record's high bits stand behind its low ones, and are read along with them.
static bool readsStream(const QuantScheme &scheme, int rows, int panels) {
  return rows == 1 && panels == 1 && scheme.highBits == 0 && scheme.lowBits >= 4;
}

LLVM::LLVMFuncOp emitProducts(Emitter &e, ModuleOp module, const QuantScheme &scheme,
                              ActivationType activations, const Isa &isa, int rows, int panels) {
  const bool isInt8 = activations == ActivationType::Int8, isBF16 = activations == ActivationType::BF16;
  std::string name =
      llvm::formatv("llmc.products.{0}.{1}.{2}.{3}x{4}", isa.name, llvm::StringRef(scheme.name),
                    isInt8   ? "int8"
                    : isBF16 ? "bf16"
                             : "f32",
                    rows, panels);
  return emitFunction(
      e, module, name, isa, {e.ptr(), e.i64(), e.ptr(), e.i64(), e.i64(), e.ptr(), e.i64(), e.i64()}, true,
      [&](ValueRange a) {
        const bool isAhead = isInt8 && isa.tuning.prefetchBytes &&
                             (isa.tuning.prefetchesStreams || !readsStream(scheme, rows, panels));
        Tile tile{e, scheme, isa, rows, panels, isAhead ? a[7] : Value()};
        auto products = isInt8 ? &Tile::int8 : isBF16 ? &Tile::bf16Pairs : &Tile::floats;
        Values sums = (tile.*products)(a[0], a[1], a[2], a[3], a[4]);
        Values out = tile.addresses(a[5], a[6], rows);
        for (int i = 0; i < rows; ++i)
          for (int p = 0; p < panels; ++p)
            e.store(tile.sum(sums, i, p), out[i], 64 * p);
      });
}

} // namespace llmc::cpu
