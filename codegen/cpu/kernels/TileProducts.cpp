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

  LLVM::LLVMFuncOp function(const Twine &name, int64_t pointersAndSizes,
                            llvm::function_ref<void(ValueRange)> body, ArrayRef<int64_t> pointers) {
    SmallVector<Type> types(pointersAndSizes, e.i64());
    for (int64_t i : pointers)
      types[i] = e.ptr();
    return e.function(module, ("llmc.tiles." + isa.name + "." + name).str(), isa, types, true, body);
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
    return function("decode." + StringRef(scheme.name), 4,
                    [&](ValueRange a) {
                      Decoder decoder{e, scheme, isa};
                      overChunks(scheme, a[0], a[1], a[2],
                                 [&](Value record, Value chunk, Value inRecord, OuterScales outer) {
                                   decoder.chunk(record, inRecord, outer,
                                                 e.at(a[3], e.mul(chunk, tile::bytes)));
                                 });
                    },
                    {0, 3});
  }

  /// rows(x, tiles of B, bytes of one panel's tiles, chunks, sums, sums stride, rows of the last block): adds
  /// to the sums of `blocks` blocks of rows, of which the last has `rows` rows, with two panels. Chunk c of a
  /// block of n rows stands at c * 64 n.
  LLVM::LLVMFuncOp block(int blocks) {
    return function("block" + Twine(blocks), 8,
                    [&](ValueRange a) {
                      TileEmitter t(e);
                      Value x = a[0], tiles = a[1], panelStride = a[2], chunks = a[3], sums = a[4],
                            stride = a[5], lastRows = a[6];
                      Values rows(blocks, t.fullRows()), xs = {x}, lines = {e.c(tile::bytes)}, at;
                      rows.back() = arith::TruncIOp::create(e, e.i16(), lastRows);
                      lines.assign(blocks, e.c(tile::bytes));
                      lines.back() = e.mul(lastRows, tile::lineBytes);
                      if (blocks == 2)
                        xs.push_back(e.at(x, a[7]));
                      Values carried;
                      for (int b = 0; b < blocks; ++b)
                        for (int p = 0; p < 2; ++p) {
                          at.push_back(e.at(e.at(sums, e.mul(stride, b * tile::rows)), p * 64));
                          carried.push_back(t.load(rows[b], at.back(), stride));
                        }
                      Value line = e.c(tile::lineBytes);
                      Values results = t.loop(e.c(0), chunks, carried, [&](Value chunk, ValueRange carried) {
                        Values c(carried);
                        Value b0 = e.at(tiles, e.mul(chunk, tile::bytes));
                        Values w = {t.load(t.fullRows(), b0, line), {}};
                        for (int b = 0; b < blocks; ++b) {

                          Value row =
                              t.stream(rows[b], e.at(xs[b], arith::MulIOp::create(e, chunk, lines[b])), line);
                          c[2 * b] = t.dot(rows[b], c[2 * b], row, w[0]);
                          if (b == 0)
                            w[1] = t.load(t.fullRows(), e.at(b0, panelStride), line);
                          c[2 * b + 1] = t.dot(rows[b], c[2 * b + 1], row, w[1]);
                        }
                        return c;
                      });
                      for (int b = 0; b < blocks; ++b)
                        for (int p = 0; p < 2; ++p)
                          t.store(results[2 * b + p], rows[b], at[2 * b + p], stride);
                    },
                    {0, 1, 4});
  }

  /// few(weights, panel stride, x, rows, records, sums, sums stride, ahead, scratch): up to 16 rows with
  /// `panels` panels, each weight decoded and used at once.
  LLVM::LLVMFuncOp few(const QuantScheme &scheme, int panels) {
    return function(
        "few." + StringRef(scheme.name) + "." + Twine(panels), 9,
        [&](ValueRange a) {
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
                prefetchChunk(e, e.at(records[p], a[7]), chunk, size.bytes, chunks);
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
        },
        {0, 2, 5, 8});
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
  auto pair = linear.block(2), single = linear.block(1);
  return linear.function(
      "products." + StringRef(scheme.name), 11,
      [&](ValueRange a) {
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
            e.call(decode,
                   {p ? e.at(w, panelStride) : w, first, last, p ? e.at(scratch, tileBytes) : scratch});

          Value skipped = e.mul(e.sub(first, begin), chunksOfRecord * tile::lineBytes);
          auto call = [&](int64_t blocks, Value row, Value blockRows) {
            // Before this row there are whole blocks; the block itself is as wide as it has rows.
            Value before = e.mul(row, xStride);
            Value width = blocks == 2 ? e.c(tile::rows) : blockRows;
            Value second = e.mul(xStride, tile::rows);
            if (blocks == 2)
              second = e.add(second, e.mul(skipped, e.sub(blockRows, tile::rows)));
            e.call(blocks == 2 ? pair : single,
                   {e.at(x, e.add(before, e.mul(skipped, width))), scratch, tileBytes, chunks,
                    e.at(sums, e.mul(row, sumsStride)), sumsStride, blockRows, second});
          };
          Value pairs = e.mul(e.div(rows, 2 * tile::rows), 2 * tile::rows), rest = e.sub(rows, pairs);
          e.loop(e.c(0), pairs, 2 * tile::rows, [&](Value row) { call(2, row, e.c(tile::rows)); });
          Value isOverOne = e.less(e.c(tile::rows), rest);
          e.when(
              isOverOne, [&] { call(2, pairs, e.sub(rest, tile::rows)); },
              [&] { e.when(e.less(e.c(0), rest), [&] { call(1, pairs, rest); }); });
        });
        if (scheme.scale == ScaleKind::Row)
          e.when(e.equal(end, records),
                 [&] { scaleRows(e, scheme, w, panelStride, 2, sums, sumsStride, rows); });
      },
      {0, 2, 8, 10});
}

} // namespace llmc::cpu
