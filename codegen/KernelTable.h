//===- KernelTable.h - step kernels without duplicates ----------*- C++ -*-===//
#ifndef LLMC_CODEGEN_KERNELTABLE_H
#define LLMC_CODEGEN_KERNELTABLE_H

#include "codegen/LowerToStep.h"
#include "codegen/WeightTable.h"
#include "ir/StepOps.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringMap.h"

namespace llmc::codegen {

/// The op, the schemes of its weights and its row space are the key of a kernel: equal keys share one.
class KernelTable {
public:
  /// Kernels are added at `builder`.
  KernelTable(mlir::OpBuilder builder, const LowerToStepOptions &options)
      : builder(builder), options(options) {}

  /// The kernel of an op in which the numbers of its layer stand. `cache`: what it uses, in the storage type
  /// of that number; null for none.
  llvm::FailureOr<step::KernelOp> kernelFor(mlir::Operation *op, llvm::StringRef space,
                                            llvm::ArrayRef<WeightTable::Entry> weights, lm::CacheOp cache,
                                            unsigned type);
  /// After the last: a kernel stands where all ops stand that share it.
  void setPlaces();

private:
  llvm::StringRef activationsOf(mlir::Operation *op, llvm::ArrayRef<WeightTable::Entry> weights) const;
  llvm::FailureOr<step::KernelOp> make(mlir::Operation *op, llvm::StringRef space,
                                       llvm::ArrayRef<llvm::StringRef> schemes, llvm::StringRef activations,
                                       lm::CacheOp cache, llvm::StringRef storage);

  mlir::OpBuilder builder;
  const LowerToStepOptions &options;
  llvm::StringMap<step::KernelOp> kernels; // by key
  llvm::StringMap<int> names;
  llvm::MapVector<step::KernelOp, llvm::SetVector<mlir::Location>> places;
};

} // namespace llmc::codegen
#endif
