//===- EvaluateState.cpp - what the model of a pass computes --------------===//
#include "tools/gate/EvaluateState.h"

#include "codegen/Pipeline.h"
#include "codegen/PlantBug.h"
#include "codegen/WriteFile.h"
#include "ir/ParseText.h"
#include "ir/Print.h"
#include "ir/StepOps.h"

#include "mlir/Parser/Parser.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;
using namespace llmc::tools;

static DialectRegistry pipelineDialects() {
  DialectRegistry registry;
  registerPipelineDialects(registry);
  return registry;
}

StateEvaluator::StateEvaluator(EvaluateOptions given)
    : options(std::move(given)), context(pipelineDialects(), MLIRContext::Threading::DISABLED) {
  context.loadAllAvailableDialects();
  context.printOpOnDiagnostic(false);
  if (!options.variant)
    options.variant = llvm::find_if(cpu::allIsas(), cpu::runsHere); // the best stands first
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

void tools::keepFirstLayers(lm::ModelOp model, int64_t count) {
  lm::LayersOp stack = model.layers();
  const int64_t had = stack ? static_cast<int64_t>(stack.getCount()) : 0;
  if (had <= count)
    return;
  stack.setCount(count);
  if (auto kinds = stack.getKinds())
    stack.setKinds(SmallVector<int64_t>(kinds->take_front(count)));
  model.walk([&](Operation *op) {
    if (auto table = dyn_cast<lm::TableOp>(op))
      table.setValues(SmallVector<double>(table.getValues().take_front(count)));
    else if (auto quantize = dyn_cast<lm::WQuantizeOp>(op))
      if (auto list = dyn_cast<ArrayAttr>(quantize.getToAttr()))
        quantize.setToAttr(ArrayAttr::get(op->getContext(), list.getValue().take_front(count)));
  });
}

/// By way of text, since it comes from another context.
OwningOpRef<ModuleOp> StateEvaluator::copyOf(ModuleOp state) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  printLocated(state, stream);
  OwningOpRef<ModuleOp> copy = parseSourceString<ModuleOp>(text, &context, "state");
  if (copy && options.layers)
    for (lm::ModelOp model : copy->getOps<lm::ModelOp>())
      keepFirstLayers(model, options.layers);
  return copy;
}

PipelineOptions StateEvaluator::pipelineFor(ModuleOp state) const {
  PipelineOptions pipeline;
  pipeline.weightFiles = options.weightFiles;
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

std::optional<Evaluation> StateEvaluator::evaluate(ModuleOp state, const Schedule &schedule,
                                                   std::string &error) {
  return evaluateDecoded(state, {}, schedule, error);
}

std::optional<Evaluation> StateEvaluator::evaluateDecoded(ModuleOp state, const RowDecoder &decode,
                                                          const Schedule &schedule, std::string &error) {
  FirstError firstError(context);
  auto fail = [&](std::string words) -> std::optional<Evaluation> {
    error = !firstError.text().empty() ? firstError.text() : std::move(words);
    return std::nullopt;
  };
  OwningOpRef<ModuleOp> module = copyOf(state);
  if (!module)
    return fail("the module is not what its own text says");
  TemporaryFile file(options.folder + "/llmc-state", ".so");
  if (!file.error().empty())
    return fail(file.error());
  PipelineOptions pipeline = pipelineFor(*module);
  pipeline.decodeQuantized = decode;
  pipeline.output = file.path();
  if (failed(runPipeline(*module, pipeline)))
    return fail("the state of the module does not compile");
  module = nullptr;
  RunOptions run;
  run.variant = options.variant->name.str();
  return runModule(file.path(), schedule, run, error);
}

OwningOpRef<ModuleOp> StateEvaluator::lower(ModuleOp model, const PipelineState &found, std::string &error) {
  FirstError firstError(context);
  OwningOpRef<ModuleOp> module = copyOf(model);
  if (module) {
    PipelineOptions pipeline = pipelineFor(*module);
    pipeline.defaultKernels = false;
    pipeline.startState = found;
    pipeline.plantedBug = options.plantedBug;
    pipeline.startFrom = pipeline.stopAfter = Phase::Step;
    if (succeeded(runPipeline(*module, pipeline)))
      return module;
  }
  error = firstError.text().empty() ? "the first layers alone cannot be lowered" : firstError.text();
  return nullptr;
}

bool StateEvaluator::compile(ModuleOp program, const std::vector<const cpu::Isa *> &variants,
                             const std::string &path, std::string &error) {
  FirstError firstError(context);
  OwningOpRef<ModuleOp> module = copyOf(program);
  if (module) {
    PipelineOptions pipeline = pipelineFor(*module);
    pipeline.defaultKernels = false;
    pipeline.variants = variants;
    pipeline.output = path;
    if (succeeded(runPipeline(*module, pipeline)))
      return true;
  }
  error = firstError.text().empty() ? "the program does not compile" : firstError.text();
  return false;
}
