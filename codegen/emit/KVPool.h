//===- KVPool.h - where kernels find keys and values ------------*- C++ -*-===//
#ifndef LLMC_CODEGEN_EMIT_KVPOOL_H
#define LLMC_CODEGEN_EMIT_KVPOOL_H

#include "codegen/emit/KVStorage.h"
#include "codegen/emit/KernelArguments.h"

namespace llmc::emit {

/// A pool of pages of the step (llmc_kv_pool), and where one layer stands in each. Numbers are i64.
class KVPool {
public:
  using Value = mlir::Value;
  /// Addresses: of a layer, or of one head of it, in a page.
  struct Place {
    Value keys, values;
  };

  /// Arguments from `first` on: the pool's number, then how far into a page the layer's keys and values are.
  KVPool(Emitter &e, const KernelArguments &arguments, int64_t first);

  /// Page `number` of a sequence, in bytes behind the pool's first page.
  Value offsetOf(Emitter &e, Value sequence, Value number) const;
  Place layer(Emitter &e, Value sequence, Value number) const;
  static Place head(Emitter &e, const KVLayout &layout, const Place &layer, Value kvHead);

private:
  Value pages, table, pageBytes, tableStride, offsetK, offsetV;
};

} // namespace llmc::emit
#endif
