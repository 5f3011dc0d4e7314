//===- Entry.h - functions of an instruction set ----------------*- C++ -*-===//
#ifndef LLMC_CODEGEN_CPU_ENTRY_H
#define LLMC_CODEGEN_CPU_ENTRY_H

#include "codegen/cpu/isa/Isa.h"
#include "codegen/emit/KernelArguments.h"

namespace llmc::cpu {

using namespace emit; // what kernels of all targets are made of

/// A function of this instruction set. Private ones are shared by name: if it is there already, `body` is not
/// run.
mlir::LLVM::LLVMFuncOp emitFunction(Emitter &e, mlir::ModuleOp module, llvm::StringRef name, const Isa &isa,
                                    llvm::ArrayRef<mlir::Type> arguments, bool isPrivate,
                                    llvm::function_ref<void(mlir::ValueRange)> body);

/// Emits `name` with the signature of llmc_kernel_fn.
mlir::LLVM::LLVMFuncOp emitEntry(Emitter &e, mlir::ModuleOp module, llvm::StringRef name, const Isa &isa,
                                 llvm::function_ref<void(const KernelArguments &)> body);

} // namespace llmc::cpu
#endif
