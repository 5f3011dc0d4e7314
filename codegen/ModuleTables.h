//===- ModuleTables.h - step.program => the tables of module_abi.h -*- C++ -*-===//
#ifndef LLMC_CODEGEN_MODULETABLES_H
#define LLMC_CODEGEN_MODULETABLES_H

#include "codegen/CompileKernels.h"

#include "llvm/IR/Module.h"

namespace llmc::codegen {

/// Adds the constant `llmc_module` and all tables it points to; kernel entries are declared as external
/// functions.
void addModuleTables(llvm::Module &module, step::ProgramOp program, const CompiledKernels &kernels,
                     llvm::ArrayRef<const cpu::Isa *> variants);

} // namespace llmc::codegen
#endif
