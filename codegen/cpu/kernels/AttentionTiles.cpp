//===- AttentionTiles.cpp - pages of keys for many queries, in tiles ----===//
#include "codegen/cpu/kernels/AttentionTiles.h"

#include "codegen/cpu/isa/Tiles.h"
#include "codegen/cpu/kernels/TileRows.h"
#include "codegen/emit/MathPoly.h"

#include <limits>

using namespace mlir;

namespace llmc::cpu {

bool usesTiles(const AttentionSpec &spec, const Isa &isa) {
  // With the same bits for every number of rows, single queries would have to go through tiles as well.
  return isa.mixesUnits() && spec.pageTokens == tile::columns && spec.dimK % tile::columns == 0 &&
         spec.dimV % tile::columns == 0;
}

AttentionTiles::AttentionTiles(Emitter &e, ModuleOp module, const AttentionSpec &spec, const Isa &isa,
                               const AttentionScratch &places, int64_t tokens, int64_t scratchAt)
    : e(e), module(module), spec(spec), isa(isa), places(places), group(spec.heads / spec.kvHeads),
      queries(group * tokens) {
  const int64_t keys = blockPages * spec.pageTokens;
  scoreStride = keys * 4;
  keyPanel = spec.dimK / tile::columns * tile::bytes;
  valuePanel = blockPages * tile::bytes;
  queriesAt = scratchAt;
  scoresAt = queriesAt + queries * spec.dimK * tile::numberBytes;
  probabilitiesAt = scoresAt + queries * scoreStride;
  keysAt = probabilitiesAt + queries * keys * tile::numberBytes;
  valuesAt = keysAt + keys * spec.dimK * tile::numberBytes;
  end = valuesAt + keys * spec.dimV * tile::numberBytes;
}

/// Two vectors of floats as bf16, rounded to nearest, ties away from zero: one after the other, or in pairs.
Value AttentionTiles::highHalves(Value first, Value second, bool inPairs) {
  auto words = e.vec(2 * lanes, e.i16());
  auto rounded = [&](Value v) {
    return e.bitcast(e.add(e.bitcast(v, e.vec(lanes, e.i32())), 0x8000), words);
  };
  SmallVector<int64_t> order;
  for (int64_t i = 0; i < lanes; ++i)
    order.push_back(2 * i + 1);
  for (int64_t i = 0; i < lanes; ++i)
    order.insert(inPairs ? order.begin() + 2 * i + 1 : order.end(), 2 * (lanes + i) + 1);
  return vector::ShuffleOp::create(e, rounded(first), rounded(second), order);
}

void AttentionTiles::packQueries(Value scratch) {
  for (int64_t block = 0; block < queries; block += tile::rows) {
    const int64_t rows = std::min(tile::rows, queries - block);
    e.loop(e.c(0), e.c(rows), 1, [&](Value row) {
      Value from = e.at(scratch, e.mul(e.add(row, block), places.queryStride));
      Value to = e.at(scratch,
                      e.add(e.mul(row, tile::lineBytes), queriesAt + block * spec.dimK * tile::numberBytes));
      for (int64_t d = 0; d < spec.dimK; d += tile::columns) {
        Value halves =
            highHalves(e.loadFloats(from, 4 * d), e.loadFloats(from, 4 * (d + lanes)), /*inPairs=*/false);
        e.store(halves, to, d * tile::numberBytes * rows);
      }
    });
  }
}

/// `count` rows of floats become tiles of B: for each 16 columns those of the rows, 32 after 32. Rows from
/// `limit` on count as zero.
void AttentionTiles::packTiles(Value rows, int64_t count, int64_t columns, Value limit, Value tiles,
                               int64_t panelBytes) {
  e.loop(e.c(0), e.c(count), 2, [&](Value row) {
    Value from = e.at(rows, e.mul(row, 4 * columns)), to = e.at(tiles, e.mul(row, tile::lineBytes / 2));
    auto load = [&](int64_t number, int64_t column) {
      Value v = e.loadFloats(from, 4 * (number * columns + column));
      return limit ? e.select(e.less(e.add(row, number), limit), v, e.zeros()) : v;
    };
    for (int64_t column = 0; column < columns; column += lanes)
      e.store(highHalves(load(0, column), load(1, column), /*inPairs=*/true), to,
              column / lanes * panelBytes);
  });
}

/// Scores of `keys` keys become probabilities in bf16; maximum, sum and o follow.
void AttentionTiles::addSoftmax(Value scratch, Value keys, Value seen) {
  const int64_t vectors = blockPages * spec.pageTokens / lanes;
  Value none = e.real(e.floats(), -std::numeric_limits<double>::infinity());
  e.loop(e.c(0), e.c(queries), 1, [&](Value query) {
    Value at = e.at(scratch, e.add(e.mul(query, scoreStride), scoresAt));
    Value mine = e.min(e.add(seen, e.div(query, group)), keys);
    Value limit = e.broadcast(arith::TruncIOp::create(e, e.i32(), mine));
    Values scores, visible;
    Value pageLargest, total;
    for (int64_t v = 0; v < vectors; ++v) {
      Value s = e.mulf(e.loadFloats(at, 64 * v), spec.scale);
      if (spec.softcap)
        s = e.mulf(buildTanh(e, e.divf(s, e.real(s.getType(), spec.softcap))), spec.softcap);
      visible.push_back(e.less(e.add(e.iota(), v * lanes), limit));
      s = e.select(visible.back(), s, none);
      scores.push_back(s);
      pageLargest = pageLargest ? e.maxf(pageLargest, s) : s;
    }
    Value old = e.load(e.f32(), places.number(e, scratch, query, AttentionScratch::Maximum));
    Value largest = e.maxf(old, e.maxLanes(pageLargest)), all = e.broadcast(largest);
    Value sumAt = places.number(e, scratch, query, AttentionScratch::Sum);
    e.when(e.less(arith::CmpFPredicate::OLT, old, largest), [&] {
      Value factor = buildExp(e, e.subf(e.broadcast(old), all));
      Value out = e.at(scratch, e.add(e.mul(query, places.outStride), places.outAt));
      for (int64_t column = 0; column < places.outStride; column += 64)
        e.store(e.mulf(e.loadFloats(out, column), factor), out, column);
      e.store(e.mulf(e.load(e.f32(), sumAt), e.element(factor, 0)), sumAt);
      e.store(largest, places.number(e, scratch, query, AttentionScratch::Maximum));
    });
    for (int64_t v = 0; v < vectors; ++v) {
      Value p = e.select(visible[v], buildExp(e, e.subf(scores[v], all)), e.zeros());
      total = total ? e.addf(total, p) : p;
      scores[v] = p;
    }
    // As emitTileRows reads them: 32 keys of all rows of a block, then the next 32.
    Value inBlock = e.rem(query, tile::rows), block = e.sub(query, inBlock);
    Value rows = e.min(e.sub(e.c(queries), block), e.c(tile::rows));
    Value to =
        e.at(scratch,
             e.add(e.add(e.mul(block, vectors * lanes * tile::numberBytes), e.mul(inBlock, tile::lineBytes)),
                   probabilitiesAt));
    for (int64_t v = 0; v < vectors; v += 2)
      e.store(highHalves(scores[v], scores[v + 1], /*inPairs=*/false),
              e.at(to, e.mul(rows, v / 2 * tile::lineBytes)));
    e.store(e.addf(e.load(e.f32(), sumAt), e.sumLanes(total)), sumAt);
  });
}

void AttentionTiles::packPage(Value scratch, Value keys, Value values, Value index, Value limit) {
  Value keyTiles = e.at(scratch, e.add(e.mul(index, spec.pageTokens / lanes * keyPanel), keysAt));
  Value valueTiles = e.at(scratch, e.add(e.mul(index, tile::bytes), valuesAt));
  packTiles(keys, spec.dimK, spec.pageTokens, Value(), keyTiles, keyPanel);
  packTiles(values, spec.pageTokens, spec.dimV, limit, valueTiles, valuePanel);
}

void AttentionTiles::addBlock(Value scratch, Value pages, Value seen) {
  auto rows = emitTileRows(e, module, isa);
  e.loop(e.c(0), e.c(queries * scoreStride), 64,
         [&](Value byte) { e.store(e.zeros(), e.at(scratch, e.add(byte, scoresAt))); });
  e.loop(e.c(0), pages, 1, [&](Value page) {
    e.call(rows, {e.at(scratch, queriesAt), e.c(spec.dimK * tile::numberBytes), e.c(0), e.c(queries),
                  e.at(scratch, e.add(e.mul(page, 2 * keyPanel), keysAt)), e.c(keyPanel),
                  e.c(spec.dimK / tile::columns),
                  e.at(scratch, e.add(e.mul(page, spec.pageTokens * 4), scoresAt)), e.c(scoreStride)});
  });
  addSoftmax(scratch, e.mul(pages, spec.pageTokens), seen);
  for (int64_t panel = 0; panel < spec.dimV / lanes; panel += 2)
    e.call(rows, {e.at(scratch, probabilitiesAt), e.c(blockPages * spec.pageTokens * tile::numberBytes),
                  e.c(0), e.c(queries), e.at(scratch, valuesAt + panel * valuePanel), e.c(valuePanel), pages,
                  e.at(scratch, places.outAt + panel * tile::lineBytes), e.c(places.outStride)});
}

} // namespace llmc::cpu
