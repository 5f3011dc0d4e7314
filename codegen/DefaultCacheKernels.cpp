//===- DefaultCacheKernels.cpp - kernels that only move rows --------------===//
//
// lm.asked_rows copies rows by number; lm.kv_append and lm.kv_view write and read the pages of a cache
// (cpu/KVStorage.h).
//
//===----------------------------------------------------------------------===//
#include "codegen/CacheLayout.h"
#include "codegen/DefaultLowering.h"
#include "codegen/emit/KVPool.h"
#include "codegen/emit/KVStore.h"
#include "runtime/include/llmc/module_abi.h"

#include <cstddef>

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;
using emit::Emitter;
using emit::KernelArguments;

/// rows[0..n) of one worker.
static void forEachRow(Emitter &e, const KernelArguments &arguments, uint32_t space,
                       llvm::function_ref<void(Value)> body) {
  auto [first, last] = arguments.share(e, arguments.rows(e, space));
  e.loop(first, last, 1, body);
}

LogicalResult codegen::emitAskedRows(ModuleOp module, StringRef name, step::KernelOp kernel,
                                     const DefaultTarget &target) {
  auto op = cast<lm::AskedRowsOp>(kernel.computed());
  Emitter e(kernel.getLoc(), kernel.getContext());
  int64_t stride = emit::rowStride(lm::widthOf(op.getX()));
  target.emitEntry(e, module, name, [&](const KernelArguments &arguments) {
    Value x = arguments.pointer(e, 0), y = arguments.pointer(e, 1);
    Value asked = e.load(e.ptr(), arguments.step, offsetof(llmc_step, asked));
    forEachRow(e, arguments, LLMC_ROWS_ASKED, [&](Value row) {
      Value from = e.at(x, e.mul(e.widen(e.load(e.i32(), e.at(asked, e.mul(row, 4)))), stride));
      Value to = e.at(y, e.mul(row, stride));
      arguments.forEach(e, stride, emit::lanes * 4,
                        [&](Value byte) { e.store(e.loadFloats(e.at(from, byte)), e.at(to, byte), 0, 4); });
    });
  });
  return success();
}

LogicalResult codegen::emitCacheRows(ModuleOp module, StringRef name, step::KernelOp kernel,
                                     const DefaultTarget &target) {
  FailureOr<emit::KVLayout> found = cacheLayout(kernel);
  if (failed(found))
    return failure();
  const emit::KVLayout &layout = *found;
  bool append = llvm::isa<lm::KVAppendOp>(kernel.computed());
  Operation *op = kernel.computed();
  Value k = append ? op->getOperand(0) : op->getResult(0), v = append ? op->getOperand(1) : op->getResult(1);
  if (lm::widthOf(k) != layout.heads * layout.dimK || lm::widthOf(v) != layout.heads * layout.dimV)
    return op->emitOpError("expected rows as wide as the kernel's 'cache'");

  Emitter e(kernel.getLoc(), kernel.getContext());
  int64_t strideK = emit::rowStride(lm::widthOf(k)), strideV = emit::rowStride(lm::widthOf(v));
  emit::KVStore store(e, layout);
  target.emitEntry(e, module, name, [&](const KernelArguments &arguments) {
    const emit::KVPool pool(e, arguments, append ? 2 : 0);
    int64_t buffers = append ? 0 : 3;
    Value rowsK = arguments.pointer(e, buffers), rowsV = arguments.pointer(e, buffers + 1);
    Value rowsOut = append ? Value() : arguments.pointer(e, buffers + 2);
    Value numbers =
        e.load(e.ptr(), arguments.step, append ? offsetof(llmc_step, tokens) : offsetof(llmc_step, keys));

    forEachRow(e, arguments, append ? LLMC_ROWS_TOKENS : LLMC_ROWS_KEYS, [&](Value row) {
      Value mine = e.at(numbers, e.mul(row, append ? sizeof(llmc_token_row) : 8));
      int64_t sequenceAt = append ? offsetof(llmc_token_row, seq) : 0,
              positionAt = append ? offsetof(llmc_token_row, pos) : 4;
      Value sequence = e.load(e.i32(), mine, sequenceAt), position = e.load(e.i32(), mine, positionAt);
      const emit::KVPool::Place layer =
          pool.layer(e, e.widen(sequence), e.div(e.widen(position), layout.pageTokens));
      Value slot = e.rem(e.widen(position), layout.pageTokens);
      Value rowK = e.at(rowsK, e.mul(row, strideK)), rowV = e.at(rowsV, e.mul(row, strideV));
      arguments.forEach(e, layout.heads, 1, [&](Value head) {
        auto [headK, headV] = emit::KVPool::head(e, layout, layer, head);
        Value ofK = e.at(rowK, e.mul(head, 4 * layout.dimK)), ofV = e.at(rowV, e.mul(head, 4 * layout.dimV));
        if (append) {
          store.storeKey(headK, slot, ofK);
          store.storeValue(headV, slot, ofV);
          return;
        }
        e.loop(e.c(0), e.c(layout.dimK), 1,
               [&](Value d) { e.store(store.key(headK, slot, d), e.at(ofK, e.mul(d, 4))); });
        e.loop(e.c(0), e.c(layout.dimV), 1,
               [&](Value d) { e.store(store.value(headV, slot, d), e.at(ofV, e.mul(d, 4))); });
      });
      if (append)
        return;
      arguments.forEach(e, 1, 1, [&](Value) { // one thread's
        Value out = e.at(rowsOut, e.mul(row, 8));
        e.store(sequence, out);
        e.store(position, out, 4);
        for (auto [first, width, stride] :
             {std::tuple(rowK, lm::widthOf(k), strideK), {rowV, lm::widthOf(v), strideV}})
          for (int64_t column = width; column < stride / 4; ++column)
            e.store(e.real(e.f32(), 0), first, 4 * column);
      });
    });
  });
  return success();
}
