//===- Norm.h - what norms multiply by --------------------------*- C++ -*-===//
#ifndef LLMC_CODEGEN_EMIT_NORM_H
#define LLMC_CODEGEN_EMIT_NORM_H

#include "codegen/emit/Emitter.h"

namespace llmc::emit {

/// 1 / sqrt(squares / count + eps) of an f32: what RMSNorm multiplies by (Zhang and Sennrich 2019), and
/// LayerNorm if the squares are of what the mean has been taken from.
mlir::Value emitNormFactor(Emitter &, mlir::Value squares, int64_t count, double eps);

/// f32 scalars or vectors: x times the gain, or times 1 + gain where the model stores it so.
mlir::Value emitGain(Emitter &, mlir::Value x, mlir::Value gain, bool plusOne);

} // namespace llmc::emit
#endif
