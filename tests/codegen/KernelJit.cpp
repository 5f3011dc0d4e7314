//===- KernelJit.cpp - compile emitted kernels and call them --------------===//
#include "KernelJit.h"
#include "codegen/emit/Lowering.h"
#include "runtime/CpuFeatures.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/Transforms/Utils/Cloning.h"

#include <chrono>
#include <gtest/gtest.h>
#include <utility>

using namespace mlir;

namespace llmc::test {

struct KernelJit::State {
  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  std::unique_ptr<llvm::orc::LLJIT> jit;
  State(const DialectRegistry &registry) : context(registry, MLIRContext::Threading::DISABLED) {
    context.loadAllAvailableDialects();
    module = ModuleOp::create(UnknownLoc::get(&context));
  }
};

KernelJit::KernelJit() {
  DialectRegistry registry;
  emit::registerKernelDialects(registry);
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  state = std::make_unique<State>(registry);
}
KernelJit::~KernelJit() = default;

ModuleOp KernelJit::module() { return *state->module; }

bool KernelJit::compile() {
  if (failed(verify(module())))
    return false;
  PassManager passes(&state->context);
  emit::buildKernelLoweringPipeline(passes);
  if (failed(passes.run(module())))
    return false;
  auto context = std::make_unique<llvm::LLVMContext>();
  auto llvmModule = translateModuleToLLVMIR(module(), *context);
  if (!llvmModule)
    return false;

  auto start = std::chrono::steady_clock::now();
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  llvm::Triple triple(llvm::sys::getProcessTriple());
  llvm::orc::JITTargetMachineBuilder builder(triple);
  builder.getOptions().AllowFPOpFusion = llvm::FPOpFusion::Strict; // as in codegen/Backend.cpp
  auto machine = builder.createTargetMachine();
  if (!machine) {
    llvm::errs() << llvm::toString(machine.takeError()) << "\n";
    return false;
  }
  llvmModule->setTargetTriple(triple);
  llvmModule->setDataLayout((*machine)->createDataLayout());
  {
    llvm::LoopAnalysisManager loops;
    llvm::FunctionAnalysisManager functions;
    llvm::CGSCCAnalysisManager components;
    llvm::ModuleAnalysisManager modules;
    llvm::PassBuilder passBuilder(machine->get());
    passBuilder.registerModuleAnalyses(modules);
    passBuilder.registerCGSCCAnalyses(components);
    passBuilder.registerFunctionAnalyses(functions);
    passBuilder.registerLoopAnalyses(loops);
    passBuilder.crossRegisterProxies(loops, functions, components, modules);
    passBuilder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2).run(*llvmModule, modules);
  }
  if (wantAssembly) {
    llvm::SmallString<0> text;
    llvm::raw_svector_ostream stream(text);
    auto copy = llvm::CloneModule(*llvmModule);
    llvm::legacy::PassManager emit;
    (*machine)->addPassesToEmitFile(emit, stream, nullptr, llvm::CodeGenFileType::AssemblyFile);
    emit.run(*copy);
    assembly = text.str().str();
  }
  auto jit = llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(builder).create();
  if (!jit) {
    llvm::errs() << llvm::toString(jit.takeError()) << "\n";
    return false;
  }
  state->jit = std::move(*jit);
  // No process symbols: a kernel that needs one of libc or libm fails to link here.
  std::string probe;
  for (llvm::Function &function : *llvmModule)
    if (!function.isDeclaration() && !function.hasLocalLinkage())
      probe = function.getName().str();
  if (auto error = state->jit->addIRModule({std::move(llvmModule), std::move(context)})) {
    llvm::errs() << llvm::toString(std::move(error)) << "\n";
    return false;
  }
  bool linked = probe.empty() || kernel(probe);
  llvmSeconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return linked;
}

llmc_kernel_fn KernelJit::kernel(const std::string &name) {
  auto address = state->jit->lookup(name);
  if (!address) {
    llvm::errs() << llvm::toString(address.takeError()) << "\n";
    return nullptr;
  }
  return address->toPtr<llmc_kernel_fn>();
}

std::vector<const cpu::Isa *> runnableIsas() {
  std::vector<const cpu::Isa *> isas;
  auto host = llvm::sys::getHostCPUFeatures();
  const bool avx2 = host.lookup("avx2") && host.lookup("fma") && host.lookup("f16c") && host.lookup("bmi2");
  const bool avxVnni = avx2 && host.lookup("avxvnni");
  const bool avx512 = avx2 && host.lookup("avx512f") && host.lookup("avx512bw") && host.lookup("avx512dq") &&
                      host.lookup("avx512vl") && host.lookup("avx512cd") && host.lookup("avx512vnni");
  const bool avx512BF16 = avx512 && host.lookup("avx512bf16");
  const bool amx =
      avx512 && (cpuFeatures() & LLMC_CPU_AVX512FP16) && (requestAmx(cpuFeatures()) & LLMC_CPU_AMX_BF16);
  for (const cpu::Isa &isa : cpu::allIsas())
    if (isa.name == "avx2"          ? avx2
        : isa.name == "avx2-vnni"   ? avxVnni
        : isa.name == "avx512"      ? avx512
        : isa.name == "avx512-bf16" ? avx512BF16
                                    : amx)
      isas.push_back(&isa);
  return isas;
}

std::vector<const cpu::Isa *> runnableBases() {
  std::vector<const cpu::Isa *> isas = runnableIsas();
  llvm::erase_if(isas, [](const cpu::Isa *isa) { return !isa->base.empty(); });
  return isas;
}

void StepRunner::run(KernelJit &jit, const std::string &name, const cpu::KernelResult &kernel, uint64_t rows,
                     const std::vector<const void *> &args, uint32_t workers) {
  scratch.assign(workers, {});
  scratchPointers.clear();
  for (auto &memory : scratch) {
    memory.assign(kernel.scratchConstant + kernel.scratchPerRow * rows + kernel.scratchPerKey * keys + 128,
                  0xff);
    scratchPointers.push_back(memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64));
  }
  step.scratch = scratchPointers.data();
  if (kernel.hasPrepare && rows >= kernel.prepareMinRows)
    for (llmc_share share = {0, workers, 0, 0}; share.number < workers; share.worker = ++share.number)
      jit.kernel(name + ".prepare")(&step, args.data(), &share);
  // Where the work has units, a worker runs several shares, and some worker may run none.
  const uint32_t shares = kernel.runUnits ? std::min(kernel.runUnits, 2 * workers + 1) : workers;
  std::vector<uint32_t> hasRun(workers, 0);
  for (uint32_t number = 0; number < shares; ++number) {
    const uint32_t worker = kernel.runUnits ? (number / 2) % workers : number;
    llmc_share share = {number, shares, worker, std::exchange(hasRun[worker], 1)};
    jit.kernel(name)(&step, args.data(), &share);
  }
  for (size_t worker = 0; worker < scratch.size(); ++worker)
    for (const uint8_t &byte :
         llvm::ArrayRef(scratch[worker])
             .take_back(scratch[worker].data() + scratch[worker].size() - scratchPointers[worker] -
                        (kernel.scratchConstant + kernel.scratchPerRow * rows + kernel.scratchPerKey * keys)))
      if (byte != 0xff) {
        ADD_FAILURE() << name << " writes beyond its scratch";
        return;
      }
}

} // namespace llmc::test
