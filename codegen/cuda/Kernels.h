//===- Kernels.h - step kernels => launches on a GPU ------------*- C++ -*-===//
//
// The one place that knows which kernels have an emitter of their own here (kernels/). All others run through
// their decompositions (DefaultTarget.h).
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_CUDA_KERNELS_H
#define LLMC_CODEGEN_CUDA_KERNELS_H

#include "codegen/DeviceTarget.h"

namespace llmc::cuda {

/// As DeviceTarget has them.
bool hasKernel(mlir::Operation *op, bool defaultKernels);
mlir::FailureOr<int64_t> packedRowBytes(step::KernelOp kernel, bool defaultKernels);

/// Emits the entries of all launches of the kernel into the module. What comes back has no images yet.
mlir::FailureOr<codegen::DeviceKernel> emitKernel(mlir::ModuleOp module, step::KernelOp kernel,
                                                  bool defaultKernels);

/// What the kernel is called that finds the best of the program's logits; empty: there is none.
std::string samplingKernel(step::ProgramOp program, bool defaultKernels);
mlir::FailureOr<codegen::DeviceKernel> emitSamplingKernel(mlir::ModuleOp module, step::ProgramOp program);

} // namespace llmc::cuda
#endif
