//===- Lowering.h - kernels of a GPU to the LLVM dialect --------*- C++ -*-===//
#ifndef LLMC_CODEGEN_CUDA_LOWERING_H
#define LLMC_CODEGEN_CUDA_LOWERING_H

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Pass/PassManager.h"

namespace llmc::cuda {

/// Kernels in a gpu.module (gpu, NVVM, memref, and what emit::buildKernelLoweringPipeline takes) => functions
/// of the LLVM and NVVM dialects, in the module itself. Run on a module.
void buildGpuLowering(mlir::OpPassManager &);
/// The dialects that kernels of a GPU use beside emit's, and their translation to LLVM IR.
void registerGpuDialects(mlir::DialectRegistry &);

} // namespace llmc::cuda
#endif
