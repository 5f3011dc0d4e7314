//===- DefaultLowering.h - tensors of a default kernel to LLVM --*- C++ -*-===//
//
// Shared by the files of DefaultKernels.h and by their targets.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_DEFAULTLOWERING_H
#define LLMC_CODEGEN_DEFAULTLOWERING_H

#include "codegen/DefaultKernels.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace llmc::codegen {

/// Marks the memref that stands for a packed weight: the name of its scheme.
constexpr llvm::StringLiteral packedWeight = "llmc.scheme";
/// Marks a memref with one row for each key.
constexpr llvm::StringLiteral rowsAreKeys = "llmc.keys";

/// A memref of `type` at `address`; `sizes` has a value for each dimension of unknown extent (i64), and the
/// layout is that of the type, dense where the type has none.
mlir::UnrealizedConversionCastOp memrefAt(emit::Emitter &e, mlir::MemRefType type, mlir::Value address,
                                          mlir::ValueRange sizes = {});

/// Takes a module with one kernel whose body works on tensors read from and written to memrefs, and lowers it
/// as far as the target does by itself (DefaultTarget::buildLowering). Intermediate buffers go to the
/// worker's scratch. A kernel that is `isSpread` says by itself which thread does what.
mlir::FailureOr<DefaultKernel> lowerTensorKernel(mlir::ModuleOp module, const DefaultTarget &target,
                                                 bool isSpread);

/// Memrefs, and maps of their indices => addresses of the LLVM dialect. The passes that follow do the rest.
void buildMemRefLowering(mlir::OpPassManager &manager);

/// lm.asked_rows, lm.kv_append and lm.kv_view, which move rows and compute nothing.
mlir::LogicalResult emitAskedRows(mlir::ModuleOp module, llvm::StringRef name, step::KernelOp kernel,
                                  const DefaultTarget &target);
mlir::LogicalResult emitCacheRows(mlir::ModuleOp module, llvm::StringRef name, step::KernelOp kernel,
                                  const DefaultTarget &target);

} // namespace llmc::codegen
#endif
