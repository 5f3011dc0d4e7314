//===- Bisect.cpp - where two compiles of a model part --------------------===//
#include "tools/bisect/Bisect.h"

#include "codegen/Pipeline.h"
#include "codegen/TemporaryFolder.h"
#include "ir/LMOps.h"
#include "ir/Locations.h"
#include "ir/ParseText.h"
#include "ir/StepOps.h"
#include "tools/gate/EvaluateState.h"
#include "tools/gate/LayerList.h"

#include "mlir/Parser/Parser.h"
#include "llvm/Support/FileSystem.h"

#include <map>

using namespace mlir;
using namespace llmc;
using namespace llmc::tools;

namespace {

Budget asked(double tolerance) { return {tolerance, tolerance, tolerance, "as asked"}; }

class Bisection {
public:
  Bisection(const BisectOptions &options, std::string &error)
      : options(options), error(error),
        context(codegen::pipelineDialects(), MLIRContext::Threading::DISABLED) {
    context.loadAllAvailableDialects();
  }
  std::optional<BisectResult> run();
  bool isUsage = false; // what is wrong is an option of a side

private:
  bool open();
  std::vector<BisectStage> stagesOfBoth() const;
  const Evaluation *evaluate(const Side &side, const std::string &text);
  bool compareStates(BisectStage &stage, const std::string &textA, const std::string &textB);
  bool compareKernels(BisectStage &stage);
  bool take(BisectStage &stage, const Evaluation &ofA, const Evaluation &ofB);
  OwningOpRef<ModuleOp> parse(const std::string &text);
  std::string opOf(const std::string &text, const Difference &difference, bool hasName);

  const BisectOptions &options;
  std::string &error;
  codegen::TemporaryFolder place{"llmc-bisect"};
  MLIRContext context;
  std::optional<Side> a, b;
  Schedule schedule;
  std::map<std::pair<const Side *, std::string>, Evaluation> known; // by text
};

} // namespace

bool Bisection::open() {
  if (error = place.error(); !error.empty())
    return false;
  for (auto [side, source, name] : {std::tuple(&a, &options.a, "a"), {&b, &options.b, "b"}}) {
    options.progress(std::string("compile ") + name);
    *side = makeSide(*source, place.path() + "/" + name, options.limits, error, isUsage);
    if (!*side) {
      error = std::string(name) + ": " + error;
      return false;
    }
  }
  OwningOpRef<ModuleOp> first = parse(a->states.front().text);
  if (!first)
    return false;
  schedule = standardSchedule(vocabularyOf(*first));
  return true;
}

OwningOpRef<ModuleOp> Bisection::parse(const std::string &text) {
  FirstError firstError(context);
  ParserConfig config(&context);
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, config, "dump");
  if (!module)
    error = "a dump does not parse: " + firstError.text();
  return module;
}

/// The passes of A; those of B alone stand behind the pass that they follow there.
std::vector<BisectStage> Bisection::stagesOfBoth() const {
  std::vector<BisectStage> stages;
  for (const SideState &state : a->states)
    stages.push_back({state.pass, true, false, false, {}});
  size_t behind = 0;
  for (const SideState &state : b->states) {
    auto found = std::find_if(stages.begin(), stages.end(),
                              [&](const BisectStage &stage) { return stage.pass == state.pass; });
    if (found == stages.end())
      found = stages.insert(stages.begin() + behind, {state.pass, false, false, false, {}});
    found->isInB = true;
    behind = found - stages.begin() + 1;
  }
  return stages;
}

const Evaluation *Bisection::evaluate(const Side &side, const std::string &text) {
  auto [entry, isNew] = known.try_emplace({&side, text});
  if (!isNew)
    return &entry->second;
  OwningOpRef<ModuleOp> module = parse(text);
  if (!module)
    return nullptr;
  EvaluateOptions evaluate;
  evaluate.weightFiles = side.weightFiles;
  evaluate.randomWeights = side.hasRandomWeights;
  evaluate.cacheDir = options.cacheDir;
  evaluate.layers = firstLayers(options.layers);
  evaluate.folder = place.path();
  std::optional<Evaluation> result = StateEvaluator(evaluate).evaluate(*module, schedule, error);
  if (!result)
    return nullptr;
  return &(entry->second = std::move(*result));
}

bool Bisection::take(BisectStage &stage, const Evaluation &ofA, const Evaluation &ofB) {
  stage.result = compare(ofA, ofB, asked(options.tolerance));
  if (stage.result.values)
    return true;
  error = "after " + stage.pass +
          ": no value of a has the name and the size of one of b: expected two compiles of one model";
  return false;
}

bool Bisection::compareStates(BisectStage &stage, const std::string &textA, const std::string &textB) {
  if (textA == textB) {
    stage.isSameText = true;
    return true;
  }
  options.progress("compare " + stage.pass);
  const Evaluation *ofA = evaluate(*a, textA), *ofB = ofA ? evaluate(*b, textB) : nullptr;
  if (!ofB) {
    error = "after " + stage.pass + ": " + error;
    return false;
  }
  return take(stage, *ofA, *ofB);
}

/// The two model.so, each by its own compiler.
bool Bisection::compareKernels(BisectStage &stage) {
  options.progress("compare " + stage.pass);
  std::optional<Evaluation> results[2];
  for (auto [side, source, result] :
       {std::tuple(&*a, &options.a, &results[0]), {&*b, &options.b, &results[1]}}) {
    const std::string path = place.path() + "/model.so";
    if (!compileSide(*side, *source, path, options.limits, error))
      return false;
    *result = runModuleIsolated(path, schedule, "", {}, error);
    if (!*result)
      return false;
    llvm::sys::fs::remove(path);
  }
  return take(stage, *results[0], *results[1]);
}

/// The op whose result the text calls by the value's name, or that is from its place where it has no name (a
/// part of a fused op); in the kind of its layer.
std::string Bisection::opOf(const std::string &text, const Difference &difference, bool hasName) {
  OwningOpRef<ModuleOp> module = parse(text);
  std::string found;
  auto makes = [&](Operation *op) {
    if (!hasName)
      return !difference.location.empty() && describeLocation(op->getLoc()) == difference.location;
    auto names = valueNames(op->getLoc(), op->getNumResults());
    return llvm::is_contained(names, StringRef(difference.key.name)) ||
           (names.empty() && valueName(op->getLoc()) == difference.key.name);
  };
  if (!module)
    return found;
  module->walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (isa<lm::LayersOp>(op) || !op->getNumResults() || !makes(op))
      return WalkResult::advance();
    auto stack = op->getParentOfType<lm::LayersOp>();
    const int64_t layer = difference.key.layer;
    if (static_cast<bool>(stack) != (layer >= 0) ||
        (stack && !stack.getBodies()[stack.kindOf(layer)].isAncestor(op->getParentRegion())))
      return WalkResult::advance();
    found = op->getName().getStringRef().str();
    return WalkResult::interrupt();
  });
  return found;
}

std::optional<BisectResult> Bisection::run() {
  if (!open())
    return std::nullopt;
  BisectResult result;
  const SideState *atA = &a->states.front(), *atB = &b->states.front();
  const SideState *lastModel = atB; // in lm
  auto find = [](const Side &side, const std::string &pass, const SideState *&at) {
    for (const SideState &state : side.states)
      if (state.pass == pass)
        at = &state;
  };
  auto finish = [&] {
    if (const BisectStage *first = result.first())
      // Without a name of its own a value is called by its kernel: "rms_norm_72(blk.{i}.attn_norm)".
      result.op = opOf(lastModel->text, *first->result.first,
                       !StringRef(first->result.first->key.name).contains('('));
    return result;
  };
  for (BisectStage &stage : stagesOfBoth()) {
    find(*a, stage.pass, atA);
    find(*b, stage.pass, atB);
    if (atB->phase != "step")
      lastModel = atB;
    if (options.layers && (atA->phase == "step" || atB->phase == "step"))
      break; // a step program has all of its layers
    if (!compareStates(stage, atA->text, atB->text))
      return std::nullopt;
    result.stages.push_back(std::move(stage));
    if (result.first())
      return finish();
  }
  if (options.layers == 0 && canCompile(*a, options.a) && canCompile(*b, options.b)) {
    BisectStage stage{kernelStage, true, true, false, {}};
    if (!compareKernels(stage))
      return std::nullopt;
    result.stages.push_back(std::move(stage));
  }
  return finish();
}

std::optional<BisectResult> tools::bisect(const BisectOptions &options, std::string &error, bool &isUsage) {
  Bisection bisection(options, error);
  std::optional<BisectResult> result = bisection.run();
  isUsage = bisection.isUsage;
  return result;
}
