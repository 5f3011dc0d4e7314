//===- AttentionTiles.h - pages of keys for many queries in tiles -*- C++ -*-===//
//
// What AttentionPage does for the queries of consecutive tokens, with queries, keys, values and probabilities
// rounded to bf16 and multiplied in tiles, several pages at once; scores, their exponentials and all sums are
// f32. The queries' sums (maximum, l, o) stand where AttentionPage has them, so pages may be added in either
// way. The running maximum is that of all pages so far: Dao, "FlashAttention-2" (2023), algorithm 1.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_CPU_KERNELS_ATTENTIONTILES_H
#define LLMC_CODEGEN_CPU_KERNELS_ATTENTIONTILES_H

#include "codegen/cpu/kernels/AttentionPage.h"

namespace llmc::cpu {

class AttentionTiles {
public:
  using Value = mlir::Value;
  /// For `tokens` tokens, each with the queries of a group. Scratch of its own begins at `scratchAt`.
  AttentionTiles(Emitter &e, mlir::ModuleOp module, const AttentionSpec &spec, const Isa &isa,
                 const AttentionScratch &places, int64_t tokens, int64_t scratchAt);

  int64_t scratchBytes() const { return end - queriesAt; }
  /// Rounds the queries that stand in the scratch.
  void packQueries(Value scratch);
  /// Packs page number `index` of the next block: keys and values as floats, with the layout of an f32 cache.
  /// Values from number `limit` on count as zero.
  void packPage(Value scratch, Value keys, Value values, Value index, Value limit);
  /// Adds `pages` packed pages to all queries. `seen`: how many of their keys the first token sees; the
  /// following ones see one more each.
  void addBlock(Value scratch, Value pages, Value seen);
  static constexpr int64_t blockPages = 4;

private:
  void packTiles(Value rows, int64_t count, int64_t columns, Value limit, Value tiles, int64_t panelBytes);
  void addSoftmax(Value scratch, Value keys, Value seen);
  Value highHalves(Value first, Value second, bool inPairs);

  Emitter &e;
  mlir::ModuleOp module;
  const AttentionSpec &spec;
  const Isa &isa;
  const AttentionScratch &places;
  int64_t group, queries;
  int64_t scoreStride, keyPanel, valuePanel, queriesAt, scoresAt, probabilitiesAt, keysAt, valuesAt,
      end; // bytes
};

} // namespace llmc::cpu
#endif
