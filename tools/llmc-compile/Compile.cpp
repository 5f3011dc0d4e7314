//===- Compile.cpp - llmc compile: a model file to model.so ---------------===//
#include "Commands.h"
#include "CompileArguments.h"

#include "codegen/DumpText.h"
#include "codegen/Pipeline.h"
#include "codegen/WriteFile.h"
#include "frontend/formats/NewFile.h"
#include "ir/Locations.h"
#include "ir/Print.h"
#include "tools/dump/DumpWriter.h"
#include "tools/support/Progress.h"

#include <CLI/CLI.hpp>

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <chrono>

using namespace llmc;
using namespace llmc::codegen;
using namespace llmc::tools;

static int usageError(const std::string &words) {
  std::fprintf(stderr, "llmc: error: %s\n", words.c_str());
  return 2;
}

namespace {

/// Shows, for -v, what passes have left undone and why.
class MissedRemarkPrinter : public PipelineObserver {
public:
  mlir::LogicalResult passRan(const PassRun &run) override {
    for (const PassRemark &remark : run.remarks)
      if (remark.kind == "missed")
        std::fprintf(stderr, "llmc: %s: %s: %s\n", describeLocation(remark.loc).c_str(),
                     run.name.str().c_str(), remark.message.c_str());
    return mlir::success();
  }
};

/// One compile, once its options are known to go together.
class CompileRun {
public:
  explicit CompileRun(CompileArguments &arguments)
      : arguments(arguments), options(arguments.pipeline), session(arguments.isVerbose) {}

  /// The exit status.
  int run() {
    options.note = [this](const std::string &line) { notes.push_back(line); };
    std::string error;
    module = readSource(error);
    if (!module)
      return session.fail(error);
    if (const std::string usage = checkDump(); !usage.empty())
      return usageError(usage);
    if (const std::string usage = chooseAssembler(arguments, error); !usage.empty())
      return usageError(usage);
    const double readMilliseconds = milliseconds();
    if (arguments.isVerbose)
      options.observers.push_back(&missedRemarks);
    if (error.empty())
      error = checkOutput();
    if (error.empty())
      error = openDump(readMilliseconds);
    if (!error.empty())
      return session.fail(error);
    if (!arguments.tolerance.empty())
      addGate();
    if (arguments.showTimes) {
      std::fprintf(stderr, "%-24s %8.1f ms\n", "import", readMilliseconds);
      options.timing = [](const std::string &line) { std::fprintf(stderr, "%s\n", line.c_str()); };
    }
    noteUnwritableCache(options.cacheDir);
    showProgress();
    const bool isCompiled = succeeded(runPipeline(*module, options));
    bar.reset();
    if (gate)
      gate->printTable(llvm::errs());
    return isCompiled ? finish() : session.fail();
  }

private:
  double milliseconds() const {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  }

  mlir::OwningOpRef<mlir::ModuleOp> readSource(std::string &error);

  /// What the command line asks for that a compile from this dump cannot do.
  std::string checkDump() const {
    if (!isDump(arguments.source))
      return "";
    if (options.stopAfter < options.startFrom)
      return "--stop-after: the compile starts from the phase " + nameOf(options.startFrom).str() +
             ", behind the phase " + nameOf(options.stopAfter).str();
    return arguments.verifiesDevice && options.devices.empty()
               ? "--verify-device: " + arguments.source + " is of a compile without --target cuda"
               : "";
  }

  /// What is wrong with the place to write to.
  std::string checkOutput() const {
    if (options.output == "-" || options.stopAfter == Phase::LLVM)
      return "";
    std::vector<std::string> inputs = options.weightFiles;
    inputs.insert(inputs.end(), {arguments.source, options.tokenizerFile});
    for (llvm::StringRef rule : arguments.quantize)
      if (rule.consume_front("@"))
        inputs.push_back(rule.str());
    return formats::preparePlace(options.output, inputs);
  }

  std::string openDump(double readMilliseconds);
  void addGate();
  void showProgress();
  int finish();

  CompileArguments &arguments;
  PipelineOptions &options;
  const std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
  std::vector<std::string> notes; // for the end, when no progress bar stands in the way
  Session session;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  MissedRemarkPrinter missedRemarks;
  std::optional<DumpWriter> dump;
  std::optional<Gate> gate;
  std::unique_ptr<Progress> bar;
  std::string stageOfBar;
};

} // namespace

/// A model file, or a dump with all that it carries.
mlir::OwningOpRef<mlir::ModuleOp> CompileRun::readSource(std::string &error) {
  if (!isDump(arguments.source)) {
    arguments.import.files = options.files.get();
    mlir::OwningOpRef<mlir::ModuleOp> imported =
        frontend::importModel(session.context, arguments.source, arguments.import, error);
    if (!imported)
      return nullptr;
    frontend::ModelFiles files =
        frontend::findModelFiles(frontend::modelOf(*imported), frontend::folderOf(arguments.source));
    if (!options.randomWeights) {
      options.weightFiles = files.weights;
      options.tokenizerFile = files.tokenizer;
    }
    return imported;
  }
  return readDump(session.context, arguments.source, phaseByName(arguments.startFrom), options, error);
}

/// With --dump-ir: what an earlier dump has left in the folder is removed first.
std::string CompileRun::openDump(double readMilliseconds) {
  if (arguments.dumpDir.empty())
    return "";
  llvm::StringRef folder = llvm::sys::path::parent_path(arguments.source);
  if (llvm::StringRef(arguments.source).ends_with(".mlir") &&
      llvm::sys::fs::exists(arguments.dumpDir + "/passes.json") &&
      llvm::sys::fs::equivalent(folder.empty() ? "." : folder, arguments.dumpDir))
    return "--dump-ir: " + arguments.dumpDir + ": holds " + arguments.source +
           ", which is read; give another folder";
  dump.emplace(arguments.dumpDir, arguments.dumpFilter);
  if (std::string error = dump->open(); !error.empty())
    return error;
  dump->sourceRead(readMilliseconds);
  options.observers.push_back(&*dump);
  return "";
}

/// --verify-passes
void CompileRun::addGate() {
  arguments.gate.cacheDir = options.cacheDir;
  if (arguments.verifiesDevice)
    arguments.gate.compiler = compilerAt("");
  arguments.gate.reproducer = (options.output == "-" ? "llmc" : options.output) + ".failed";
  options.observers.push_back(&gate.emplace(arguments.gate));
  if (dump)
    dump->addFact("verified", [this] { return gate->json(); });
}

void CompileRun::showProgress() {
  options.progress = [this](const char *stage, uint64_t done, uint64_t total) {
    if (stageOfBar != stage) {
      bar = std::make_unique<Progress>(stage, total);
      stageOfBar = stage;
    }
    bar->update(done);
    if (done == total)
      bar->finish();
  };
}

int CompileRun::finish() {
  for (const std::string &note : notes)
    std::fprintf(stderr, "llmc: %s\n", note.c_str());
  if (arguments.showTimes)
    std::fprintf(stderr, "%-24s %8.1f ms\n", "total", milliseconds());
  if (options.stopAfter == Phase::Link || options.stopAfter == Phase::LLVM)
    return 0;
  const std::string error =
      writeFile(options.output, [&](llvm::raw_ostream &out) { printNamed(*module, out); });
  return error.empty() ? 0 : session.fail(error);
}

static int runCompile(const CLI::App &command, CompileArguments &arguments) {
  std::string usage = checkSource(command, arguments);
  if (usage.empty())
    usage = checkArguments(arguments);
  return usage.empty() ? CompileRun(arguments).run() : usageError(usage);
}

void tools::addCompileCommand(CLI::App &app, int &status) {
  auto arguments = std::make_shared<CompileArguments>();
  CLI::App *command = app.add_subcommand("compile", "Compile a model file into one model.so.");
  addCompileOptions(*command, *arguments);
  command->callback([command, arguments, &status] { status = runCompile(*command, *arguments); });
}
