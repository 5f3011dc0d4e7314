//===- CompileKernels.cpp - step kernels => machine code ------------------===//
//
//   1. For each instruction set, every kernel of the program is emitted into one MLIR module: by its emitter,
//      or from its decomposition; the module is cut into units.
//   2. Units whose text the cache knows are done. The others are lowered to the LLVM dialect and translated.
//   3. LLVM optimizes and compiles them in parallel, each in a context of its own.
//
//===----------------------------------------------------------------------===//
#include "codegen/CompileKernels.h"

#include "codegen/Backend.h"
#include "codegen/DefaultKernels.h"
#include "codegen/KernelSpecs.h"
#include "codegen/KernelUnits.h"
#include "codegen/LowerUnits.h"
#include "codegen/ObjectCache.h"
#include "codegen/Parallel.h"
#include "codegen/PlantBug.h"
#include "codegen/Stopwatch.h"
#include "codegen/emit/Lowering.h"
#include "ir/Locations.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/Transforms/Passes.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Export.h"

#include <mutex>

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;

static std::string symbolOf(StringRef kernel, StringRef isa) { return (kernel + "." + isa).str(); }

std::string codegen::kernelSymbol(StringRef kernel, const KernelFacts &facts, const cpu::Isa &variant) {
  return symbolOf(kernel, llvm::is_contained(facts.compiledFor, &variant) ? variant.name : variant.base);
}

/// The spec of a kernel, with what the options say of it.
static FailureOr<KernelSpec> specOf(step::KernelOp kernel, const CompileKernelsOptions &options) {
  FailureOr<KernelSpec> spec = kernelSpec(kernel);
  if (failed(spec))
    return failure();
  if (auto *linear = std::get_if<emit::LinearSpec>(&*spec)) {
    linear->countLoads = options.countLoads;
  } else if (auto *attention = std::get_if<emit::AttentionSpec>(&*spec)) {
    attention->countLoads = options.countLoads;
    attention->mayRound = options.roundsAttention;
  }
  return spec;
}

/// The instruction set that a variant's kernel is made for.
static const cpu::Isa &isaOf(const KernelSpec &spec, const cpu::Isa &variant,
                             const CompileKernelsOptions &options) {
  auto *linear = std::get_if<emit::LinearSpec>(&spec);
  auto *attention = std::get_if<emit::AttentionSpec>(&spec);
  const bool isOwn = variant.base.empty() ||
                     (linear && !options.defaultKernels && cpu::differsFromBase(*linear, variant)) ||
                     (attention && cpu::differsFromBase(*attention, variant));
  return isOwn ? variant : *cpu::isaByName(variant.base);
}

static FailureOr<KernelFacts> emitKernel(ModuleOp module, step::KernelOp kernel, const KernelSpec &spec,
                                         const cpu::Isa &isa, const CompileKernelsOptions &options) {
  module->setLoc(kernel.getLoc()); // emitters give it to all that they make
  std::string name = symbolOf(kernel.getSymName(), isa.name);
  auto facts = [&](FailureOr<cpu::KernelResult> result) -> FailureOr<KernelFacts> {
    if (failed(result))
      return failure();
    return KernelFacts{.hasPrepare = result->hasPrepare,
                       .prepareMinRows = result->prepareMinRows,
                       .runUnits = result->runUnits,
                       .scratchConstant = result->scratchConstant,
                       .scratchPerRow = result->scratchPerRow,
                       .scratchPerKey = result->scratchPerKey};
  };
  if (auto *linear = std::get_if<emit::LinearSpec>(&spec)) {
    if (!options.defaultKernels)
      return facts(cpu::emitLinear(module, name, *linear, isa));
  } else if (auto *norm = std::get_if<emit::NormSpec>(&spec); norm && !options.defaultKernels) {
    return facts(cpu::emitNorm(module, name, *norm, isa));
  } else if (auto *attention = std::get_if<emit::AttentionSpec>(&spec)) {
    return facts(cpu::emitAttention(module, name, *attention, isa));
  } else if (auto *embed = std::get_if<emit::EmbedSpec>(&spec); embed && !options.defaultKernels) {
    return facts(cpu::emitEmbed(module, name, *embed, isa));
  }
  FailureOr<DefaultKernel> result = emitDefaultKernel(module, name, kernel, CpuDefaults(isa));
  if (failed(result))
    return failure();
  return KernelFacts{.usesKeys = result->usesKeys,
                     .scratchConstant = result->scratchConstant,
                     .scratchPerRow = result->scratchPerRow,
                     .scratchPerKey = result->scratchPerKey,
                     .scratchPerRowKey = result->scratchPerRowKey};
}

namespace {

/// A unit on its way to its object.
struct Job {
  KernelUnit unit;
  std::string key;
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> translated;
  llvm::SmallString<0> object;
  std::string error;
};
using Jobs = std::vector<std::unique_ptr<Job>>;

} // namespace

/// Functions that kernels share are from none of them, whichever asked first.
static void placeShared(ModuleOp module) {
  const Location place = placeNamed(module.getContext(), "shared by kernels");
  for (auto function : module.getOps<LLVM::LLVMFuncOp>())
    if (function.getName().starts_with(sharedPrefix))
      function->walk([&](Operation *op) { op->setLoc(place); });
}

/// Emits, for one instruction set, the kernels that some variant wants of it and appends their units.
static LogicalResult emitKernels(step::ProgramOp program, const cpu::Isa &isa,
                                 const CompileKernelsOptions &options, CompiledKernels &compiled,
                                 Jobs &jobs) {
  Stopwatch watch;
  OwningOpRef<ModuleOp> module = ModuleOp::create(program.getLoc());
  std::vector<std::string> entries;
  const cpu::Isa tuned = cpu::tunedFor(isa, *options.family);
  for (step::KernelOp kernel : program.getBody().getOps<step::KernelOp>()) {
    FailureOr<KernelSpec> spec = specOf(kernel, options);
    if (failed(spec))
      return failure();
    compiled.facts[kernel.getSymNameAttr()]; // in the program's order, whichever instruction set has it
    if (llvm::none_of(options.variants,
                      [&](const cpu::Isa *variant) { return &isaOf(*spec, *variant, options) == &isa; }))
      continue;
    FailureOr<KernelFacts> facts = emitKernel(*module, kernel, *spec, tuned, options);
    if (failed(facts))
      return failure();
    facts->compiledFor = {&isa};
    compiled.facts[kernel.getSymNameAttr()].include(*facts);
    entries.push_back(symbolOf(kernel.getSymName(), isa.name));
  }
  if (entries.empty())
    return success();
  (*module)->setLoc(program.getLoc());
  placeShared(*module);
  for (PipelineObserver *observer : options.observers)
    if (observer->wantsKernels())
      observer->kernelsEmitted(cpuTarget, isa.name, *module, watch.milliseconds());
  if (failed(plantBug(options.plantedBug, options.defaultKernels ? "default-kernels" : "kernels", *module)) ||
      failed(verify(*module)))
    return failure();
  for (KernelUnit &unit : splitIntoUnits(*module, entries)) {
    Job &job = *jobs.emplace_back(std::make_unique<Job>());
    std::string text;
    llvm::raw_string_ostream out(text);
    unit.module->print(out, OpPrintingFlags().useLocalScope());
    job.key = ObjectCache::keyOf(text);
    job.unit = std::move(unit);
  }
  return success();
}

/// Units => the LLVM dialect => LLVM IR.
static LogicalResult translate(step::ProgramOp program, ArrayRef<Job *> jobs,
                               ArrayRef<PipelineObserver *> observers) {
  OwningOpRef<ModuleOp> all = ModuleOp::create(program.getLoc());
  for (Job *job : jobs)
    all->push_back(job->unit.module.release());
  const auto names = llvm::map_to_vector(jobs, [](Job *job) { return job->unit.name; });
  if (failed(lowerUnits(*all, cpuTarget, names, emit::buildKernelLoweringPipeline, observers)))
    return failure();
  if (!observers.empty()) { // lines for those who look on, which the object does not keep (Backend.cpp)
    PassManager lines(program->getContext());
    lines.nest<ModuleOp>().addPass(
        LLVM::createDIScopeForLLVMFuncOpPass({.emissionKind = LLVM::DIEmissionKind::DebugDirectivesOnly}));
    if (failed(lines.run(*all)))
      return failure();
  }
  for (auto [job, unit] : llvm::zip_equal(jobs, all->getOps<ModuleOp>())) {
    job->translated = translateModuleToLLVMIR(unit, job->context, job->unit.name);
    if (!job->translated)
      return program.emitError() << "cannot translate '" << job->unit.name << "' to LLVM IR";
    // Units meet inside model.so; nothing of them is exported.
    for (llvm::Function &function : *job->translated)
      if (!function.isIntrinsic() && !function.hasLocalLinkage())
        function.setVisibility(llvm::GlobalValue::HiddenVisibility);
  }
  return success();
}

FailureOr<CompiledKernels> codegen::compileKernels(step::ProgramOp program,
                                                   const CompileKernelsOptions &options,
                                                   const std::function<void(uint64_t, uint64_t)> &progress) {
  CompiledKernels compiled;
  Jobs jobs;
  for (const cpu::Isa &isa : cpu::allIsas())
    if (failed(emitKernels(program, isa, options, compiled, jobs)))
      return failure();

  // What somebody wants to see being made is made anew.
  SmallVector<PipelineObserver *> observers;
  llvm::copy_if(options.observers, std::back_inserter(observers),
                [](PipelineObserver *observer) { return observer->wantsKernels(); });
  ObjectCache cache(observers.empty() ? options.cacheDir : "");
  std::vector<Job *> missing;
  for (auto &job : jobs)
    if (!cache.find(job->key, job->object))
      missing.push_back(job.get());
  if (failed(translate(program, missing, observers)))
    return failure();
  std::mutex mutex;
  uint64_t done = jobs.size() - missing.size();
  progress(done, jobs.size());
  forEachInParallel<Job>(missing, [&](Job &job) {
    CompiledUnit details;
    details.target = cpuTarget;
    details.name = job.unit.name;
    job.error = compileModule(*job.translated, job.object, observers.empty() ? nullptr : &details);
    if (job.error.empty())
      cache.store(job.key, job.object);
    std::lock_guard lock(mutex);
    for (PipelineObserver *observer : observers)
      if (job.error.empty())
        observer->unitCompiled(details);
    progress(++done, jobs.size());
  });
  for (auto &job : jobs) {
    if (!job->error.empty())
      return program.emitError() << job->unit.name << ": " << job->error;
    compiled.objects.push_back(std::move(job->object));
  }
  return compiled;
}
