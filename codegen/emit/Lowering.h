//===- Lowering.h - kernels to the LLVM dialect -----------------*- C++ -*-===//
#ifndef LLMC_CODEGEN_EMIT_LOWERING_H
#define LLMC_CODEGEN_EMIT_LOWERING_H

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Pass/PassManager.h"

namespace llmc::emit {

/// Kernels (scf, arith, vector, llvm; also func, cf, ub) => the LLVM dialect. Fails if anything else is left
/// but ops of NVVM, which have a form in LLVM IR, too. Run on a module.
void buildKernelLoweringPipeline(mlir::OpPassManager &);
/// The dialects that emitted kernels use.
void registerKernelDialects(mlir::DialectRegistry &);

} // namespace llmc::emit
#endif
