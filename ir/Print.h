//===- Print.h - IR for people ----------------------------------*- C++ -*-===//
#ifndef LLMC_IR_PRINT_H
#define LLMC_IR_PRINT_H

#include "mlir/IR/Operation.h"

namespace llmc {

/// Prints an op and what is in it, values called as their locations say ("%q_rotated"), without locations.
void printNamed(mlir::Operation *op, llvm::raw_ostream &out);

/// The same with locations: parsing the text gives the very op again.
void printLocated(mlir::Operation *op, llvm::raw_ostream &out);

} // namespace llmc
#endif
