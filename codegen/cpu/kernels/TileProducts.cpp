//===- TileProducts.cpp - sums of products in tiles of bf16 ---------------===//
//
// Weights are decoded to bf16, cut off instead of rounded; scales are 1 + 2^-9 larger, which takes the bias
// out. Activations are bf16 (PackRows.cpp). A sum is added up in tiles of 32 columns, ascending, whatever the
// number of rows is.
//
// Decoding goes by way of f16, whose exponent has five bits, by moving it three bits down into a bf16. That
// makes a number 2^112 smaller; with the weights 2^8 larger in f16, a bf16 of theirs is 2^104 too small, and
// the activations are 2^104 larger to make up for it (tileScale). So weights between 2^-22 and 2^8 are kept
// to eight bits, smaller ones to fewer or none. Weights of bf16 are multiplied as they are.
//
//===----------------------------------------------------------------------===//
#include "codegen/cpu/isa/Dot.h"
#include "codegen/cpu/isa/Tiles.h"
#include "codegen/cpu/kernels/Linear.h"
#include "codegen/cpu/kernels/TileRows.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace llmc::cpu {
namespace {

using quant::ChunkReader;
using quant::OuterScales;
using quant::QuantScheme;
using quant::ScaleKind;

constexpr double weightScale = 0x1p8 * (1 + 0x1p-9), exactScale = 0x1p8;

/// What is decoded together: the records of integers, 32 columns of bf16.
struct TileRecord {
  int64_t values, bytes;
  static TileRecord of(const QuantScheme &scheme) {
    if (scheme.isInteger())
      return {scheme.recordValues, scheme.recordBytes};
    return {tile::columns, tile::columns * scheme.recordBytes};
  }
  int64_t chunks() const { return values / tile::columns; }
};

/// Decodes the chunks of one panel.
struct Decoder {
  Emitter &e;
  const QuantScheme &scheme;
  const Isa &isa;

  VectorType words() { return e.vec(32, e.i16()); }
  VectorType halfs() { return e.vec(32, e.f16()); }

  /// A number of each row as the f16 of both of the row's columns.
  Value ofBoth(Value perRow) {
    SmallVector<int64_t> twice;
    for (int64_t row = 0; row < lanes; ++row)
      twice.insert(twice.end(), {row, row});
    Value narrow = arith::TruncFOp::create(e, e.vec(lanes, e.f16()), e.mulf(perRow, weightScale));
    return vector::ShuffleOp::create(e, narrow, narrow, twice);
  }

  /// What the quants of columns 4q+i and 4q+i+2 stand for, before scales and minimums, as f16.
  Value quants(ChunkReader &chunk, int64_t q, int64_t i) {
    if (scheme.lowBits == 4 && !scheme.highBits) {
      SmallVector<APFloat> table;
      for (int64_t n = 0; n < 32; ++n)
        table.push_back(
            llvm::cast<FloatAttr>(e.getFloatAttr(e.f16(), scheme.codebook ? scheme.codebook[n % 16]
                                                                          : n % 16 - scheme.zeroPoint))
                .getValue());
      // The lookup takes five bits; the fifth one is another quant's, so the table is there twice.
      Value entries = arith::ConstantOp::create(e, DenseElementsAttr::get(halfs(), table));
      Value found = e.intrinsic("llvm.x86.avx512.permvar.hi.512", words(),
                                {e.bitcast(entries, words()), chunk.nibbleWords(q, i)});
      return e.bitcast(found, halfs());
    }
    Value pairs = e.bitcast(chunk.quad(q), words());
    if (scheme.isSigned()) {
      if (i == 0)
        pairs = arith::ShLIOp::create(e, pairs, e.splat(words(), 8));
      return arith::SIToFPOp::create(e, halfs(), arith::ShRSIOp::create(e, pairs, e.splat(words(), 8)));
    }
    pairs = i == 0 ? arith::AndIOp::create(e, pairs, e.splat(words(), 255)).getResult()
                   : arith::ShRUIOp::create(e, pairs, e.splat(words(), 8));
    return arith::SIToFPOp::create(e, halfs(), e.sub(pairs, scheme.zeroPoint));
  }

  /// The same of bf16, as they stand.
  void bf16Chunk(Value columns, Value out) {
    auto pairs = e.vec(lanes, e.i32());
    auto column = [&](int64_t k) {
      Value bits = e.load(e.vec(lanes, e.i16()), columns, k * scheme.recordBytes);
      return arith::ExtUIOp::create(e, pairs, bits).getResult();
    };
    for (int64_t line = 0; line < tile::rows; ++line) {
      const int64_t first = line / 2 * 4 + line % 2;
      Value second = arith::ShLIOp::create(e, column(first + 2), e.splat(pairs, 16));
      e.store(arith::OrIOp::create(e, column(first), second), out, tile::lineBytes * line, 64);
    }
  }

  /// One chunk as a tile of B: line 2q+i holds columns 4q+i and 4q+i+2 of 16 rows.
  void chunk(Value record, Value number, OuterScales outer, Value out) {
    if (!scheme.isInteger())
      return bf16Chunk(record, out);
    ChunkReader reader(e, scheme, record, number, outer, byteLookup(e, isa.dot));
    const int64_t quads = scheme.group / 4;
    Value scale, minimum;
    for (int64_t q = 0; q < quant::chunkValues / 4; ++q) {
      if (scheme.scale == ScaleKind::Row) {
        scale = e.real(halfs(), exactScale);
      } else if (q % quads == 0) {
        scale = ofBoth(reader.scales(q / quads));
        if (scheme.hasMin)
          minimum = ofBoth(reader.minimums(q / quads));
      }
      for (int64_t i = 0; i < 2; ++i) {
        Value value = quants(reader, q, i);
        value = scheme.hasMin ? e.fma(value, scale, minimum) : e.mulf(value, scale);
        Value bits = arith::ShRSIOp::create(e, e.bitcast(value, words()), e.splat(words(), 3));
        bits = arith::AndIOp::create(e, bits, e.splat(words(), int16_t(0x8fff)));
        e.store(bits, out, tile::lineBytes * (2 * q + i), 64);
      }
    }
  }
};

/// Sums of integers, times the scale of their row.
void scaleRows(Emitter &e, const QuantScheme &scheme, Value panels, Value panelStride, int count, Value sums,
               Value sumsStride, Value rows) {
  for (int p = 0; p < count; ++p) {
    Value scales = OuterScales::ofPanel(e, scheme, p ? e.at(panels, e.mul(panelStride, p)) : panels).scales;
    e.loop(e.c(0), rows, 1, [&](Value row) {
      Value at = e.at(e.at(sums, e.mul(row, sumsStride)), p * tile::lineBytes);
      e.store(e.mulf(scales, e.loadFloats(at)), at);
    });
  }
}

/// What all functions of this file are made with.
struct TileLinear {
  Emitter &e;
  ModuleOp module;
  const Isa &isa;

  LLVM::LLVMFuncOp function(const Twine &name, int64_t count, ArrayRef<int64_t> pointers,
                            llvm::function_ref<void(ValueRange)> body) {
    return tileFunction(e, module, isa, name, count, pointers, body);
  }

  /// walk(record, number of its chunk in the panel, chunk in the record, outer scales)
  void overChunks(const QuantScheme &scheme, Value panel, Value firstRecord, Value lastRecord,
                  llvm::function_ref<void(Value, Value, Value, OuterScales)> walk) {
    OuterScales ofPanel = OuterScales::ofPanel(e, scheme, panel);
    const TileRecord size = TileRecord::of(scheme);
    const int64_t chunks = size.chunks();
    e.loop(firstRecord, lastRecord, 1, [&](Value number) {
      Value record = e.at(panel, e.add(e.mul(number, size.bytes), scheme.panelHeader));
      OuterScales outer = scheme.hasSuperBlocks() ? OuterScales::ofRecord(e, scheme, record) : ofPanel;
      Value first = e.mul(e.sub(number, firstRecord), chunks);
      if (chunks > 2) {
        e.loop(e.c(0), e.c(chunks), 1, [&](Value i) { walk(record, e.add(first, i), i, outer); });
        return;
      }
      for (int64_t i = 0; i < chunks; ++i)
        walk(record, e.add(first, i), e.c(i), outer);
    });
  }

  /// decode(panel, first record, last record, out): a tile of B for each chunk.
  LLVM::LLVMFuncOp decode(const QuantScheme &scheme) {
    return function("decode." + StringRef(scheme.name), 4, {0, 3}, [&](ValueRange a) {
      Decoder decoder{e, scheme, isa};
      overChunks(scheme, a[0], a[1], a[2], [&](Value record, Value chunk, Value inRecord, OuterScales outer) {
        decoder.chunk(record, inRecord, outer, e.at(a[3], e.mul(chunk, tile::bytes)));
      });
    });
  }

  /// few(weights, panel stride, x, rows, records, sums, sums stride, ahead, scratch): up to 16 rows with
  /// `panels` panels, each weight decoded and used at once.
  LLVM::LLVMFuncOp few(const QuantScheme &scheme, int panels) {
    return function(
        "few." + StringRef(scheme.name) + "." + Twine(panels), 9, {0, 2, 5, 8}, [&](ValueRange a) {
          TileEmitter t(e);
          Value x = a[2], rows = arith::TruncIOp::create(e, e.i16(), a[3]),
                xLine = e.mul(a[3], tile::lineBytes);
          Value line = e.c(tile::lineBytes);
          Decoder decoder{e, scheme, isa};
          const TileRecord size = TileRecord::of(scheme);
          const int64_t chunks = size.chunks();
          Values bases = {a[0]}, carried;
          SmallVector<OuterScales> ofPanel;
          while (int(bases.size()) < panels)
            bases.push_back(e.at(bases.back(), a[1]));
          for (int p = 0; p < panels; ++p) {
            ofPanel.push_back(OuterScales::ofPanel(e, scheme, bases[p]));
            carried.push_back(t.zero(rows));
          }
          Values results = t.loop(e.c(0), a[4], carried, [&](Value number, ValueRange carried) {
            Values records;
            SmallVector<OuterScales> outer;
            for (int p = 0; p < panels; ++p) {
              records.push_back(e.at(bases[p], e.add(e.mul(number, size.bytes), scheme.panelHeader)));
              outer.push_back(scheme.hasSuperBlocks() ? OuterScales::ofRecord(e, scheme, records[p])
                                                      : ofPanel[p]);
            }
            Value first = e.mul(number, chunks);
            auto one = [&](Value chunk, ValueRange carried) {
              Values c(carried);
              Value row = t.load(rows, e.at(x, arith::MulIOp::create(e, e.add(first, chunk), xLine)), line);
              for (int p = 0; p < panels; ++p) {
                prefetchChunk(e, isa, e.at(records[p], a[7]), chunk, size.bytes, chunks);
                Value out = e.at(a[8], p * tile::bytes);
                decoder.chunk(records[p], chunk, outer[p], out);
                c[p] = t.dot(rows, c[p], row, t.load(t.fullRows(), out, line));
              }
              return c;
            };
            if (chunks > 2)
              return t.loop(e.c(0), e.c(chunks), carried, one);
            Values c(carried);
            for (int64_t i = 0; i < chunks; ++i)
              c = one(e.c(i), c);
            return c;
          });
          for (int p = 0; p < panels; ++p)
            t.store(results[p], rows, e.at(a[5], 64 * p), a[6]);
          if (scheme.scale == ScaleKind::Row)
            scaleRows(e, scheme, a[0], a[1], panels, a[5], a[6], a[3]);
        });
  }
};

} // namespace

int64_t tileRecords(const QuantScheme &scheme, int64_t k) {
  const int64_t values = TileRecord::of(scheme).values;
  return roundUp(k, values) / values;
}

int64_t tileScratchBytes(const QuantScheme &scheme, const Isa &isa) {
  return roundUp(isa.tuning.tileColumns, TileRecord::of(scheme).values) / tile::columns * tile::bytes * 2;
}

LLVM::LLVMFuncOp emitFewTileProducts(Emitter &e, ModuleOp module, const QuantScheme &scheme, const Isa &isa,
                                     int panels) {
  return TileLinear{e, module, isa}.few(scheme, panels);
}

LLVM::LLVMFuncOp emitTileProducts(Emitter &e, ModuleOp module, const QuantScheme &scheme, const Isa &isa) {
  TileLinear linear{e, module, isa};
  auto decode = linear.decode(scheme);
  auto rowProducts = emitTileRows(e, module, isa);
  return linear.function("products." + StringRef(scheme.name), 11, {0, 2, 8, 10}, [&](ValueRange a) {
    Value w = a[0], panelStride = a[1], x = a[2], xStride = a[3], rows = a[4], begin = a[5], end = a[6],
          records = a[7], sums = a[8], sumsStride = a[9], scratch = a[10];
    e.when(e.equal(begin, e.c(0)), [&] {
      e.loop(e.c(0), rows, 1, [&](Value row) {
        Value at = e.at(sums, e.mul(row, sumsStride));
        e.store(e.zeros(), at);
        e.store(e.zeros(), at, 64);
      });
    });
    const TileRecord size = TileRecord::of(scheme);
    const int64_t chunksOfRecord = size.chunks();
    const int64_t blockRecords = roundUp(isa.tuning.tileColumns, size.values) / size.values;
    e.loop(begin, end, blockRecords, [&](Value first) {
      Value last = e.min(e.add(first, blockRecords), end);
      Value chunks = e.mul(e.sub(last, first), chunksOfRecord), tileBytes = e.mul(chunks, tile::bytes);
      for (int p = 0; p < 2; ++p)
        e.call(decode, {p ? e.at(w, panelStride) : w, first, last, p ? e.at(scratch, tileBytes) : scratch});
      Value skipped = e.mul(e.sub(first, begin), chunksOfRecord * tile::lineBytes);
      e.call(rowProducts, {x, xStride, skipped, rows, scratch, tileBytes, chunks, sums, sumsStride});
    });
    if (scheme.scale == ScaleKind::Row)
      e.when(e.equal(end, records), [&] { scaleRows(e, scheme, w, panelStride, 2, sums, sumsStride, rows); });
  });
}

} // namespace llmc::cpu
