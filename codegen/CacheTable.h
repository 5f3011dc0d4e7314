//===- CacheTable.h - the caches of a program -------------------*- C++ -*-===//
//
// Which lm.caches a program uses, and where each layer's keys and values lie in a page. A cache with several
// storage types is several step.caches, numbered one after the other.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_CACHETABLE_H
#define LLMC_CODEGEN_CACHETABLE_H

#include "codegen/DispatchList.h"
#include "ir/LMOps.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

#include <map>

namespace llmc::codegen {

class CacheTable {
public:
  struct Plan {
    lm::CacheOp cache;
    int64_t layers = 0; // that have a place in the page

    /// Names of its step.caches: its own for the first storage type.
    std::string nameOf(unsigned type);
    mlir::FlatSymbolRefAttr symbolOf(unsigned type);
  };

  explicit CacheTable(lm::ModelOp model);
  /// Of the cache that the op uses; null if it uses none.
  llvm::FailureOr<Plan *> planOf(mlir::Operation *op);
  /// Arguments of a call of the op: the cache's number and where this layer's K and V lie in a page.
  void addArgs(mlir::Operation *op, Plan &plan, unsigned type, std::optional<int64_t> layer,
               DispatchList::Call &call);
  /// The step.caches of all that were used, once every layer has its place.
  void create(mlir::OpBuilder &builder);

private:
  llvm::MapVector<mlir::StringAttr, Plan> plans;
  llvm::SetVector<mlir::StringAttr> used;                   // in the order of their numbers
  std::map<std::pair<std::string, int64_t>, int64_t> slots; // (cache, layer) => place in the page
};

} // namespace llmc::codegen
#endif
