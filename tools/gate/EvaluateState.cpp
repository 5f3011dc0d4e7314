//===- EvaluateState.cpp - what the model of a pass computes --------------===//
#include "tools/gate/EvaluateState.h"

#include "codegen/DeviceTarget.h"
#include "codegen/Pipeline.h"
#include "codegen/PlantBug.h"
#include "codegen/WriteFile.h"
#include "ir/LayerEntries.h"
#include "ir/ParseText.h"
#include "ir/Print.h"
#include "ir/StepOps.h"
#include "tools/gate/EvaluationBytes.h"
#include "tools/gate/Isolated.h"

#include "mlir/Parser/Parser.h"
#include "llvm/ADT/Sequence.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;
using namespace llmc::tools;

StateEvaluator::StateEvaluator(EvaluateOptions given)
    : options(std::move(given)), context(pipelineDialects(), MLIRContext::Threading::DISABLED) {
  context.loadAllAvailableDialects();
  context.printOpOnDiagnostic(false);
  if (!options.variant)
    options.variant = cpu::bestHere();
  if (options.folder.empty()) {
    llvm::SmallString<128> folder;
    llvm::sys::path::system_temp_directory(/*ErasedOnReboot=*/true, folder);
    options.folder = folder.str().str();
  }
}

int64_t tools::vocabularyOf(ModuleOp state) {
  for (Operation &op : *state.getBody())
    if (auto vocabulary = op.getAttrOfType<IntegerAttr>("vocab"))
      return vocabulary.getInt();
  return 0;
}

int64_t tools::layersOf(ModuleOp state) {
  int64_t count = 0;
  state.walk([&](Operation *op) {
    if (auto stack = dyn_cast<lm::LayersOp>(op))
      count = stack.getCount();
    else if (auto call = dyn_cast<step::DispatchOp>(op))
      count = std::max<int64_t>(count, call.getLayer() ? *call.getLayer() + 1 : 0);
  });
  return count;
}

/// By way of text, since it comes from another context.
OwningOpRef<ModuleOp> StateEvaluator::copyOf(ModuleOp state) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  printLocated(state, stream);
  OwningOpRef<ModuleOp> copy = parseSourceString<ModuleOp>(text, &context, "state");
  if (!copy)
    return copy;
  // States run on this machine's CPU.
  for (auto program : llvm::make_early_inc_range(copy->getOps<step::ProgramOp>()))
    if (codegen::deviceOf(program))
      program.erase();
  (*copy)->removeAttr(codegen::devicesAttribute);
  if (options.layers.empty())
    return copy;
  for (lm::ModelOp model : copy->getOps<lm::ModelOp>()) {
    const int64_t count = layersOf(*copy);
    std::vector<int64_t> kept = options.layers;
    llvm::erase_if(kept, [&](int64_t layer) { return layer >= count; });
    if (static_cast<int64_t>(kept.size()) < count)
      lm::keepLayers(model, kept);
  }
  return copy;
}

PipelineOptions StateEvaluator::pipelineFor(ModuleOp state) const {
  PipelineOptions pipeline;
  pipeline.weightFiles = options.weightFiles;
  pipeline.files = options.files;
  pipeline.randomWeights = options.randomWeights;
  pipeline.startState.sources = options.sources;
  pipeline.startState.activations = "f32";
  pipeline.cacheTypes = "f32";
  pipeline.startFrom = state.getOps<step::ProgramOp>().empty() ? Phase::Plan : Phase::LLVM;
  pipeline.defaultKernels = true;
  pipeline.variants = {options.variant};
  pipeline.cacheDir = options.cacheDir;
  if (!isOfPass(options.plantedBug)) // else it stands in the state, where its pass has left it
    pipeline.plantedBug = options.plantedBug;
  return pipeline;
}

OwningOpRef<ModuleOp> StateEvaluator::runOnCopy(ModuleOp state, const char *failed, std::string &error,
                                                llvm::function_ref<void(PipelineOptions &)> choose) {
  FirstError firstError(context);
  OwningOpRef<ModuleOp> module = copyOf(state);
  if (module) {
    PipelineOptions pipeline = pipelineFor(*module);
    choose(pipeline);
    if (succeeded(runPipeline(*module, pipeline)))
      return module;
  }
  error = firstError.text().empty() ? failed : firstError.text();
  return nullptr;
}

bool StateEvaluator::runIsolatedOnCopy(ModuleOp state, const char *failed, std::string &error,
                                       llvm::function_ref<void(PipelineOptions &)> choose) {
  IsolatedEnd end = runIsolated([&](llvm::raw_ostream &out) {
    std::string words;
    if (!runOnCopy(state, failed, words, choose))
      out << words;
  });
  error = end.crash.empty() ? end.result : "the compiler crashes on it: " + end.crash;
  return error.empty();
}

std::optional<Evaluation> tools::runModuleIsolated(const std::string &path, const Schedule &schedule,
                                                   const std::string &variant, ArrayRef<int64_t> layers,
                                                   std::string &error) {
  auto renumber = [&](ValueKey &key) {
    if (key.layer >= 0 && key.layer < static_cast<int64_t>(layers.size()))
      key.layer = layers[key.layer];
  };
  IsolatedNote lastValue;
  std::string words;
  IsolatedEnd end = runIsolated([&](llvm::raw_ostream &out) {
    auto note = [&](ValueKey key) {
      renumber(key);
      lastValue.set(key.describe());
    };
    std::optional<Evaluation> result = runModule(path, schedule, variant, words, note);
    out << (result ? 'v' : 'e');
    if (result)
      writeEvaluation(*result, out);
    else
      out << words;
  });
  const StringRef bytes = end.result;
  if (std::optional<Evaluation> result;
      bytes.starts_with("v") && (result = readEvaluation(bytes.drop_front()))) {
    for (EvaluatedValue &value : result->values)
      renumber(value.key);
    return result;
  }
  if (bytes.starts_with("e")) {
    error = bytes.drop_front().str();
    return std::nullopt;
  }
  const std::string value = lastValue.get();
  error =
      "its code crashes " + (value.empty() ? "before the first value" : "behind " + value) + ": " + end.crash;
  return std::nullopt;
}

std::optional<Evaluation> StateEvaluator::evaluate(ModuleOp state, const Schedule &schedule,
                                                   std::string &error) {
  return evaluateDecoded(state, {}, schedule, error);
}

std::optional<Evaluation> StateEvaluator::evaluateDecoded(ModuleOp state, const RowDecoder &decode,
                                                          const Schedule &schedule, std::string &error) {
  TemporaryFile file(options.folder + "/llmc-state", ".so");
  if (error = file.error(); !error.empty())
    return std::nullopt;
  if (!runIsolatedOnCopy(state, "the state of the module does not compile", error,
                         [&](PipelineOptions &pipeline) {
                           pipeline.decodeQuantized = decode;
                           pipeline.output = file.path();
                         }))
    return std::nullopt;
  return runModuleIsolated(file.path(), schedule, options.variant->name.str(), options.layers, error);
}

OwningOpRef<ModuleOp> StateEvaluator::lower(ModuleOp model, const PipelineState &found, std::string &error) {
  return runOnCopy(model, "these layers alone cannot be lowered", error, [&](PipelineOptions &pipeline) {
    pipeline.defaultKernels = false;
    pipeline.startState = found;
    pipeline.plantedBug = options.plantedBug;
    pipeline.startFrom = pipeline.stopAfter = Phase::Step;
  });
}

bool StateEvaluator::compile(ModuleOp program, const PipelineOptions &meant, const std::string &path,
                             std::string &error) {
  return runIsolatedOnCopy(program, "the program does not compile", error, [&](PipelineOptions &pipeline) {
    pipeline.defaultKernels = meant.defaultKernels;
    pipeline.countLoads = meant.countLoads;
    pipeline.variants = meant.variants;
    pipeline.output = path;
    if (path.empty())
      pipeline.stopAfter = Phase::LLVM;
  });
}
