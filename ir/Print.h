//===- Print.h - IR for people ----------------------------------*- C++ -*-===//
#ifndef LLMC_IR_PRINT_H
#define LLMC_IR_PRINT_H

#include "mlir/IR/Operation.h"

namespace llmc {

/// Prints an op and what is in it, values named after what the model calls them ("%q_rotated"), without locations.
/// A result's name is the inner name of a location NameLoc("blk.{i}.attn_q", NameLoc("q_rotated")); what passes made
/// of several ops carries all their locations and is named as the last.
void printNamed(mlir::Operation *op, llvm::raw_ostream &out);

} // namespace llmc
#endif
