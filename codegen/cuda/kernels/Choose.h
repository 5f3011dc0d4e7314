//===- Choose.h - the best of each row of logits on a GPU -------*- C++ -*-===//
//
// No op of a model: a kernel that stands beside the program and that no dispatch names
// (llmc_device_sampling). It finds what a sampler needs, so that the logits themselves can stay on the
// device.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_CUDA_KERNELS_CHOOSE_H
#define LLMC_CODEGEN_CUDA_KERNELS_CHOOSE_H

#include "codegen/DeviceTarget.h"

namespace llmc::cuda {

codegen::DeviceKernel emitChoose(mlir::ModuleOp module, llvm::StringRef name, int64_t vocab);

} // namespace llmc::cuda
#endif
