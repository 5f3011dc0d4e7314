//===- AttentionFunctions.cpp - what attention does with a page -----------===//
#include "codegen/cpu/kernels/AttentionFunctions.h"

using namespace mlir;

namespace llmc::cpu {

AttentionFunctions::AttentionFunctions(Emitter &e, ModuleOp module, StringRef name, const AttentionSpec &spec,
                                       const Isa &isa, const AttentionScratch &places, int64_t tile)
    : e(e), module(module), name(name), spec(spec), isa(isa), places(places), tile(tile) {}

/// For a reader that sees each page once: fetches the one `ahead` of it meanwhile. Pages are too short, and
/// lie too far from each other, for the CPU to do that by itself.
KVStore AttentionFunctions::streaming(Value ahead) {
  KVStore pages(e, layout);
  if (isa.tuning.pagePrefetchLevel)
    pages.prefetchAhead(ahead, isa.tuning.pagePrefetchLevel);
  return pages;
}

/// Of pages as they are stored.
std::unique_ptr<PageProducts> AttentionFunctions::products(Value ahead) {
  if (hasPairs)
    return std::make_unique<PairProducts>(e, layout, streaming(ahead));
  return std::make_unique<FloatProducts>(e, layout, streaming(ahead));
}

LLVM::LLVMFuncOp AttentionFunctions::addPart() {
  SmallVector<Type> types = {e.ptr(), e.i64(), e.ptr(), e.ptr(), e.i64(), e.i64(), e.i64()};
  return emitFunction(e, module, name + ".add_part", isa, types, true, [&](ValueRange a) {
    auto page = products(a[6]);
    pageSums.add(*page, a[0], a[1], group, a[2], a[3], a[4], a[5]);
  });
}

/// A page as floats, in the scratch if it is not stored so.
std::pair<Value, Value> AttentionFunctions::floatsOf(Value scratch, Value keys, Value values, Value ahead) {
  if (spec.cacheType->name == "f32")
    return {keys, values};
  KVStore pages = streaming(ahead);
  Value keysOut = e.at(scratch, places.keysAt), valuesOut = e.at(scratch, places.valuesAt);
  pages.forEachDimension(keys, spec.pageTokens / lanes, 1, {}, [&](Value d, ArrayRef<Value> k, ValueRange) {
    for (auto [v, vector] : llvm::enumerate(k))
      e.store(vector, e.at(keysOut, e.mul(d, spec.pageTokens * 4)), 64 * v);
    return Values();
  });
  e.loop(e.c(0), e.c(spec.pageTokens), 1, [&](Value slot) {
    for (int64_t column = 0; column < dimVPadded; column += lanes)
      e.store(pages.values(values, slot, e.c(0), column), e.at(valuesOut, e.mul(slot, dimVPadded * 4)),
              4 * column);
  });
  return {keysOut, valuesOut};
}

LLVM::LLVMFuncOp AttentionFunctions::addWhole() {
  SmallVector<Type> types = {e.ptr(), e.ptr(), e.ptr(), e.i64()};
  return emitFunction(e, module, name + ".add_whole", isa, types, true, [&](ValueRange a) {
    if (hasPairs) {
      Value keys = e.at(a[0], places.keysAt), values = e.at(a[0], places.valuesAt);
      PairProducts(e, layout, streaming(a[3])).pack(a[1], a[2], keys, values);
      PairProducts packed(e, layout, std::nullopt);
      pageSums.add(packed, a[0], e.c(0), group * tile, keys, values, Value(), Value());
      return;
    }
    KVLayout ofFloats = layout;
    ofFloats.type = &kvType("f32");
    FloatProducts floats(e, ofFloats, KVStore(e, ofFloats));
    auto [keys, values] = floatsOf(a[0], a[1], a[2], a[3]);
    pageSums.add(floats, a[0], e.c(0), group * tile, keys, values, Value(), Value());
  });
}

LLVM::LLVMFuncOp AttentionFunctions::packPage() {
  SmallVector<Type> types = {e.ptr(), e.ptr(), e.ptr(), e.i64(), e.i64(), e.i64()};
  return emitFunction(e, module, name + ".pack_page", isa, types, true, [&](ValueRange a) {
    auto [keys, values] = floatsOf(a[0], a[1], a[2], a[5]);
    tiles.packPage(a[0], keys, values, a[3], a[4]);
  });
}

LLVM::LLVMFuncOp AttentionFunctions::addBlock() {
  return emitFunction(e, module, name + ".add_block", isa, {e.ptr(), e.i64(), e.i64()}, true,
                      [&](ValueRange a) { tiles.addBlock(a[0], a[1], a[2]); });
}

LLVM::LLVMFuncOp AttentionFunctions::packQueries() {
  return emitFunction(e, module, name + ".pack_queries", isa, {e.ptr()}, true,
                      [&](ValueRange a) { tiles.packQueries(a[0]); });
}

LLVM::LLVMFuncOp AttentionFunctions::record() {
  SmallVector<Type> types = {e.ptr(), e.ptr(), e.ptr(), e.ptr(), e.i64()};
  return emitFunction(e, module, name + ".record", isa, types, true, [&](ValueRange a) {
    auto page = products(a[4]);
    pageSums.record(*page, a[0], e.c(0), group, a[1], a[2], a[3]);
  });
}

} // namespace llmc::cpu
