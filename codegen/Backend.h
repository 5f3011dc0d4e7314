//===- Backend.h - LLVM modules => object files -----------------*- C++ -*-===//
#ifndef LLMC_CODEGEN_BACKEND_H
#define LLMC_CODEGEN_BACKEND_H

#include "llvm/ADT/SmallString.h"
#include "llvm/IR/Module.h"

#include <string>

namespace llmc::codegen {

/// Optimizes the module and emits a relocatable object. Where `dumpStem` is not empty also writes
/// <dumpStem>.ll and <dumpStem>.s. Empty on success, else one sentence. May run in several threads, one
/// module and context each.
std::string compileModule(llvm::Module &module, const std::string &dumpStem, llvm::SmallString<0> &object);

} // namespace llmc::codegen
#endif
