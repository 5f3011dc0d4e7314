//===- Backend.h - LLVM modules => object files -----------------*- C++ -*-===//
#ifndef LLMC_CODEGEN_BACKEND_H
#define LLMC_CODEGEN_BACKEND_H

#include "codegen/Observer.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/CodeGen.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace llvm {
class TargetMachine;
class raw_pwrite_stream;
} // namespace llvm

namespace llmc::codegen {

/// Optimizes the module and emits a relocatable object; where `details` are asked for, fills them in too.
/// Empty on success, else one sentence. May run in several threads, one module and context each.
std::string compileModule(llvm::Module &module, llvm::SmallString<0> &object,
                          CompiledUnit *details = nullptr);

/// As compileModule, of a module that has been optimized before.
std::string emitObject(llvm::Module &module, llvm::SmallString<0> &object);

/// The parts of it that other targets use, too. The target is registered; null with a sentence if it is not.
std::unique_ptr<llvm::TargetMachine> makeTargetMachine(const llvm::Triple &triple, llvm::StringRef cpu,
                                                       std::optional<llvm::Reloc::Model> relocation,
                                                       std::string &error);
void optimizeModule(llvm::Module &module, llvm::TargetMachine &machine);
std::string emitFile(llvm::Module &module, llvm::TargetMachine &machine, llvm::CodeGenFileType type,
                     llvm::raw_pwrite_stream &out);
/// Instructions by name, in the order of the names.
std::vector<std::pair<std::string, int64_t>> countInstructions(const llvm::Module &module);

} // namespace llmc::codegen
#endif
