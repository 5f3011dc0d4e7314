//===- Activation.h - activation functions ----------------------*- C++ -*-===//
#ifndef LLMC_CODEGEN_EMIT_ACTIVATION_H
#define LLMC_CODEGEN_EMIT_ACTIVATION_H

#include "codegen/emit/Emitter.h"
#include "codegen/emit/Specs.h"

namespace llmc::emit {

/// The activation of an f32 scalar or vector.
mlir::Value emitActivation(Emitter &, Activation, mlir::Value x);

} // namespace llmc::emit
#endif
