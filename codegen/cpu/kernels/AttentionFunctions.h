//===- AttentionFunctions.h - what attention does with a page ---*- C++ -*-===//
//
// Functions that an attention kernel calls for each page: its keys and values to the queries that stand in
// the scratch. Each is emitted once for a kernel, the first time it is asked for. `ahead`: how many bytes
// behind the page the next one stands, which is fetched meanwhile.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_CPU_KERNELS_ATTENTIONFUNCTIONS_H
#define LLMC_CODEGEN_CPU_KERNELS_ATTENTIONFUNCTIONS_H

#include "codegen/cpu/kernels/AttentionTiles.h"

namespace llmc::cpu {

class AttentionFunctions {
public:
  using Value = mlir::Value;
  using Function = mlir::LLVM::LLVMFuncOp;
  /// `tile`: tokens whose queries are in the scratch where there are many.
  AttentionFunctions(Emitter &e, mlir::ModuleOp module, llvm::StringRef name, const AttentionSpec &spec,
                     const Isa &isa, const AttentionScratch &places, int64_t tile);

  /// Of AttentionTiles; behind `places`.
  int64_t tileScratchBytes() const { return tiles.scratchBytes(); }

  /// (scratch, query, keys, values, first, last, ahead): keys [first, last) of a page to one token's queries.
  Function addPart();
  /// (scratch, keys, values, ahead): a page to all queries of a tile.
  Function addWhole();
  /// (scratch, keys, values, record, ahead): a whole page of the token whose queries come first.
  Function record();

  // AttentionTiles:
  /// (scratch)
  Function packQueries();
  /// (scratch, keys, values, index, limit, ahead): a page of the next block in tiles.
  Function packPage();
  /// (scratch, pages, seen)
  Function addBlock();

private:
  KVStore streaming(Value ahead);
  std::unique_ptr<PageProducts> products(Value ahead);
  std::pair<Value, Value> floatsOf(Value scratch, Value keys, Value values, Value ahead);

  Emitter &e;
  mlir::ModuleOp module;
  std::string name;
  const AttentionSpec &spec;
  const Isa &isa;
  const AttentionScratch &places;
  int64_t tile;

  int64_t group = spec.heads / spec.kvHeads;
  KVLayout layout = spec.layout();
  int64_t dimVPadded = layout.dimVPadded();
  bool hasPairs = usesBF16Dots(spec, isa);
  AttentionPage pageSums{e, spec, isa, places};
  AttentionTiles tiles{e, module, spec, isa, places, tile, places.bytes};
};

} // namespace llmc::cpu
#endif
