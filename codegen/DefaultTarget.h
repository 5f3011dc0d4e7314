//===- DefaultTarget.h - what default kernels run on ------------*- C++ -*-===//
//
// Decompositions are the same everywhere. What a machine decides is how a kernel is entered, who computes
// which rows, and how the work within a row is spread: by one CPU worker, or by the threads of a GPU's block.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_DEFAULTTARGET_H
#define LLMC_CODEGEN_DEFAULTTARGET_H

#include "codegen/cpu/isa/Isa.h"
#include "codegen/emit/KernelArguments.h"

#include "mlir/Pass/PassManager.h"

namespace llmc::codegen {

class DefaultTarget {
public:
  virtual ~DefaultTarget() = default;

  /// Emits the entry `name` into `module`.
  virtual void emitEntry(emit::Emitter &e, mlir::ModuleOp module, llvm::StringRef name,
                         llvm::function_ref<void(const emit::KernelArguments &)> body) const = 0;
  /// What an entry is given, once more at the emitter's place.
  virtual emit::KernelArguments arguments(emit::Emitter &e, mlir::ValueRange functionArguments) const = 0;
  /// Linalg ops on memrefs => loops. `module` is a kernel that every thread of a share runs as a whole: here
  /// the work of its ops is spread over them, and what must not be done twice is left to one.
  virtual mlir::LogicalResult lowerToLoops(mlir::ModuleOp module) const = 0;
  /// Adds the passes that take memrefs and all that is around them to the LLVM dialect; none, if the target
  /// has them run over all its kernels.
  virtual void buildLowering(mlir::OpPassManager &) const {}
};

/// A worker of the CPU: a share is one thread's.
class CpuDefaults : public DefaultTarget {
public:
  explicit CpuDefaults(const cpu::Isa &variant) : variant(variant) {}
  void emitEntry(emit::Emitter &e, mlir::ModuleOp module, llvm::StringRef name,
                 llvm::function_ref<void(const emit::KernelArguments &)> body) const override;
  emit::KernelArguments arguments(emit::Emitter &e, mlir::ValueRange functionArguments) const override;
  mlir::LogicalResult lowerToLoops(mlir::ModuleOp module) const override;
  void buildLowering(mlir::OpPassManager &manager) const override;

private:
  const cpu::Isa &variant;
};

} // namespace llmc::codegen
#endif
