//===- Products.cpp - sums of products of a tile --------------------------===//
//
// rows x panels accumulators of 16 outputs stay in registers while K is walked once. Every tile size computes
// a sum by the same operations in the same order:
//   int8: for each group: acc = fma(float(dot), wscale * xscale, acc), then acc = fma(wmin, xscale * sum(x),
//   acc) f32:  for each k:     acc = fma(w, x, acc)
//
//===----------------------------------------------------------------------===//
#include "codegen/cpu/isa/Dot.h"
#include "codegen/cpu/kernels/Linear.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace llmc::cpu {
namespace {

using quant::QuantScheme;
using quant::RecordReader;

/// One tile: `rows` activation rows at x + i * stride, `panels` panels at w + p * stride.
struct Tile {
  Emitter &e;
  const QuantScheme &scheme;
  const Isa &isa;
  int rows, panels;
  Value ahead; // null: no prefetching

  Value &sum(Values &sums, int row, int panel) { return sums[row * panels + panel]; }
  Values addresses(Value base, Value stride, int count) {
    Values result = {base};
    while (int(result.size()) < count)
      result.push_back(e.at(result.back(), stride));
    return result;
  }

  Values int8(Value w, Value wStride, Value x, Value xStride, Value records);
  Values floats(Value w, Value wStride, Value x, Value xStride, Value records);
  void int8Group(RecordReader *weights, ValueRange x, int64_t group, Values &sums);
};

// One group of 32 columns; x addresses its record's first group.
void Tile::int8Group(RecordReader *weights, ValueRange x, int64_t group, Values &sums) {
  const int bias = dotBias(scheme, isa.dot);
  const int64_t at = group * int8group::bytes;
  SmallVector<GroupDot> dots;
  for (int i = 0; i < rows; ++i) {
    Value start;
    if (bias)
      start = e.load(e.i32(), x[i], at + (bias == 8 ? int8group::minus8 : int8group::minus128));
    for (int p = 0; p < panels; ++p)
      dots.emplace_back(e, scheme, isa.dot, start);
  }
  for (int64_t quad = 0; quad < int8group::values / 4; ++quad) {
    SmallVector<Values> w;
    for (int p = 0; p < panels; ++p)
      w.push_back(prepareQuad(e, scheme, isa.dot, weights[p].quad(group * 8 + quad)));
    for (int i = 0; i < rows; ++i) {
      Values four = prepareActivations(e, isa.dot, e.load(e.i32(), x[i], at + 4 * quad));
      for (int p = 0; p < panels; ++p)
        dots[i * panels + p].add(e, w[p], four);
    }
  }
  for (int i = 0; i < rows; ++i) {
    Value scale = e.broadcast(e.load(e.f32(), x[i], at + int8group::scale));
    for (int p = 0; p < panels; ++p) {
      Value &acc = sum(sums, i, p);
      acc = e.fma(dots[i * panels + p].finish(e), e.mulf(weights[p].scales(group), scale), acc);
    }
    if (scheme.hasMin) {
      Value total = e.broadcast(e.load(e.f32(), x[i], at + int8group::sum));
      for (int p = 0; p < panels; ++p)
        sum(sums, i, p) = e.fma(weights[p].minimums(group), total, sum(sums, i, p));
    }
  }
}

Values Tile::int8(Value w, Value wStride, Value x, Value xStride, Value records) {
  const int64_t groups = scheme.recordValues / int8group::values;
  Values wBase = addresses(w, wStride, panels), xBase = addresses(x, xStride, rows);
  return e.loop(
      e.c(0), records, e.c(1), Values(rows * panels, e.zeros()), [&](Value record, ValueRange carried) {
        Value wOffset = e.mul(record, scheme.recordBytes), xOffset = e.mul(record, groups * int8group::bytes);
        SmallVector<RecordReader> weights;
        for (int p = 0; p < panels; ++p) {
          Value base = e.at(wBase[p], wOffset);
          if (ahead) {
            Value later = e.at(base, ahead);
            for (int64_t line = 0; line < scheme.recordBytes; line += 64)
              e.prefetch(e.at(later, line));
          }
          weights.emplace_back(e, scheme, base);
        }
        Values xs, sums(carried);
        for (int i = 0; i < rows; ++i)
          xs.push_back(e.at(xBase[i], xOffset));
        for (int64_t g = 0; g < groups; ++g)
          int8Group(weights.data(), xs, g, sums);
        return sums;
      });
}

Values Tile::floats(Value w, Value wStride, Value x, Value xStride, Value records) {
  Values wBase = addresses(w, wStride, panels), xBase = addresses(x, xStride, rows);
  auto multiply = [&](ArrayRef<Value> columns, ArrayRef<Value> xs, int64_t offset, Values &sums) {
    for (int i = 0; i < rows; ++i) {
      Value value = e.broadcast(e.load(e.f32(), xs[i], offset));
      for (int p = 0; p < panels; ++p)
        sum(sums, i, p) = e.fma(columns[p], value, sum(sums, i, p));
    }
  };
  return e.loop(
      e.c(0), records, e.c(1), Values(rows * panels, e.zeros()), [&](Value record, ValueRange carried) {
        Value wOffset = e.mul(record, scheme.recordBytes), xOffset = e.mul(record, scheme.recordValues * 4);
        Values sums(carried), ws, xs;
        for (int p = 0; p < panels; ++p)
          ws.push_back(e.at(wBase[p], wOffset));
        for (int i = 0; i < rows; ++i)
          xs.push_back(e.at(xBase[i], xOffset));
        if (!scheme.isInteger()) {
          Values columns;
          for (int p = 0; p < panels; ++p)
            columns.push_back(RecordReader(e, scheme, ws[p]).column(0));
          multiply(columns, xs, 0, sums);
          return sums;
        }
        const int64_t width = quant::columnsPerLine(scheme), lines = quant::linesPerGroup(scheme);
        for (int64_t g = 0; g < scheme.recordValues / scheme.group; ++g) {
          Values scales, minimums;
          for (int p = 0; p < panels; ++p) {
            RecordReader reader(e, scheme, ws[p]);
            scales.push_back(reader.scales(g));
            minimums.push_back(scheme.hasMin ? reader.minimums(g) : Value());
          }
          sums =
              e.loop(e.c(g * lines), e.c((g + 1) * lines), e.c(1), sums, [&](Value line, ValueRange carried) {
                Values sums(carried), lineValues, xLine;
                Value wAt = e.mul(line, quant::lineBytes), xAt = e.mul(line, width * 4);
                for (int p = 0; p < panels; ++p)
                  lineValues.push_back(e.load(e.vec(64, e.i8()), e.at(ws[p], wAt), 0, 32));
                for (int i = 0; i < rows; ++i)
                  xLine.push_back(e.at(xs[i], xAt));
                for (int64_t c = 0; c < width; ++c) {
                  Values columns;
                  for (int p = 0; p < panels; ++p)
                    columns.push_back(
                        RecordReader::unpackColumn(e, scheme, lineValues[p], c, scales[p], minimums[p]));
                  multiply(columns, xLine, 4 * c, sums);
                }
                return sums;
              });
        }
        return sums;
      });
}

} // namespace

LLVM::LLVMFuncOp emitProducts(Emitter &e, ModuleOp module, const QuantScheme &scheme,
                              ActivationType activations, const Isa &isa, int rows, int panels) {
  const bool isInt8 = activations == ActivationType::Int8;
  std::string name = llvm::formatv("llmc.products.{0}.{1}.{2}.{3}x{4}", isa.name,
                                   llvm::StringRef(scheme.name), isInt8 ? "int8" : "f32", rows, panels);
  return e.function(module, name, isa,
                    {e.ptr(), e.i64(), e.ptr(), e.i64(), e.i64(), e.ptr(), e.i64(), e.i64()}, true,
                    [&](ValueRange a) {
                      Tile tile{e, scheme, isa, rows, panels, isa.tuning.prefetchBytes ? a[7] : Value()};
                      Values sums = isInt8 ? tile.int8(a[0], a[1], a[2], a[3], a[4])
                                           : tile.floats(a[0], a[1], a[2], a[3], a[4]);
                      Values out = tile.addresses(a[5], a[6], rows);
                      for (int i = 0; i < rows; ++i)
                        for (int p = 0; p < panels; ++p)
                          e.store(tile.sum(sums, i, p), out[i], 64 * p);
                    });
}

} // namespace llmc::cpu
