//===- Rope.h - rotating the heads of a token -------------------*- C++ -*-===//
//
// The pairs of a head's first ropeDims elements are turned by angles that depend on the token's position: the
// angles are made once a token, then each of its heads is turned by them.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_CPU_KERNELS_ROPE_H
#define LLMC_CODEGEN_CPU_KERNELS_ROPE_H

#include "codegen/cpu/Entry.h"
#include "codegen/cpu/Kernels.h"

namespace llmc::cpu {

/// Functions of the attention kernel `name`.
struct Rope {
  Emitter &e;
  mlir::ModuleOp module;
  std::string name;
  const AttentionSpec &spec;
  const Isa &isa;
  int64_t angleBytes; // from the cosines to the sines

  /// Cosines and sines of the position, both times ropeFactor, to `target`.
  void angles(mlir::Value position, mlir::Value frequencies, mlir::Value target);
  /// One head.
  void rotate(mlir::Value source, mlir::Value angles, mlir::Value target);

private:
  int64_t pairs() const { return spec.ropeDims / 2; }
  mlir::LLVM::LLVMFuncOp emitAngles();
  mlir::LLVM::LLVMFuncOp emitRotate();
};

/// Elements [first, last) of f32 rows.
void copyFloats(Emitter &e, mlir::Value source, mlir::Value target, int64_t first, int64_t last);

} // namespace llmc::cpu
#endif
