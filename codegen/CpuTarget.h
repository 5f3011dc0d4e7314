//===- CpuTarget.h - what the CPU has kernels of ----------------*- C++ -*-===//
#ifndef LLMC_CODEGEN_CPUTARGET_H
#define LLMC_CODEGEN_CPUTARGET_H

#include "ir/StepOps.h"

namespace llmc::cpu {

/// The op can be a kernel, by an emitter or by its decomposition. If not, it must be split into the ops it is
/// made from.
bool hasKernel(mlir::Operation *op);

/// Bytes a row of the packed-activation buffer of the kernel; 0: it has none.
mlir::FailureOr<int64_t> packedRowBytes(step::KernelOp kernel);

} // namespace llmc::cpu
#endif
