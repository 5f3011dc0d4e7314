//===- TileRows.cpp - rows times two panels, in tiles ---------------------===//
#include "codegen/cpu/kernels/TileRows.h"

#include "codegen/cpu/isa/Tiles.h"

using namespace mlir;

namespace llmc::cpu {

LLVM::LLVMFuncOp tileFunction(Emitter &e, ModuleOp module, const Isa &isa, const Twine &name, int64_t count,
                              ArrayRef<int64_t> pointers, llvm::function_ref<void(ValueRange)> body) {
  SmallVector<Type> types(count, e.i64());
  for (int64_t i : pointers)
    types[i] = e.ptr();
  return emitFunction(e, module, ("llmc.tiles." + isa.name + "." + name).str(), isa, types, true, body);
}

/// rows(x, tiles of B, bytes of one panel's tiles, chunks, sums, sums stride, rows of the last block): adds
/// to the sums of `blocks` blocks of rows, of which the last has `rows` rows, with two panels. Chunk c of a
/// block of n rows stands at c * 64 n.
static LLVM::LLVMFuncOp emitBlock(Emitter &e, ModuleOp module, const Isa &isa, int blocks) {
  return tileFunction(e, module, isa, "block" + Twine(blocks), 8, {0, 1, 4}, [&](ValueRange a) {
    TileEmitter t(e);
    Value x = a[0], tiles = a[1], panelStride = a[2], chunks = a[3], sums = a[4], stride = a[5],
          lastRows = a[6];
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
        Value row = t.stream(rows[b], e.at(xs[b], arith::MulIOp::create(e, chunk, lines[b])), line);
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
  });
}

LLVM::LLVMFuncOp emitTileRows(Emitter &e, ModuleOp module, const Isa &isa) {
  auto pair = emitBlock(e, module, isa, 2), single = emitBlock(e, module, isa, 1);
  return tileFunction(e, module, isa, "rows", 9, {0, 4, 7}, [&](ValueRange a) {
    Value x = a[0], xStride = a[1], skipped = a[2], rows = a[3], tiles = a[4], tileBytes = a[5],
          chunks = a[6], sums = a[7], sumsStride = a[8];
    auto call = [&](int64_t blocks, Value row, Value blockRows) {
      // Before this row there are whole blocks; the block itself is as wide as it has rows.
      Value before = e.mul(row, xStride);
      Value width = blocks == 2 ? e.c(tile::rows) : blockRows;
      Value second = e.mul(xStride, tile::rows);
      if (blocks == 2)
        second = e.add(second, e.mul(skipped, e.sub(blockRows, tile::rows)));
      e.call(blocks == 2 ? pair : single,
             {e.at(x, e.add(before, e.mul(skipped, width))), tiles, tileBytes, chunks,
              e.at(sums, e.mul(row, sumsStride)), sumsStride, blockRows, second});
    };
    Value pairs = e.mul(e.div(rows, 2 * tile::rows), 2 * tile::rows), rest = e.sub(rows, pairs);
    e.loop(e.c(0), pairs, 2 * tile::rows, [&](Value row) { call(2, row, e.c(tile::rows)); });
    Value isOverOne = e.less(e.c(tile::rows), rest);
    e.when(
        isOverOne, [&] { call(2, pairs, e.sub(rest, tile::rows)); },
        [&] { e.when(e.less(e.c(0), rest), [&] { call(1, pairs, rest); }); });
  });
}

} // namespace llmc::cpu
