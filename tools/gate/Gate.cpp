//===- Gate.cpp - the numbers before and after each pass ------------------===//
//
//   1. The model as it was imported is run once: that is the first reference.
//   2. What a pass has changed is run once and compared with the state before, value by value.
//   3. model.so is run on every variant that this machine has and compared with the program that it was
//      compiled from, then with itself, the tokens cut otherwise.
//
//===----------------------------------------------------------------------===//
#include "tools/gate/Gate.h"

#include "codegen/ChooseTypes.h"
#include "codegen/Pipeline.h"
#include "codegen/WriteFile.h"
#include "ir/LMOps.h"
#include "ir/Locations.h"
#include "ir/StepOps.h"
#include "tools/gate/QuantizeCheck.h"
#include "tools/gate/Reproducer.h"
#include "tools/support/LimitedCommand.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"

#include <chrono>
#include <cmath>

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;
using namespace llmc::tools;

static double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// The op that made a value: by what the value is called; in a program the call of the kernel.
static Operation *findOp(ModuleOp module, const Difference &difference, ArrayRef<int64_t> layers) {
  // A program of some layers numbers them anew.
  const auto *place = llvm::find(layers, difference.key.layer);
  const int64_t number = place == layers.end() ? difference.key.layer : place - layers.begin();
  Operation *found = nullptr;
  module.walk([&](Operation *op) {
    if (auto dispatch = dyn_cast<step::DispatchOp>(op)) {
      const int64_t layer = dispatch.getLayer() ? static_cast<int64_t>(*dispatch.getLayer()) : -1;
      if (dispatch.getKernel() == difference.kernel && layer == number)
        found = op;
    } else if (llvm::is_contained(valueNames(op->getLoc(), op->getNumResults()),
                                  StringRef(difference.key.name))) {
      found = op;
    }
    return found ? WalkResult::interrupt() : WalkResult::advance();
  });
  return found;
}

/// "lm.fused_linear", also where a program calls a kernel for it.
static std::string opName(Operation *op) {
  if (auto dispatch = dyn_cast_or_null<step::DispatchOp>(op))
    if (auto kernel = dispatch->getParentOfType<step::ProgramOp>().lookupSymbol<step::KernelOp>(
            dispatch.getKernelAttr().getAttr()))
      op = kernel.computed();
  return op ? op->getName().getStringRef().str() : "";
}

static std::string digits(double x) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.3g", x);
  return text;
}

/// The first type that a cache stores in, which is what a session takes by itself.
static std::string firstType(const std::string &types) { return StringRef(types).split(',').first.str(); }

LogicalResult Gate::fail(const std::string &words) {
  problem = {"--verify-passes: " + words, std::nullopt, std::nullopt};
  if (rows.back().note.empty())
    rows.back().note = "failed";
  return failure();
}

LogicalResult Gate::report(const std::string &pass, Phase phase, ModuleOp before, ModuleOp after) {
  if (!problem)
    return success();
  std::string text = problem->sentence;
  if (before && !options.reproducer.empty()) {
    tools::Failure failed{pass, phase, before, after, text, problem->difference, !options.compiler.empty()};
    const std::string words = writeReproducer(options.reproducer, failed, schedule, pipeline, state,
                                              options.tolerance, options.layers);
    text += words.empty() ? "; " + options.reproducer + "/run.sh shows it again" : "; " + words;
  }
  if (problem->loc && problem->loc->getContext() == context)
    return emitError(*problem->loc) << text;
  // Of a state of some layers, which nobody hears of in its own context.
  const std::string place = problem->loc ? describeLocation(*problem->loc) : "";
  return emitError(UnknownLoc::get(context)) << (place.empty() ? "" : place + ": ") << text;
}

std::optional<Evaluation> Gate::evaluate(ModuleOp state) {
  std::optional<Evaluation> result = evaluator->evaluate(state, schedule, error);
  if (!result)
    (void)fail("what " + rows.back().name + " has left cannot be run: " + error);
  return result;
}

LogicalResult Gate::judge(const std::string &name, const Evaluation &expected, const Evaluation &found,
                          const Budget &budget) {
  Row &row = rows.back();
  row.result = compare(expected, found, budget);
  row.budget = budget;
  row.seconds += now() - std::exchange(started, now());
  if (!row.result.values)
    return fail(name + ": no value stands on both sides");
  if (row.result.isWithin())
    return success();
  const Difference &first = *row.result.first;
  Operation *op = findOp(*module, first, options.layers);
  std::string words = opName(op);
  const std::string error = first.isMeanBeyond() ? digits(first.mean) + " standard deviations in the mean"
                                                 : digits(first.max) + " of its size apart";
  const std::string text =
      "--verify-passes: " + name + " changes what the model computes: " + first.key.describe() +
      (words.empty() ? "" : " (" + words + ")") + " is " + digits(first.found) + " at sequence " +
      std::to_string(first.row.sequence) + ", position " + std::to_string(first.row.position) + ", column " +
      std::to_string(first.column) + ", expected " + digits(first.expected) + ": " + error +
      ", allowed are " + digits(first.isMeanBeyond() ? first.allowedMean : first.allowedMax) + " (" +
      budget.reason + ")";
  problem = {text, op ? std::optional(op->getLoc()) : std::nullopt, first};
  return failure();
}

LogicalResult Gate::begin(const PassRun &run) {
  context = ModuleOp(run.after)->getContext();
  layers = layersOf(run.after);
  if (!options.layers.empty() && options.layers.back() >= layers && !options.isLayerCount)
    return emitError(UnknownLoc::get(context))
           << "--verify-layers: names layer " << options.layers.back() << ", but the model has " << layers
           << " layers, counted from 0";
  if (static_cast<int64_t>(options.layers.size()) >= layers)
    options.layers.clear(); // all
  if (!options.layers.empty() && !ModuleOp(run.after).getOps<step::ProgramOp>().empty())
    return emitError(UnknownLoc::get(context))
           << "--verify-layers: a step program is compiled with all of its layers: expected a start from an "
              "earlier phase";
  // States share most of their kernels: without a cache to keep, they have one for themselves.
  if (options.cacheDir.empty())
    options.cacheDir = ownCache.emplace("llmc-kernels").path(); // without one where that cannot be made
  EvaluateOptions how;
  how.weightFiles = run.options.weightFiles;
  how.files = run.options.files;
  how.randomWeights = run.options.randomWeights;
  how.sources = run.state.sources;
  how.cacheDir = options.cacheDir;
  how.folder = options.folder;
  how.layers = options.layers;
  how.plantedBug = run.options.plantedBug;
  evaluator = std::make_unique<StateEvaluator>(how);
  // Where nothing can be written no pass is to blame.
  if (TemporaryFile probe(evaluator->folder() + "/llmc-state", ".so"); !probe.error().empty())
    return emitError(UnknownLoc::get(context)) << "--verify-passes: " << probe.error();
  schedule = standardSchedule(vocabularyOf(run.after));
  pipeline = run.options;
  pipeline.observers.clear();
  if (!options.layers.empty())
    layers = static_cast<int64_t>(options.layers.size());
  return success();
}

LogicalResult Gate::passRan(const PassRun &run) {
  activations = run.state.activations;
  cacheType = run.state.cacheType;
  started = now();
  rows.push_back({.name = run.name.str(), .note = "", .result = {}, .budget = {}});
  state = run.state;
  if (!evaluator) {
    if (failed(begin(run))) {
      rows.clear(); // nothing was run
      return failure();
    }
    module = ModuleOp(run.after).clone();
    last = evaluate(*module);
    rows.back().seconds = now() - started;
    if (!last)
      return report(run.name.str(), static_cast<Phase>(static_cast<int>(run.phase) + 1), run.after,
                    ModuleOp());
    rows.back().note = "the first reference";
  } else if (!run.isChanged) {
    rows.back().note = "left the module as it was";
  } else if (failed(checkPass(run))) {
    return report(run.name.str(), run.phase, *before, run.after);
  }
  if (run.phase == Phase::Step && run.restart && run.options.stopAfter > Phase::Step)
    return checkKernels(run.after);
  return success();
}

/// That the compiler survives them; it then takes them from the cache.
LogicalResult Gate::checkKernels(ModuleOp program) {
  if (evaluator->compile(program, pipeline, "", error))
    return success();
  rows.push_back({.name = "model.so", .note = "", .result = {}, .budget = {}});
  (void)fail("the kernels of model.so cannot be compiled: " + error);
  return report("model.so", Phase::LLVM, program, ModuleOp());
}

LogicalResult Gate::checkPass(const PassRun &run) {
  const std::string name = run.name.str();
  before = std::move(module);
  module = ModuleOp(run.after).clone();
  const bool isProgram = !module->getOps<step::ProgramOp>().empty();
  if (isProgram && !options.layers.empty()) { // a program has all layers; what some are shows the lowering
    OwningOpRef<ModuleOp> lowered = evaluator->lower(*before, run.state, error);
    if (!lowered)
      return fail(error);
    module = std::move(lowered);
  }
  Evaluation expected = std::move(*last);
  if (name == "quantize") {
    std::string words = findOtherChanges(*before, *module);
    if (words.empty())
      words = checkPackErrors(*module, run.options);
    if (!words.empty())
      return fail(words);
    std::optional<Evaluation> decoded = evaluator->evaluateDecoded(*module, plainDecoder(), schedule, error);
    if (!decoded)
      return fail("what quantize has left cannot be run with decoded weights: " + error);
    expected = std::move(*decoded);
  }
  last = evaluate(*module);
  if (!last)
    return failure();
  const std::string type = firstType(cacheType);
  const Budget budget = name == "plan-kv-cache" ? cacheBudget(type, layers, options.tolerance)
                        : name == "pack-bf16"   ? equalBits("the same numbers in fewer bits")
                        : isProgram             ? loweringBudget(type, layers, options.tolerance)
                                                : reassociationBudget(options.tolerance);
  return judge(name, expected, *last, budget);
}

LogicalResult Gate::moduleMade(const std::string &path) {
  (void)checkModule(path);
  if (options.layers.empty())
    return report("model.so", Phase::LLVM, *module, ModuleOp());
  // Of some layers there is no program but the one that is made of them.
  return report("model.so", Phase::Step, *before, *module);
}

LogicalResult Gate::checkModule(const std::string &made) {
  std::string path = made;
  std::optional<TemporaryFile> cut;
  if (!options.layers.empty()) {
    cut.emplace(evaluator->folder() + "/llmc-state", ".so");
    path = cut->path();
    if (!cut->error().empty() || !evaluator->compile(*module, pipeline, path, error))
      return fail(cut->error().empty() ? error : cut->error());
  }
  for (const cpu::Isa *isa : pipeline.variants) {
    started = now();
    const std::string name = "model.so (" + isa->name.str() + ")";
    rows.push_back({.name = name, .note = "", .result = {}, .budget = {}});
    if (!cpu::runsHere(*isa))
      rows.back().note = "this machine cannot run it";
    else if (failed(checkVariant(path, isa->name.str(),
                                 kernelBudget(activations, firstType(cacheType), layers, options.tolerance),
                                 {{1, false}, {2, false}, {3, false}, {5, false}, {7, false}, {3, true}})))
      return failure();
  }
  return pipeline.devices.empty() || options.compiler.empty() ? success() : checkDevice(path);
}

/// The device's program, in the emulator, which takes its time: fewer cuts.
LogicalResult Gate::checkDevice(const std::string &made) {
  started = now();
  rows.push_back({.name = "model.so (simt)", .note = "", .result = {}, .budget = {}});
  if (!options.layers.empty()) {
    rows.back().note = "of some layers there is no program for a device";
    return success();
  }
  TemporaryFile code(evaluator->folder() + "/llmc-simt", ".so");
  if (!code.error().empty())
    return fail(code.error());
  std::string path = made;
  if (path.find('/') == std::string::npos)
    path = "./" + path;
  CommandLimits limits;
  limits.seconds = 600;
  const CommandEnd end = runLimited({options.compiler, "simt", path, "-o", code.path()}, limits, error);
  if (!error.empty() || end.exitCode != 0)
    return fail("the kernels of model.so for cuda cannot be emulated: " +
                (!error.empty() ? error
                 : end.isLate   ? std::string("their code is not made in time")
                                : StringRef(end.output).trim().str()));
  return checkVariant(
      path, "simt:code=" + code.path(),
      kernelBudget(deviceActivations(pipeline), firstType(cacheType), layers, options.tolerance),
      {{1, false}, {3, true}});
}

LogicalResult Gate::checkVariant(const std::string &path, const std::string &variant, const Budget &budget,
                                 ArrayRef<std::pair<int, bool>> cuts) {
  const std::string name = rows.back().name;
  auto runOn = [&](const Schedule &tokens) {
    std::optional<Evaluation> result = runModuleIsolated(path, tokens, variant, options.layers, error);
    if (!result)
      (void)fail(name + " cannot be run: " + error);
    return result;
  };
  std::optional<Evaluation> whole = runOn(schedule);
  if (!whole || failed(judge("the code of " + name, *last, *whole, budget)))
    return failure();
  rows.push_back({.name = "  the tokens cut otherwise", .note = "", .result = {}, .budget = {}});
  for (auto [n, isMixed] : cuts) {
    Schedule cut = inChunks(schedule, n, isMixed);
    std::optional<Evaluation> same = runOn(cut);
    if (!same || failed(judge("the code of " + name + " in " + cut.name, *whole, *same,
                              equalBits("the same bits however tokens are cut"))))
      return failure();
  }
  return success();
}

void Gate::printTable(llvm::raw_ostream &out) const {
  if (rows.empty())
    return;
  auto line = [&](ArrayRef<std::string> cells) {
    out << llvm::format("%-26s", cells.front().c_str());
    for (const std::string &cell : cells.drop_front())
      out << llvm::format(" %9s", cell.c_str());
  };
  line({"pass", "values", "max", "mean", "logits", "KL", "allowed", "used", "seconds"});
  out << "\n";
  for (const Row &row : rows) {
    if (!row.note.empty()) {
      out << llvm::format("%-26s", row.name.c_str()) << "    " << row.note << "\n";
      continue;
    }
    const Comparison &r = row.result;
    line({row.name, std::to_string(r.values), digits(r.max), digits(r.mean), digits(r.logits), digits(r.kl),
          digits(row.budget.max), digits(100 * r.used) + "%", digits(row.seconds)});
    out << (r.isWithin() ? "\n" : "  beyond\n");
  }
  out << "max, logits: of any number, in parts of its size, the root of its square and its value's variance; "
         "mean: "
         "the largest of a value, in standard deviations; used: the largest part of what is allowed\n";
}

llvm::json::Value Gate::json() const {
  llvm::json::Array list;
  auto number = [](double x) { return std::isfinite(x) ? llvm::json::Value(x) : llvm::json::Value(nullptr); };
  for (const Row &row : rows) {
    const Comparison &r = row.result;
    llvm::json::Object entry{{"name", StringRef(row.name).trim().str()}, {"seconds", row.seconds}};
    if (!row.note.empty())
      entry["note"] = row.note;
    else
      for (auto &&[key, value] : llvm::json::Object{{"values", static_cast<int64_t>(r.values)},
                                                    {"max", number(r.max)},
                                                    {"mean", number(r.mean)},
                                                    {"logits", number(r.logits)},
                                                    {"kl", number(r.kl)},
                                                    {"allowed_max", row.budget.max},
                                                    {"allowed_mean", row.budget.mean},
                                                    {"allowed_logits", row.budget.logits},
                                                    {"used", number(r.used)},
                                                    {"within", r.isWithin()}})
        entry[key] = value;
    list.push_back(std::move(entry));
  }
  return list;
}
