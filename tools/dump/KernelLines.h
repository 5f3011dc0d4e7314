//===- KernelLines.h - emitted kernels and their lines ----------*- C++ -*-===//
#ifndef LLMC_TOOLS_DUMP_KERNELLINES_H
#define LLMC_TOOLS_DUMP_KERNELLINES_H

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace llmc::tools {

/// The text of kernels with the locations that they have, for a file in which `linesBefore` lines stand
/// before it. Then each op gets its line and column there as its location, so that all that is made from it
/// says so.
std::string placeInText(mlir::ModuleOp kernels, llvm::StringRef file, size_t linesBefore);

} // namespace llmc::tools
#endif
