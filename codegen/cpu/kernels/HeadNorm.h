//===- HeadNorm.h - norms of the heads of q and k ---------------*- C++ -*-===//
//
// What lm.rms_norm does with a group of columns, a head at a time, by the attention that reads it. The
// squares are added to 16 lanes in ascending order and folded in halves; those of a last part of a vector
// follow in order.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_CPU_KERNELS_HEADNORM_H
#define LLMC_CODEGEN_CPU_KERNELS_HEADNORM_H

#include "codegen/cpu/Entry.h"
#include "codegen/cpu/Kernels.h"

namespace llmc::cpu {

/// Functions of the attention kernel `name`.
struct HeadNorm {
  Emitter &e;
  mlir::ModuleOp module;
  std::string name;
  const AttentionSpec &spec;
  const Isa &isa;

  /// One head to `target`, which may be where it stands. `gain`: null if there is none.
  void apply(mlir::Value source, mlir::Value gain, mlir::Value target);

private:
  mlir::Value sumOfSquares(mlir::Value head);
  mlir::LLVM::LLVMFuncOp emit(bool hasGain);
};

} // namespace llmc::cpu
#endif
