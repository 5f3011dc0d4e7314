//===- Rotation.h - rotary position embeddings ------------------*- C++ -*-===//
//
// RoFormer (Su et al. 2021). Every product is rounded on its own, so scalars and vectors of any length, on
// every target, give the same bits.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_EMIT_ROTATION_H
#define LLMC_CODEGEN_EMIT_ROTATION_H

#include "codegen/emit/Emitter.h"

namespace llmc::emit {

struct Turn {
  mlir::Value sine, cosine;
};
/// Of the angle position * frequency, times `factor`; f32 scalars or vectors.
Turn emitTurn(Emitter &, mlir::Value position, mlir::Value frequency, double factor);

/// The pair (x, y) rotated.
std::pair<mlir::Value, mlir::Value> emitRotated(Emitter &, mlir::Value x, mlir::Value y, const Turn &);

} // namespace llmc::emit
#endif
