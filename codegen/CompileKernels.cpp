//===- CompileKernels.cpp - step kernels => machine code ------------------===//
//
//   1. For each instruction set, every kernel of the program is emitted into one MLIR module: by its emitter,
//      or from its decomposition.
//   2. The module is lowered to the LLVM dialect and translated.
//   3. LLVM optimizes and compiles the variants in parallel, each in a context of its own.
//
//===----------------------------------------------------------------------===//
#include "codegen/CompileKernels.h"

#include "codegen/Backend.h"
#include "codegen/DefaultKernels.h"
#include "codegen/KernelSpecs.h"
#include "codegen/WriteFile.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Export.h"

#include <thread>

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;

std::string codegen::kernelSymbol(StringRef kernel, const cpu::Isa &isa) {
  return (kernel + "." + isa.name).str();
}

static FailureOr<KernelFacts> emitKernel(ModuleOp module, step::KernelOp kernel, const cpu::Isa &isa,
                                         const CompileKernelsOptions &options) {
  std::string name = kernelSymbol(kernel.getSymName(), isa);
  FailureOr<KernelSpec> spec = kernelSpec(kernel);
  if (failed(spec))
    return failure();
  auto facts = [](FailureOr<cpu::KernelResult> result) -> FailureOr<KernelFacts> {
    if (failed(result))
      return failure();
    return KernelFacts{result->hasPrepare, false, result->prepareMinRows, result->scratchConstant,
                       result->scratchPerRow};
  };
  if (auto *linear = std::get_if<cpu::LinearSpec>(&*spec)) {
    linear->countLoads = options.countLoads;
    if (!options.defaultKernels)
      return facts(cpu::emitLinear(module, name, *linear, isa));
  } else if (auto *attention = std::get_if<cpu::AttentionSpec>(&*spec)) {
    attention->countLoads = options.countLoads;
    return facts(cpu::emitAttention(module, name, *attention, isa));
  } else if (auto *embed = std::get_if<cpu::EmbedSpec>(&*spec); embed && !options.defaultKernels) {
    return facts(cpu::emitEmbed(module, name, *embed, isa));
  }
  FailureOr<DefaultKernel> result = emitDefaultKernel(module, name, kernel, isa);
  if (failed(result))
    return failure();
  return KernelFacts{false,
                     result->usesKeys,
                     0,
                     result->scratchConstant,
                     result->scratchPerRow,
                     result->scratchPerKey,
                     result->scratchPerRowKey};
}

/// All kernels of one variant as an LLVM module.
static FailureOr<std::unique_ptr<llvm::Module>> emitVariant(step::ProgramOp program, const cpu::Isa &isa,
                                                            const CompileKernelsOptions &options,
                                                            llvm::LLVMContext &context,
                                                            CompiledKernels &compiled) {
  OwningOpRef<ModuleOp> module = ModuleOp::create(program.getLoc());
  for (step::KernelOp kernel : program.getBody().getOps<step::KernelOp>()) {
    FailureOr<KernelFacts> facts = emitKernel(*module, kernel, isa, options);
    if (failed(facts))
      return failure();
    compiled.facts[kernel.getSymNameAttr()] = *facts;
  }
  if (!options.dumpDir.empty()) {
    std::string error = writeFile(options.dumpDir + "/kernels/" + isa.name.str() + ".mlir",
                                  [&](llvm::raw_ostream &out) { module->print(out); });
    if (!error.empty())
      return program.emitError() << error;
  }
  if (failed(verify(*module)))
    return failure();
  PassManager passes(program->getContext());
  cpu::buildKernelLoweringPipeline(passes);
  if (failed(passes.run(*module)))
    return failure();
  std::unique_ptr<llvm::Module> translated = translateModuleToLLVMIR(*module, context);
  if (!translated)
    return program.emitError() << "cannot translate the kernels of variant '" << isa.name << "' to LLVM IR";
  // Kernels meet their callers through the table alone: nothing is exported.
  for (llvm::Function &function : *translated)
    if (!function.isDeclaration())
      function.setVisibility(llvm::GlobalValue::HiddenVisibility);
  return translated;
}

FailureOr<CompiledKernels> codegen::compileKernels(step::ProgramOp program,
                                                   const CompileKernelsOptions &options) {
  struct Variant {
    llvm::LLVMContext context;
    std::unique_ptr<llvm::Module> module;
    std::string error;
  };
  CompiledKernels compiled;
  std::vector<std::unique_ptr<Variant>> variants;
  for (const cpu::Isa *isa : options.variants) {
    auto &variant = variants.emplace_back(std::make_unique<Variant>());
    FailureOr<std::unique_ptr<llvm::Module>> module =
        emitVariant(program, *isa, options, variant->context, compiled);
    if (failed(module))
      return failure();
    variant->module = std::move(*module);
  }
  compiled.objects.resize(variants.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < variants.size(); ++i)
    threads.emplace_back([&, i] {
      std::string stem =
          options.dumpDir.empty() ? "" : options.dumpDir + "/kernels/" + options.variants[i]->name.str();
      variants[i]->error = compileModule(*variants[i]->module, stem, compiled.objects[i]);
    });
  for (std::thread &thread : threads)
    thread.join();
  for (auto &variant : variants)
    if (!variant->error.empty())
      return program.emitError() << variant->error;
  return compiled;
}
