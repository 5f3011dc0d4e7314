//===- Backend.cpp - LLVM modules => object files -------------------------===//
//
// In process, by the X86 backend of LLVM: no compiler, libc or other tool is needed where models are
// compiled.
//
//===----------------------------------------------------------------------===//
#include "codegen/Backend.h"

#include "codegen/WriteFile.h"

#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Utils/Cloning.h"

#include <mutex>

using namespace llmc;

static std::unique_ptr<llvm::TargetMachine> makeTargetMachine(std::string &error) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser();
  });
  llvm::Triple triple("x86_64-unknown-linux-gnu");
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return nullptr;
  llvm::TargetOptions options;
  // Kernels say where they want a fused multiply-add; the backend must not make others, or bits would depend
  // on which variant of a loop ran.
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;
  // The baseline; every kernel function carries its own CPU and features.
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(
      triple, "x86-64-v3", "", options, llvm::Reloc::PIC_, std::nullopt, llvm::CodeGenOptLevel::Default));
}

static void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager graphs;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(graphs);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, graphs, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2).run(module, modules);
}

static std::string emit(llvm::Module &module, llvm::TargetMachine &machine, llvm::CodeGenFileType type,
                        llvm::raw_pwrite_stream &out) {
  llvm::legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, out, nullptr, type))
    return "the X86 backend cannot emit this kind of file";
  passes.run(module);
  return "";
}

std::string codegen::compileModule(llvm::Module &module, const std::string &dumpStem,
                                   llvm::SmallString<0> &object) {
  std::string error;
  std::unique_ptr<llvm::TargetMachine> machine = makeTargetMachine(error);
  if (!machine)
    return error;
  module.setTargetTriple(machine->getTargetTriple());
  module.setDataLayout(machine->createDataLayout());
  optimize(module, *machine);
  if (!dumpStem.empty()) {
    error = writeFile(dumpStem + ".ll", [&](llvm::raw_ostream &out) { module.print(out, nullptr); });
    if (!error.empty())
      return error;
    // Emission changes the module, so the assembly comes from a copy.
    llvm::SmallString<0> assembly;
    llvm::raw_svector_ostream stream(assembly);
    error = emit(*llvm::CloneModule(module), *machine, llvm::CodeGenFileType::AssemblyFile, stream);
    if (error.empty())
      error = writeFile(dumpStem + ".s", [&](llvm::raw_ostream &out) { out << assembly; });
    if (!error.empty())
      return error;
  }
  llvm::raw_svector_ostream stream(object);
  return emit(module, *machine, llvm::CodeGenFileType::ObjectFile, stream);
}
