//===- ProgramTables.h - one step.program => one llmc_module ----*- C++ -*-===//
#ifndef LLMC_CODEGEN_PROGRAMTABLES_H
#define LLMC_CODEGEN_PROGRAMTABLES_H

#include "codegen/CompileKernels.h"

#include "llvm/IR/Module.h"

namespace llmc::codegen {

using AllFacts = llvm::MapVector<mlir::StringAttr, KernelFacts>;

/// An llmc_module before its tables are known: so devices may point to it.
llvm::GlobalVariable *declareModule(llvm::Module &module, llvm::GlobalValue::LinkageTypes linkage,
                                    llvm::StringRef name);

/// Adds the program's tables and makes them the declared module's. `variants`: whose entries it has;
/// `devices`: a table of that many, which may be null.
void fillModule(llvm::GlobalVariable *declared, step::ProgramOp program, const AllFacts &facts,
                llvm::ArrayRef<const cpu::Isa *> variants, llvm::Constant *devices, uint32_t numDevices);

} // namespace llmc::codegen
#endif
