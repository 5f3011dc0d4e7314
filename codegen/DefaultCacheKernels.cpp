//===- DefaultCacheKernels.cpp - kernels that only move rows --------------===//
//
// lm.asked_rows copies rows by number; lm.kv_append and lm.kv_view write and read the pages of a cache, K as
// [heads][dim_k][page_tokens] and V as [heads][page_tokens][dim_v rounded up to 16].
//
//===----------------------------------------------------------------------===//
#include "codegen/DefaultLowering.h"
#include "codegen/cpu/Kernels.h"
#include "runtime/include/llmc/module_abi.h"

#include <cstddef>

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;
using cpu::Emitter;
using cpu::KernelArguments;

/// rows[0..n) of one worker.
static void forEachRow(Emitter &e, const KernelArguments &arguments, uint32_t space,
                       llvm::function_ref<void(Value)> body) {
  auto [first, last] = arguments.share(e, arguments.rows(e, space));
  e.loop(first, last, 1, body);
}

LogicalResult codegen::emitAskedRows(ModuleOp module, StringRef name, step::KernelOp kernel,
                                     const cpu::Isa &variant) {
  auto op = cast<lm::AskedRowsOp>(kernel.computed());
  Emitter e(kernel.getLoc(), kernel.getContext());
  int64_t stride = cpu::rowStride(lm::widthOf(op.getX()));
  cpu::emitEntry(e, module, name, variant, [&](const KernelArguments &arguments) {
    Value x = arguments.pointer(e, 0), y = arguments.pointer(e, 1);
    Value asked = e.load(e.ptr(), arguments.step, offsetof(llmc_step, asked));
    forEachRow(e, arguments, LLMC_ROWS_ASKED, [&](Value row) {
      Value from = e.at(x, e.mul(e.widen(e.load(e.i32(), e.at(asked, e.mul(row, 4)))), stride));
      Value to = e.at(y, e.mul(row, stride));
      e.loop(e.c(0), e.c(stride), cpu::lanes * 4,
             [&](Value byte) { e.store(e.loadFloats(e.at(from, byte)), e.at(to, byte), 0, 4); });
    });
  });
  return success();
}

static FailureOr<cpu::AttentionSpec> cacheLayout(step::KernelOp kernel) {
  DictionaryAttr cache = kernel.getCache().value_or(nullptr);
  bool complete = bool(cache);
  auto number = [&](StringRef key) -> int64_t {
    auto value = cache ? cache.getAs<IntegerAttr>(key) : nullptr;
    complete &= value && value.getInt() > 0;
    return value ? value.getInt() : 1;
  };
  cpu::AttentionSpec spec;
  spec.kvHeads = number("heads");
  spec.dimK = number("dim_k");
  spec.dimV = number("dim_v");
  spec.pageTokens = number("page_tokens");
  auto type = cache ? cache.getAs<StringAttr>("type") : nullptr;
  if (!complete || !type)
    return kernel.emitOpError("expected 'cache' to give heads, dim_k, dim_v, page_tokens and type");
  spec.cacheF16 = type.getValue() == "f16";
  return spec;
}

LogicalResult codegen::emitCacheRows(ModuleOp module, StringRef name, step::KernelOp kernel,
                                     const cpu::Isa &variant) {
  FailureOr<cpu::AttentionSpec> layout = cacheLayout(kernel);
  if (failed(layout))
    return failure();
  const cpu::AttentionSpec &spec = *layout;
  bool append = llvm::isa<lm::KVAppendOp>(kernel.computed());
  Operation *op = kernel.computed();
  Value k = append ? op->getOperand(0) : op->getResult(0), v = append ? op->getOperand(1) : op->getResult(1);
  if (lm::widthOf(k) != spec.kvHeads * spec.dimK || lm::widthOf(v) != spec.kvHeads * spec.dimV)
    return op->emitOpError("expected rows as wide as the kernel's 'cache'");

  Emitter e(kernel.getLoc(), kernel.getContext());
  int64_t strideK = cpu::rowStride(lm::widthOf(k)), strideV = cpu::rowStride(lm::widthOf(v));
  int64_t bytes = spec.cacheF16 ? 2 : 4, firstImmediate = append ? 2 : 0;
  cpu::emitEntry(e, module, name, variant, [&](const KernelArguments &arguments) {
    Value pool = e.at(e.load(e.ptr(), arguments.step, offsetof(llmc_step, kv)),
                      e.mul(arguments.immediate(e, firstImmediate), sizeof(llmc_kv_pool)));
    Value offsetK = arguments.immediate(e, firstImmediate + 1),
          offsetV = arguments.immediate(e, firstImmediate + 2);
    Value pages = e.load(e.ptr(), pool, offsetof(llmc_kv_pool, pages));
    Value table = e.load(e.ptr(), pool, offsetof(llmc_kv_pool, table));
    Value pageBytes = e.load(e.i64(), pool, offsetof(llmc_kv_pool, page_bytes));
    Value tableStride = e.load(e.i64(), pool, offsetof(llmc_kv_pool, table_stride));
    int64_t buffers = append ? 0 : 3;
    Value rowsK = arguments.pointer(e, buffers), rowsV = arguments.pointer(e, buffers + 1);
    Value rowsOut = append ? Value() : arguments.pointer(e, buffers + 2);
    Value numbers =
        e.load(e.ptr(), arguments.step, append ? offsetof(llmc_step, tokens) : offsetof(llmc_step, keys));

    // One number between a row and its place in the cache.
    auto move = [&](Value row, Value cached) {
      if (append) {
        Value x = e.load(e.f32(), row);
        e.store(spec.cacheF16 ? arith::TruncFOp::create(e, e.f16(), x).getResult() : x, cached);
      } else {
        Value x = e.load(spec.cacheF16 ? e.f16() : e.f32(), cached);
        e.store(spec.cacheF16 ? arith::ExtFOp::create(e, e.f32(), x).getResult() : x, row);
      }
    };
    forEachRow(e, arguments, append ? LLMC_ROWS_TOKENS : LLMC_ROWS_KEYS, [&](Value row) {
      Value mine = e.at(numbers, e.mul(row, append ? sizeof(llmc_token_row) : 8));
      int64_t sequenceAt = append ? offsetof(llmc_token_row, seq) : 0,
              positionAt = append ? offsetof(llmc_token_row, pos) : 4;
      Value sequence = e.load(e.i32(), mine, sequenceAt), position = e.load(e.i32(), mine, positionAt);
      Value inTable = e.add(e.mul(e.widen(sequence), tableStride), e.div(e.widen(position), spec.pageTokens));
      Value page = e.widen(e.load(e.i32(), e.at(table, e.mul(inTable, 4))));
      Value base = e.at(pages, e.mul(page, pageBytes)), slot = e.rem(e.widen(position), spec.pageTokens);
      Value pageK = e.at(base, offsetK), pageV = e.at(base, offsetV);
      Value rowK = e.at(rowsK, e.mul(row, strideK)), rowV = e.at(rowsV, e.mul(row, strideV));
      e.loop(e.c(0), e.c(spec.kvHeads), 1, [&](Value head) {
        e.loop(e.c(0), e.c(spec.dimK), 1, [&](Value d) {
          Value column = e.add(e.mul(head, spec.dimK), d);
          Value place = e.add(e.mul(column, spec.pageTokens), slot);
          move(e.at(rowK, e.mul(column, 4)), e.at(pageK, e.mul(place, bytes)));
        });
        e.loop(e.c(0), e.c(spec.dimV), 1, [&](Value d) {
          Value column = e.add(e.mul(head, spec.dimV), d);
          Value place = e.add(e.mul(e.add(e.mul(head, spec.pageTokens), slot), spec.dimVPadded()), d);
          move(e.at(rowV, e.mul(column, 4)), e.at(pageV, e.mul(place, bytes)));
        });
      });
      if (append)
        return;
      Value out = e.at(rowsOut, e.mul(row, 8));
      e.store(sequence, out);
      e.store(position, out, 4);
      for (auto [first, width, stride] :
           {std::tuple(rowK, lm::widthOf(k), strideK), {rowV, lm::widthOf(v), strideV}})
        for (int64_t column = width; column < stride / 4; ++column)
          e.store(e.real(e.f32(), 0), first, 4 * column);
    });
  });
  return success();
}
