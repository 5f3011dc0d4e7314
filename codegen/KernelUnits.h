//===- KernelUnits.h - the pieces that kernels compile in -------*- C++ -*-===//
//
// A unit is what is compiled, and kept in the cache, as one object: a kernel with its phases and private
// functions, or one function that kernels share ("llmc.products..."). Units meet by symbol when model.so is
// linked; nothing of them is exported from it.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_KERNELUNITS_H
#define LLMC_CODEGEN_KERNELUNITS_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <string>
#include <vector>

namespace llmc::codegen {

struct KernelUnit {
  std::string name; // of its kernel or shared function
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

/// Functions whose names begin so belong to no kernel.
constexpr llvm::StringLiteral sharedPrefix = "llmc.";

/// Cuts a module of emitted kernels into units, in the order of their first functions. `kernels` are the
/// symbols of the entries; their prepare phases stand beside them.
std::vector<KernelUnit> splitIntoUnits(mlir::ModuleOp module, llvm::ArrayRef<std::string> kernels);

} // namespace llmc::codegen
#endif
