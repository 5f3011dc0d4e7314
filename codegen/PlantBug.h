//===- PlantBug.h - mistakes for tests to find ------------------*- C++ -*-===//
//
// TEST ONLY. Checks of numbers are tried on compiles with a known mistake in them: each is put into the
// result of one pass, into emitted kernels or into packed weights, just as if that had done it. Nothing of
// this runs unless the hidden option --plant-bug names a mistake.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_PLANTBUG_H
#define LLMC_CODEGEN_PLANTBUG_H

#include "codegen/WeightRows.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringRef.h"

#include <string>
#include <vector>

namespace llmc::codegen {

std::vector<std::string> plantableBugs();
/// It is a pass over the module that makes the mistake, not the code or the weights of model.so.
bool isOfPass(llvm::StringRef bug);

/// Puts the mistake where it belongs, if that is behind `stage`: the name of a pass, "kernels" or
/// "default-kernels". A failure, with a diagnostic, where the module has no place for it.
mlir::LogicalResult plantBug(llvm::StringRef bug, llvm::StringRef stage, mlir::ModuleOp module);

/// What it does to rows that are quantized; null for most.
RowAlteration plantedInRows(llvm::StringRef bug);

} // namespace llmc::codegen
#endif
