//===- KVPool.cpp - where kernels find keys and values --------------------===//
#include "codegen/emit/KVPool.h"

#include "runtime/include/llmc/module_abi.h"

#include <cstddef>

using namespace mlir;

namespace llmc::emit {

KVPool::KVPool(Emitter &e, const KernelArguments &arguments, int64_t first) {
  Value pool = e.at(e.load(e.ptr(), arguments.step, offsetof(llmc_step, kv)),
                    e.mul(arguments.immediate(e, first), sizeof(llmc_kv_pool)));
  pages = e.load(e.ptr(), pool, offsetof(llmc_kv_pool, pages));
  table = e.load(e.ptr(), pool, offsetof(llmc_kv_pool, table));
  pageBytes = e.load(e.i64(), pool, offsetof(llmc_kv_pool, page_bytes));
  tableStride = e.load(e.i64(), pool, offsetof(llmc_kv_pool, table_stride));
  offsetK = arguments.immediate(e, first + 1);
  offsetV = arguments.immediate(e, first + 2);
}

Value KVPool::offsetOf(Emitter &e, Value sequence, Value number) const {
  Value entry = e.add(e.mul(sequence, tableStride), number);
  return e.mul(e.widen(e.load(e.i32(), e.at(table, e.mul(entry, 4)))), pageBytes);
}

KVPool::Place KVPool::layer(Emitter &e, Value sequence, Value number) const {
  Value page = e.at(pages, offsetOf(e, sequence, number));
  return {e.at(page, offsetK), e.at(page, offsetV)};
}

KVPool::Place KVPool::head(Emitter &e, const KVLayout &layout, const Place &layer, Value kvHead) {
  return {e.at(layer.keys, e.mul(kvHead, layout.headBytesK())),
          e.at(layer.values, e.mul(kvHead, layout.headBytesV()))};
}

} // namespace llmc::emit
