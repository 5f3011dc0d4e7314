//===- Backend.h - LLVM modules => object files -----------------*- C++ -*-===//
#ifndef LLMC_CODEGEN_BACKEND_H
#define LLMC_CODEGEN_BACKEND_H

#include "codegen/Observer.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/IR/Module.h"

#include <string>

namespace llmc::codegen {

/// Optimizes the module and emits a relocatable object; where `details` are asked for, fills them in too.
/// Empty on success, else one sentence. May run in several threads, one module and context each.
std::string compileModule(llvm::Module &module, llvm::SmallString<0> &object,
                          CompiledUnit *details = nullptr);

} // namespace llmc::codegen
#endif
