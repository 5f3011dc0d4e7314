//===- Pipeline.cpp - from a model file to model.so, phase by phase -------===//
//
// The order of everything is here, but of the passes over the lm dialect (LMPasses.cpp).
//
//===----------------------------------------------------------------------===//
#include "codegen/Pipeline.h"

#include "codegen/ChooseTypes.h"
#include "codegen/DefaultKernels.h"
#include "codegen/DeviceTarget.h"
#include "codegen/EmitModule.h"
#include "codegen/HashSources.h"
#include "codegen/LMPasses.h"
#include "codegen/LowerToStep.h"
#include "codegen/Manifest.h"
#include "codegen/PlantBug.h"
#include "codegen/RemarkCollector.h"
#include "codegen/emit/Lowering.h"
#include "frontend/formats/TokenizerBlob.h"
#include "ir/Print.h"
#include "passes/Passes.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <chrono>

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;

DialectRegistry codegen::pipelineDialects() {
  DialectRegistry registry;
  registry.insert<lm::LMDialect, step::StepDialect>();
  emit::registerKernelDialects(registry);
  registerDefaultKernelDialects(registry);
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  for (const DeviceTarget *device : allDevices())
    device->registerDialects(registry);
  return registry;
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

/// One run of the pipeline: times the phases and tells the observers of each pass.
class PipelineRun {
public:
  PipelineRun(ModuleOp module, const PipelineOptions &options)
      : module(module), options(options), state(options.startState) {
    if (!options.observers.empty())
      remarks.emplace(*module.getContext());
  }
  LogicalResult run();

private:
  LogicalResult openWeights();
  LogicalResult runPhase(Phase phase);
  LogicalResult runPasses(Phase phase);
  LogicalResult runPass(std::unique_ptr<Pass> pass, StringRef name, Phase phase, bool isLast);
  LogicalResult lower();
  LogicalResult lowerToPrograms();
  LogicalResult emit();
  FailureOr<std::string> makeTokenizer();
  LogicalResult observe(StringRef name, Phase phase, bool isLast,
                        function_ref<LogicalResult(std::string &options)> work);
  LogicalResult goThroughText();
  void noteSlowMatmuls(const DeviceCode &code);
  void time(const std::string &what);

  ModuleOp module;
  const PipelineOptions &options;
  PipelineState state;
  std::unique_ptr<WeightSource> weights;
  std::optional<RemarkCollector> remarks;
  unsigned numPasses = 0;
  std::chrono::steady_clock::time_point last = std::chrono::steady_clock::now();
};

double millisecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

std::string textOf(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream out(text);
  printLocated(module, out);
  return text;
}

void PipelineRun::time(const std::string &what) {
  options.timing(llvm::formatv("{0,-24} {1,8:F1} ms", what, millisecondsSince(last)));
  last = std::chrono::steady_clock::now();
}

/// Does the work of one pass; where somebody looks on, tells what it changed.
LogicalResult PipelineRun::observe(StringRef name, Phase phase, bool isLast,
                                   function_ref<LogicalResult(std::string &options)> work) {
  std::string passOptions;
  if (options.observers.empty())
    return work(passOptions);
  OwningOpRef<ModuleOp> before = numPasses ? module.clone() : ModuleOp();
  auto start = std::chrono::steady_clock::now();
  if (failed(work(passOptions)))
    return failure();
  const double milliseconds = millisecondsSince(start);
  const bool isChanged = before && textOf(*before) != textOf(module);
  std::vector<PassRemark> said = remarks->take();
  PassRun run{numPasses++, name,         phase, passOptions,  before.get(), module,
              isChanged,   milliseconds, said,  std::nullopt, options,      state};
  if (isLast && phase < Phase::LLVM)
    run.restart = static_cast<Phase>(static_cast<int>(phase) + 1);
  for (PipelineObserver *observer : options.observers)
    if (failed(observer->passRan(run)))
      return failure();
  return success();
}

/// What a phase hands to the next is what its text says: nothing that text does not hold (the order of uses,
/// for example) can then matter, and the text of a dump is as good as the module.
LogicalResult PipelineRun::goThroughText() {
  ParserConfig config(module.getContext(), /*verifyAfterParse=*/false);
  OwningOpRef<ModuleOp> parsed = parseSourceString<ModuleOp>(textOf(module), config, "phase");
  if (!parsed)
    return failure();
  module.getBodyRegion().takeBody(parsed->getBodyRegion());
  return success();
}

LogicalResult PipelineRun::openWeights() {
  weights = std::make_unique<WeightSource>();
  if (options.randomWeights)
    weights->makeRandom();
  weights->decodeQuantized(options.decodeQuantized);
  weights->alterQuantized(plantedInRows(options.plantedBug));
  SmallVector<Operation *> lines;
  if (options.startFrom < Phase::LLVM)
    for (lm::WeightsOp line : modelOf(module).getOps<lm::WeightsOp>())
      lines.push_back(line);
  for (auto [number, path] : llvm::enumerate(options.weightFiles)) {
    std::string error;
    auto file = options.files->open(path, error);
    if (!file)
      return emitError(number < lines.size() ? lines[number]->getLoc() : module.getLoc()) << error;
    weights->add(std::move(file));
  }
  if (options.startFrom > Phase::Fuse)
    return success();
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

/// "a=1 b=2", as llmc-opt takes them.
static std::string optionsOf(Pass &pass) {
  std::string text;
  llvm::raw_string_ostream out(text);
  pass.printAsTextualPipeline(out);
  StringRef braced = StringRef(text).drop_until([](char c) { return c == '{'; });
  return braced.size() < 2 ? "" : braced.drop_front().drop_back().str();
}

LogicalResult PipelineRun::runPass(std::unique_ptr<Pass> pass, StringRef name, Phase phase, bool isLast) {
  const std::string given = optionsOf(*pass);
  state.passes.push_back(given.empty() ? name.str() : (name + "{" + given + "}").str());
  return observe(name, phase, isLast, [&](std::string &passOptions) {
    passOptions = given;
    PassManager manager(module.getContext());
    manager.addNestedPass<lm::ModelOp>(std::move(pass));
    return success(succeeded(manager.run(module)) && succeeded(plantBug(options.plantedBug, name, module)));
  });
}

LogicalResult PipelineRun::runPasses(Phase phase) {
  SmallVector<const LMPass *> enabled;
  for (const LMPass &pass : lmPasses())
    if (pass.phase == phase && !llvm::is_contained(options.disabledPasses, pass.name))
      enabled.push_back(&pass);
  for (const LMPass *pass : enabled)
    if (failed(runPass(pass->create({options, state.cacheType, *weights}), pass->name, phase,
                       pass == enabled.back())))
      return failure();
  return success();
}

LogicalResult PipelineRun::lower() {
  // Decompositions run op by op: what passes have fused comes apart again first.
  if (options.defaultKernels) {
    DecomposePassOptions onlyFused;
    onlyFused.onlyFused = true;
    if (failed(runPass(createDecomposePass(onlyFused), "decompose-fused", Phase::Step, /*isLast=*/false)))
      return failure();
  }
  return observe("lower-to-step", Phase::Step, /*isLast=*/true, [&](std::string &passOptions) {
    passOptions = "activations=" + state.activations;
    return success(succeeded(lowerToPrograms()) &&
                   succeeded(plantBug(options.plantedBug, "lower-to-step", module)) &&
                   succeeded(verify(module)));
  });
}

/// One program for the CPU, unless there is no code for it, and one for each device, over one set of weights.
LogicalResult PipelineRun::lowerToPrograms() {
  WeightPlaces places;
  LowerToStepOptions lowering;
  lowering.scheme = [&](Value expression, std::optional<int64_t> layer) {
    return weights->schemeOf(expression, layer);
  };
  lowering.places = &places;
  lowering.defaultKernels = options.defaultKernels;
  SmallVector<const DeviceTarget *> targets;
  if (!options.variants.empty())
    targets.push_back(nullptr);
  for (const DeviceChoice &device : options.devices)
    targets.push_back(device.target);
  lm::ModelOp model = modelOf(module);
  NamedAttrList devices;
  for (const DeviceTarget *target : targets) {
    lowering.activations = target ? deviceActivations(options) : state.activations;
    lowering.target = target;
    const bool isLast = target == targets.back();
    FailureOr<step::ProgramOp> program =
        lowerToStep(isLast ? model : cast<lm::ModelOp>(OpBuilder(model).clone(*model)), lowering);
    if (failed(program))
      return failure();
    if (!target)
      continue;
    if (targets.size() > 1)
      program->setSymName((program->getSymName() + "_" + target->name()).str());
    devices.set(program->getSymNameAttr(), StringAttr::get(module.getContext(), target->name()));
  }
  if (!devices.empty())
    module->setAttr(devicesAttribute, devices.getDictionary(module.getContext()));
  for (auto program : module.getOps<step::ProgramOp>())
    program.setWeightBytes(places.end);
  return success();
}

FailureOr<std::string> PipelineRun::makeTokenizer() {
  std::string blob, note, error;
  const std::string &file = options.tokenizerFile;
  if (file.empty())
    return blob;
  const uint64_t vocab = (*module.getOps<step::ProgramOp>().begin()).getVocab();
  if (!formats::buildTokenizerBlobFromFile(file, blob, error, options.files.get()) ||
      !formats::checkTokenizerIds(blob, file, vocab, note, error))
    return emitError(UnknownLoc::get(module.getContext())) << error; // it names the file
  if (!note.empty())
    options.note(note);
  return blob;
}

void PipelineRun::noteSlowMatmuls(const DeviceCode &code) {
  int64_t total = 0;
  std::vector<std::string> schemes;
  for (const auto &[names, count] : slowMatmuls(code)) {
    total += count;
    schemes.push_back(names + " " + std::to_string(count));
  }
  if (total)
    options.note((code.target->name() + ": " + Twine(total) + " matmuls have no kernel of their own (" +
                  llvm::join(schemes, ", ") + "): they run by their decomposition, right but slowly")
                     .str());
}

LogicalResult PipelineRun::emit() {
  auto program = *module.getOps<step::ProgramOp>().begin();
  FailureOr<std::string> tokenizer = makeTokenizer();
  if (failed(tokenizer))
    return failure();
  time("tokenizer");
  CompileKernelsOptions kernels{options.variants, options.defaultKernels, options.countLoads,
                                options.cacheDir, options.observers,      options.plantedBug,
                                options.devices,  options.assembler,      options.family};
  kernels.roundsAttention = state.activations == "int8" || state.activations == "bf16";
  if (state.sources.empty())
    for (const auto &file : weights->openFiles())
      state.sources.push_back(hashOf(*file, options.progress));
  time("hash weights");
  ManifestFacts facts{state,
                      options.quantize.texts(),
                      options.variants,
                      options.family->name,
                      options.devices,
                      options.assembler ? options.assembler->version : "",
                      options.portableBits,
                      options.randomWeights,
                      options.plantedBug};
  if (options.stopAfter == Phase::LLVM) {
    FailureOr<CompiledPrograms> compiled =
        compilePrograms(program, kernels, [&](const char *stage, uint64_t done, uint64_t total) {
          options.progress(stage, done, total);
        });
    time("llvm");
    return compiled;
  }
  auto progress = [&](const char *stage, uint64_t done, uint64_t total) {
    if (done == total)
      time(stage);
    options.progress(stage, done, total);
  };
  auto manifest = [&](const CompiledPrograms &compiled) {
    for (const DeviceCode &code : compiled.devices)
      noteSlowMatmuls(code);
    return makeManifest(program, facts, compiled.devices);
  };
  return emitModule(program, *weights, manifest, *tokenizer, kernels, options.output, progress);
}

LogicalResult PipelineRun::runPhase(Phase phase) {
  switch (phase) {
  case Phase::Plan:
    chooseTypes(modelOf(module), *weights, options, state);
    [[fallthrough]];
  case Phase::Fuse:
  case Phase::Quantize:
    return runPasses(phase);
  case Phase::Step:
    return lower();
  default:
    return emit();
  }
}

LogicalResult PipelineRun::run() {
  if (!options.observers.empty()) {
    if (state.sources.empty())
      state.sources = hashSources(options.weightFiles, *options.files, options.progress);
    if (std::string blob, error;
        state.tokenizerHash.empty() && !options.tokenizerFile.empty() &&
        formats::buildTokenizerBlobFromFile(options.tokenizerFile, blob, error, options.files.get()))
      state.tokenizerHash = hashText(blob);
  }
  const Phase before = static_cast<Phase>(static_cast<int>(options.startFrom) - 1);
  if (failed(observe(before == Phase::Import ? "import" : "start", before, /*isLast=*/true,
                     [](std::string &) { return success(); })))
    return failure();
  if (options.stopAfter <= before)
    return success();
  if (failed(openWeights()))
    return failure();
  for (int number = static_cast<int>(options.startFrom);; ++number) {
    const Phase phase = static_cast<Phase>(number);
    if (failed(goThroughText()) || failed(runPhase(phase)))
      return failure();
    if (phase >= Phase::LLVM)
      return success();
    time(nameOf(phase).str());
    if (options.stopAfter == phase)
      return success();
  }
}

} // namespace

LogicalResult codegen::runPipeline(ModuleOp module, const PipelineOptions &options) {
  LogicalResult result = PipelineRun(module, options).run();
  for (PipelineObserver *observer : options.observers)
    if (failed(observer->ended(succeeded(result))))
      result = failure();
  return result;
}
