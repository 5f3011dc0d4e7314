//===- Locations.h - where ops come from ------------------------*- C++ -*-===//
//
// The place of an op is a line of lm text (FileLineColLoc), a tensor or part of a checkpoint
// ("blk.{i}.attn_q", a NameLoc without child), or several of them where a pass made one op of many
// (FusedLoc). What its value is called in text is a NameLoc around the place: NameLoc("q_rotated",
// NameLoc("blk.{i}.attn_q")).
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_IR_LOCATIONS_H
#define LLMC_IR_LOCATIONS_H

#include "mlir/IR/Location.h"

#include <string>

namespace llmc {

/// A place in a checkpoint, or the checkpoint itself.
mlir::Location placeNamed(mlir::MLIRContext *context, llvm::StringRef place);
/// `loc` with its value called `name` instead of what it was called before.
mlir::Location valueNamed(llvm::StringRef name, mlir::Location loc);

/// What the value is called; empty if nothing.
llvm::StringRef valueName(mlir::Location loc);
/// What the results are called, where the location tells it of all `nResults` of them; else empty.
llvm::SmallVector<llvm::StringRef> valueNames(mlir::Location loc, unsigned nResults);
/// `loc` without what the value is called.
mlir::Location placeOf(mlir::Location loc);

/// Of one op made of several: all places, and the last name.
mlir::Location fuseLocations(mlir::MLIRContext *context, llvm::ArrayRef<mlir::Location> locs);
/// Of one op made of several that keeps all their results: all places, and all names ("q.new_k.new_v").
mlir::Location joinLocations(mlir::MLIRContext *context, llvm::ArrayRef<mlir::Location> locs);

/// "model.mlir:12", "blk.{i}.attn_q" or several with " + " between them, for people; empty if unknown.
std::string describeLocation(mlir::Location loc);

} // namespace llmc
#endif
