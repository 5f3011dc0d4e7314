//===- Pipeline.cpp - from a model file to model.so, phase by phase -------===//
//
// The order of everything is here. A pass stands in one line of `lmPasses`, with the phase it belongs to.
//
//===----------------------------------------------------------------------===//
#include "codegen/Pipeline.h"

#include "codegen/DefaultKernels.h"
#include "codegen/LowerToStep.h"
#include "codegen/Manifest.h"
#include "codegen/WriteFile.h"
#include "codegen/cpu/Kernels.h"
#include "frontend/formats/TokenizerBlob.h"
#include "ir/Print.h"
#include "passes/Passes.h"
#include "passes/QuantizeRules.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"

#include <chrono>

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;

ArrayRef<StringRef> codegen::phaseNames() {
  static const StringRef names[] = {"import", "fuse", "quantize", "plan", "step", "llvm", "link"};
  return names;
}

std::optional<Phase> codegen::phaseByName(StringRef name) {
  const auto *found = llvm::find(phaseNames(), name);
  if (found == phaseNames().end())
    return std::nullopt;
  return static_cast<Phase>(found - phaseNames().begin());
}

namespace {
struct LMPass {
  const char *name; // the td flag without "lm-"
  Phase phase;
  bool isOptional;
  std::function<std::unique_ptr<Pass>(const PipelineOptions &options, StringRef cacheType)> create;
};
} // namespace

/// The passes over the lm dialect in their order. A norm goes into its matmuls first, so that matmuls with
/// the same norm still share an input; fuse-qkv comes last of the matmul fusions, since it takes what has no
/// epilogue and is not half of a gated pair.
static const std::vector<LMPass> &lmPasses() {
  static const std::vector<LMPass> passes = {
      {"fuse-rmsnorm-matmul", Phase::Fuse, true, [](auto &&...) { return createFuseRMSNormMatmulPass(); }},
      {"fuse-swiglu", Phase::Fuse, true, [](auto &&...) { return createFuseSwigluPass(); }},
      {"fuse-epilogue", Phase::Fuse, true, [](auto &&...) { return createFuseEpiloguePass(); }},
      {"fuse-qkv", Phase::Fuse, true, [](auto &&...) { return createFuseQKVPass(); }},
      {"fuse-rope-attention", Phase::Fuse, true, [](auto &&...) { return createFuseRopeAttentionPass(); }},
      {"quantize", Phase::Quantize, false,
       [](const PipelineOptions &options, StringRef) {
         QuantizePassOptions quantize;
         quantize.rules.assign(options.quantize.begin(), options.quantize.end());
         return createQuantizePass(quantize);
       }},
      {"plan-kv-cache", Phase::Plan, false,
       [](auto &&, StringRef cacheType) {
         PlanKVCachePassOptions options;
         options.type = cacheType.str();
         return createPlanKVCachePass(options);
       }},
  };
  return passes;
}

std::vector<std::string> codegen::optionalPasses() {
  std::vector<std::string> names;
  for (const LMPass &pass : lmPasses())
    if (pass.isOptional)
      names.push_back(pass.name);
  return names;
}

void codegen::registerPipelineDialects(DialectRegistry &registry) {
  registry.insert<lm::LMDialect, step::StepDialect>();
  cpu::registerKernelDialects(registry);
  registerDefaultKernelDialects(registry);
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
}

namespace {

lm::ModelOp modelOf(ModuleOp module) { return *module.getOps<lm::ModelOp>().begin(); }

/// The first layer of the kind that the weight stands in; nothing outside the stack.
std::optional<int64_t> firstLayerOf(lm::WeightRefOp weight) {
  auto layers = weight->getParentOfType<lm::LayersOp>();
  for (int64_t i = 0; layers && i < static_cast<int64_t>(layers.getCount()); ++i)
    if (layers.getBodies()[layers.kindOf(i)].isAncestor(weight->getParentRegion()))
      return i;
  return std::nullopt;
}

/// One run of the pipeline: numbers the dumps and times the phases.
class PipelineRun {
public:
  PipelineRun(ModuleOp module, const PipelineOptions &options) : module(module), options(options) {}
  LogicalResult run();

private:
  LogicalResult openWeights();
  LogicalResult runPasses(Phase phase);
  LogicalResult runPass(std::unique_ptr<Pass> pass, StringRef name);
  LogicalResult lower();
  LogicalResult emit();
  FailureOr<std::string> makeTokenizer();
  LogicalResult dump(StringRef name);
  bool hasIntegerWeights();
  void chooseTypes();
  bool isDone(Phase phase) const { return options.stopAfter <= phase; }
  void time(const std::string &what);

  ModuleOp module;
  const PipelineOptions &options;
  std::unique_ptr<WeightSource> weights;
  std::vector<std::string> passesRun;
  std::string activations, cacheType;
  unsigned numDumps = 0;
  std::chrono::steady_clock::time_point last = std::chrono::steady_clock::now();
};

LogicalResult PipelineRun::dump(StringRef name) {
  if (options.dumpDir.empty())
    return success();
  std::string path = llvm::formatv("{0}/{1,0+2}-{2}.mlir", options.dumpDir, numDumps++, name);
  std::string error = writeFile(path, [&](llvm::raw_ostream &out) { printNamed(module, out); });
  if (!error.empty())
    return module.emitError() << error;
  return success();
}

void PipelineRun::time(const std::string &what) {
  auto now = std::chrono::steady_clock::now();
  options.timing(llvm::formatv("{0,-24} {1,8:F1} ms", what,
                               std::chrono::duration<double, std::milli>(now - last).count()));
  last = now;
}

LogicalResult PipelineRun::openWeights() {
  std::string error;
  weights = std::make_unique<WeightSource>();
  for (auto [op, path] : llvm::zip(modelOf(module).getOps<lm::WeightsOp>(), options.weightFiles))
    if (!weights->add(path, error))
      return op->emitError() << error;
  // What the model reads is checked when it is lowered, layer by layer; a name that nothing reads is checked
  // here, since a person who wrote it meant something.
  WalkResult walk = modelOf(module).walk([&](lm::WeightRefOp weight) {
    if (!weight.use_empty())
      return WalkResult::advance();
    return failed(weights->schemeOf(weight.getW(), firstLayerOf(weight))) ? WalkResult::interrupt()
                                                                          : WalkResult::advance();
  });
  return failure(walk.wasInterrupted());
}

/// One matrix of a matmul with an integer scheme is enough.
bool PipelineRun::hasIntegerWeights() {
  ScopedDiagnosticHandler quiet(module.getContext(), [](Diagnostic &) { return success(); });
  lm::LayersOp stack = modelOf(module).layers();
  const int64_t layers = stack ? stack.getCount() : 0;
  auto isInteger = [&](Value weight, std::optional<int64_t> layer) {
    FailureOr<const quant::QuantScheme *> scheme = weights->schemeOf(weight, layer);
    return succeeded(scheme) && (*scheme)->isInteger();
  };
  WalkResult walk = modelOf(module).walk([&](Operation *op) {
    if (!isa<lm::LinearOp, lm::FusedLinearOp>(op))
      return WalkResult::advance();
    for (Value operand : op->getOperands()) {
      auto type = dyn_cast<lm::WeightType>(operand.getType());
      if (!type || type.rank() != 2)
        continue;
      if (!op->getParentOfType<lm::LayersOp>() && isInteger(operand, std::nullopt))
        return WalkResult::interrupt();
      for (int64_t layer = 0; layer < layers; ++layer)
        if (stack.getBodies()[stack.kindOf(layer)].isAncestor(op->getParentRegion()) &&
            isInteger(operand, layer))
          return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return walk.wasInterrupted();
}

LogicalResult PipelineRun::runPass(std::unique_ptr<Pass> pass, StringRef name) {
  PassManager manager(module.getContext());
  manager.addNestedPass<lm::ModelOp>(std::move(pass));
  if (failed(manager.run(module)))
    return failure();
  passesRun.push_back(name.str());
  return dump(name);
}

LogicalResult PipelineRun::runPasses(Phase phase) {
  for (const LMPass &pass : lmPasses())
    if (pass.phase == phase && !llvm::is_contained(options.disabledPasses, pass.name))
      if (failed(runPass(pass.create(options, cacheType), pass.name)))
        return failure();
  return success();
}

LogicalResult PipelineRun::lower() {
  // Decompositions run op by op: what passes have fused comes apart again first.
  if (options.defaultKernels) {
    DecomposePassOptions onlyFused;
    onlyFused.onlyFused = true;
    if (failed(runPass(createDecomposePass(onlyFused), "decompose-fused")))
      return failure();
  }
  LowerToStepOptions lowering;
  lowering.activations = activations;
  lowering.scheme = [&](Value expression, std::optional<int64_t> layer) {
    return weights->schemeOf(expression, layer);
  };
  if (failed(lowerToStep(modelOf(module), lowering)) || failed(verify(module)))
    return failure();
  return dump("lower-to-step");
}

FailureOr<std::string> PipelineRun::makeTokenizer() {
  std::string blob, error;
  if (options.tokenizerFile.empty())
    return blob;
  if (!formats::buildTokenizerBlobFromFile(options.tokenizerFile, blob, error))
    return (*module.getOps<step::ProgramOp>().begin())->emitError() << error;
  return blob;
}

LogicalResult PipelineRun::emit() {
  auto program = *module.getOps<step::ProgramOp>().begin();
  FailureOr<std::string> tokenizer = makeTokenizer();
  if (failed(tokenizer))
    return failure();
  time("tokenizer");
  CompileKernelsOptions kernels{options.variants, options.defaultKernels, options.countLoads, options.dumpDir,
                                options.cacheDir};
  std::string error;
  std::optional<QuantizeRules> parsed = QuantizeRules::parse(options.quantize, error);
  std::vector<std::string> rules = parsed ? parsed->texts() : std::vector<std::string>();
  ManifestFacts facts{activations, cacheType, rules, passesRun, options.variants, *weights};
  std::string manifest = makeManifest(program, facts);
  if (options.stopAfter == Phase::LLVM) {
    LogicalResult compiled = compileKernels(program, kernels, [&](uint64_t done, uint64_t total) {
      options.progress("compile kernels", done, total);
    });
    time("llvm");
    return compiled;
  }
  auto progress = [&](const char *stage, uint64_t done, uint64_t total) {
    if (done == total)
      time(stage);
    options.progress(stage, done, total);
  };
  return emitModule(program, *weights, manifest, *tokenizer, kernels, options.output, progress);
}

/// What `auto` stands for, once the schemes of the weights are known.
void PipelineRun::chooseTypes() {
  if (options.defaultKernels) // decompositions compute in f32
    activations = "f32";
  else if (options.activations == "auto")
    activations = hasIntegerWeights() ? "int8" : "f32";
  else
    activations = options.activations;
  SmallVector<StringRef> words, types;
  StringRef(options.cacheTypes).split(words, ',');
  for (StringRef word : words) {
    StringRef type = word != "auto" ? word : activations == "f32" ? "f32" : "f16";
    if (!llvm::is_contained(types, type))
      types.push_back(type);
  }
  cacheType = llvm::join(types, ",");
}

LogicalResult PipelineRun::run() {
  if (!options.dumpDir.empty())
    if (std::error_code code = llvm::sys::fs::create_directories(options.dumpDir + "/kernels"))
      return emitError(UnknownLoc::get(module.getContext()))
             << options.dumpDir << ": cannot make the folder: " << code.message();
  if (failed(dump("import")))
    return failure();
  if (isDone(Phase::Import))
    return success();
  if (failed(openWeights()))
    return failure();
  if (failed(runPasses(Phase::Fuse)))
    return failure();
  time("fuse");
  if (isDone(Phase::Fuse))
    return success();
  if (failed(runPasses(Phase::Quantize)))
    return failure();
  time("quantize");
  if (isDone(Phase::Quantize))
    return success();
  chooseTypes();
  if (failed(runPasses(Phase::Plan)))
    return failure();
  time("plan");
  if (isDone(Phase::Plan))
    return success();
  if (failed(lower()))
    return failure();
  time("step");
  if (isDone(Phase::Step))
    return success();
  return emit();
}

} // namespace

LogicalResult codegen::runPipeline(ModuleOp module, const PipelineOptions &options) {
  return PipelineRun(module, options).run();
}
