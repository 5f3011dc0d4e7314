//===- ModuleTables.h - step.program => the tables of module_abi.h -*- C++ -*-===//
#ifndef LLMC_CODEGEN_MODULETABLES_H
#define LLMC_CODEGEN_MODULETABLES_H

#include "codegen/DeviceTables.h"

namespace llmc::codegen {

/// Adds the constant `llmc_module` and all tables it points to; kernel entries are declared as external
/// functions. Without a program for the CPU, `variants` is empty and `program` that of the first device.
void addModuleTables(llvm::Module &module, step::ProgramOp program, const CompiledKernels &kernels,
                     llvm::ArrayRef<const cpu::Isa *> variants, llvm::ArrayRef<DeviceCode> devices);

} // namespace llmc::codegen
#endif
