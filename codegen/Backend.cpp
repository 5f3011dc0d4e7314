//===- Backend.cpp - LLVM modules => object files -------------------------===//
//
// In process, by the X86 backend of LLVM: no compiler, libc or other tool is needed where models are
// compiled.
//
//===----------------------------------------------------------------------===//
#include "codegen/Backend.h"

#include "codegen/Stopwatch.h"
#include "codegen/WriteFile.h"

#include "llvm/IR/DebugInfo.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Utils/Cloning.h"

#include <map>
#include <mutex>

using namespace llmc;
using namespace llmc::codegen;

std::unique_ptr<llvm::TargetMachine> codegen::makeTargetMachine(const llvm::Triple &triple,
                                                                llvm::StringRef cpu,
                                                                std::optional<llvm::Reloc::Model> relocation,
                                                                std::string &error) {
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return nullptr;
  llvm::TargetOptions options;
  // Kernels say where they want a fused multiply-add; the backend must not make others, or bits would depend
  // on which variant of a loop ran.
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(
      triple, cpu, "", options, relocation, std::nullopt, llvm::CodeGenOptLevel::Default));
}

static std::unique_ptr<llvm::TargetMachine> makeCpuMachine(std::string &error) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser();
  });
  // The baseline; every kernel function carries its own CPU and features.
  return codegen::makeTargetMachine(llvm::Triple("x86_64-unknown-linux-gnu"), "x86-64-v3", llvm::Reloc::PIC_,
                                    error);
}

void codegen::optimizeModule(llvm::Module &module, llvm::TargetMachine &machine) {
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

std::string codegen::emitFile(llvm::Module &module, llvm::TargetMachine &machine, llvm::CodeGenFileType type,
                              llvm::raw_pwrite_stream &out) {
  llvm::legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, out, nullptr, type))
    return "the backend cannot emit this kind of file";
  passes.run(module);
  return "";
}

std::vector<std::pair<std::string, int64_t>> codegen::countInstructions(const llvm::Module &module) {
  std::map<std::string, int64_t> counts;
  for (const llvm::Function &function : module)
    for (const llvm::BasicBlock &block : function)
      for (const llvm::Instruction &instruction : block)
        ++counts[instruction.getOpcodeName()];
  return {counts.begin(), counts.end()};
}

/// Assembly without what debuggers would unwind frames by: the object has none of it.
static std::string withoutFrameDirectives(llvm::StringRef assembly) {
  std::string kept;
  for (llvm::StringRef line; !assembly.empty();) {
    std::tie(line, assembly) = assembly.split('\n');
    if (!line.starts_with("\t.cfi_"))
      kept += (line + "\n").str();
  }
  return kept;
}

/// The text of the module with its lines, and the assembly and stack frames that a copy of it gets.
static std::string fillDetails(llvm::Module &module, llvm::TargetMachine &machine, CompiledUnit &details) {
  llvm::raw_string_ostream(details.llvmIR) << module;
  llvm::SmallString<128> folder;
  llvm::sys::path::system_temp_directory(/*erasedOnReboot=*/true, folder);
  TemporaryFile frames((folder + "/llmc").str(), ".su");
  if (!frames.error().empty())
    return frames.error();
  machine.Options.StackUsageOutput = frames.path();
  machine.Options.MCOptions.AsmVerbose = true;
  // Emission changes the module.
  llvm::SmallString<0> assembly;
  llvm::raw_svector_ostream stream(assembly);
  std::string error =
      emitFile(*llvm::CloneModule(module), machine, llvm::CodeGenFileType::AssemblyFile, stream);
  machine.Options.StackUsageOutput.clear();
  machine.Options.MCOptions.AsmVerbose = false;
  details.assembly = withoutFrameDirectives(assembly);
  if (auto text = llvm::MemoryBuffer::getFile(frames.path()))
    details.stackUsage = (*text)->getBuffer().str();
  return error;
}

static void setMachine(llvm::Module &module, const llvm::TargetMachine &machine) {
  module.setTargetTriple(machine.getTargetTriple());
  module.setDataLayout(machine.createDataLayout());
}

std::string codegen::emitObject(llvm::Module &module, llvm::SmallString<0> &object) {
  std::string error;
  std::unique_ptr<llvm::TargetMachine> machine = makeCpuMachine(error);
  if (!machine)
    return error;
  setMachine(module, *machine);
  llvm::raw_svector_ostream stream(object);
  return emitFile(module, *machine, llvm::CodeGenFileType::ObjectFile, stream);
}

std::string codegen::compileModule(llvm::Module &module, llvm::SmallString<0> &object,
                                   CompiledUnit *details) {
  std::string error;
  std::unique_ptr<llvm::TargetMachine> machine = makeCpuMachine(error);
  if (!machine)
    return error;
  setMachine(module, *machine);
  Stopwatch watch;
  CompiledUnit::Stage optimizing{"optimize-llvm-ir", 0, {}, {}}, emitting{"emit-object", 0, {}, {}};
  if (details)
    optimizing.opsBefore = countInstructions(module);
  optimizeModule(module, *machine);
  optimizing.milliseconds = watch.lap();
  if (details) {
    emitting.opsBefore = optimizing.opsAfter = countInstructions(module);
    if (error = fillDetails(module, *machine, *details); !error.empty())
      return error;
    llvm::StripDebugInfo(module); // the object is that of a compile nobody looks at
    watch.lap();
  }
  llvm::raw_svector_ostream stream(object);
  error = emitFile(module, *machine, llvm::CodeGenFileType::ObjectFile, stream);
  emitting.milliseconds = watch.lap();
  if (details) {
    details->stages = {std::move(optimizing), std::move(emitting)};
    details->object = object;
  }
  return error;
}
