//===- LowerUnits.h - passes over units of code, looked on ------*- C++ -*-===//
#ifndef LLMC_CODEGEN_LOWERUNITS_H
#define LLMC_CODEGEN_LOWERUNITS_H

#include "codegen/Observer.h"

#include "mlir/Pass/PassManager.h"

namespace llmc::codegen {

/// Runs passes over each of the modules that stand in `units`, and tells the observers of each pass over each
/// of them; `names` are theirs, in the same order, and `target` is that of all.
mlir::LogicalResult lowerUnits(mlir::ModuleOp units, llvm::StringRef target,
                               llvm::ArrayRef<std::string> names,
                               llvm::function_ref<void(mlir::OpPassManager &)> addPasses,
                               llvm::ArrayRef<PipelineObserver *> observers);

} // namespace llmc::codegen
#endif
