//===- Reduce.cpp - llmc reduce: a failing model made small ---------------===//
#include "Commands.h"

#include "codegen/WriteFile.h"
#include "frontend/Importer.h"
#include "frontend/formats/NewFile.h"
#include "tools/reduce/Reducer.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <filesystem>
#include <unistd.h>

using namespace llmc;
using namespace llmc::tools;
namespace fs = std::filesystem;

namespace {
struct ReduceArguments {
  std::string source, output, command, errorText, options, compiler;
  bool byCrash = false, isVerbose = false;
  CommandLimits limits;
};
} // namespace

/// Calls `move` with every path that the model names, to be set anew.
static void movePaths(lm::ModelOp model, llvm::function_ref<std::string(const std::string &)> move) {
  for (lm::WeightsOp weights : model.getOps<lm::WeightsOp>())
    weights.setPath(move(weights.getPath().str()));
  if (auto tokenizer = model.getTokenizer())
    model.setTokenizer(move(tokenizer->str()));
}

static std::string writeModel(const std::string &place, mlir::ModuleOp module) {
  const std::string folder = frontend::folderOf(place);
  mlir::OwningOpRef<mlir::ModuleOp> copy = module.clone();
  movePaths(frontend::modelOf(*copy), [&](const std::string &path) {
    std::error_code code;
    fs::path relative = fs::proximate(path, fs::absolute(folder), code);
    return code ? path : relative.string();
  });
  return codegen::writeFile(
      place, [&](llvm::raw_ostream &out) { frontend::printModel(frontend::modelOf(*copy), out); });
}

static size_t countOps(mlir::ModuleOp module) {
  size_t count = 0;
  frontend::modelOf(module)->walk([&](mlir::Operation *) { ++count; });
  return count;
}

static Check makeCheck(const ReduceArguments &arguments) {
  if (!arguments.command.empty())
    return checkByCommand(arguments.command, arguments.limits);
  CompileCheck check;
  check.compiler = compilerAt(arguments.compiler);
  check.options = splitOptions(arguments.options);
  check.byCrash = arguments.byCrash;
  check.errorText = arguments.errorText;
  return checkByCompile(check, arguments.limits);
}

static int runReduce(const ReduceArguments &arguments) {
  const int checks = !arguments.command.empty() + arguments.byCrash + !arguments.errorText.empty();
  if (checks != 1) {
    std::fprintf(stderr, "llmc: error: %s one of --check, --crash and --error\n",
                 checks ? "expected only" : "what fails is not said: expected");
    return 2;
  }
  if (!arguments.command.empty() && !(arguments.options.empty() && arguments.compiler.empty())) {
    std::fprintf(stderr,
                 "llmc: error: %s: belongs to --crash and --error; a command of --check has its own\n",
                 arguments.options.empty() ? "--compiler" : "--options");
    return 2;
  }
  Session session(arguments.isVerbose);
  std::string error;
  mlir::OwningOpRef<mlir::ModuleOp> module =
      frontend::importModel(session.context, arguments.source, {}, error);
  if (!module)
    return session.fail(error);
  const std::string folder = frontend::folderOf(arguments.source);
  movePaths(frontend::modelOf(*module), [&](const std::string &path) {
    return fs::absolute(fs::path(folder) / path).lexically_normal().string();
  });
  std::string place = arguments.output;
  frontend::ModelFiles files = frontend::findModelFiles(frontend::modelOf(*module), folder);
  files.weights.insert(files.weights.end(), {arguments.source, files.tokenizer});
  if (std::string words = formats::preparePlace(place, files.weights); !words.empty())
    return session.fail(words);

  const bool isTerminal = isatty(STDERR_FILENO);
  ReduceOptions options;
  options.check = makeCheck(arguments);
  size_t left = countOps(*module);
  const size_t before = left;
  options.kept = [&](const char *what, mlir::ModuleOp smaller, unsigned checked) {
    left = countOps(smaller);
    if (isTerminal || arguments.isVerbose)
      std::fprintf(stderr, "llmc: fewer %s: %zu ops left after %u checks\n", what, left, checked);
    return writeModel(place, smaller); // so that an interrupted search leaves what it has found
  };
  ReduceResult result;
  error = reduceModel(*module, options, result);
  if (error.empty() && left == before)
    error = writeModel(place, *module);
  if (!error.empty())
    return session.fail(error.starts_with("the check") ? arguments.source + ": " + error : error);
  std::fprintf(stderr, "llmc: %s: %zu of %zu ops still fail, %zu lines; %u checks\n", place.c_str(), left,
               before, static_cast<size_t>(llvm::count(result.text, '\n')), result.checks);
  return 0;
}

void tools::addReduceCommand(CLI::App &app, int &status) {
  auto arguments = std::make_shared<ReduceArguments>();
  CLI::App *command = app.add_subcommand("reduce", "Make a failing model small.");
  command
      ->add_option("SRC", arguments->source, "model.mlir, model.gguf or a Hugging Face directory that fails")
      ->required()
      ->type_name("FILE");
  command
      ->add_option("-o,--output", arguments->output,
                   "model.mlir to write, each time that a smaller one is found")
      ->required()
      ->type_name("FILE");
  command
      ->add_option(
          "--check", arguments->command,
          "shell command that exits with 0 while the failure is still there, with anything else once "
          "it is gone; it gets the path of a smaller model.mlir where it says {}, else as last argument")
      ->type_name("COMMAND");
  command->add_flag("--crash", arguments->byCrash, "look for a compile that dies by a signal");
  command
      ->add_option("--error", arguments->errorText, "look for a compile whose error message holds this text")
      ->type_name("TEXT");
  command
      ->add_option("--options", arguments->options,
                   "options of the compile of --crash and --error, in one word")
      ->type_name("OPTIONS");
  command
      ->add_option("--compiler", arguments->compiler,
                   "llmc-compile of another version, for --crash and --error")
      ->type_name("FILE")
      ->check(CLI::ExistingFile);
  command
      ->add_option("--check-seconds", arguments->limits.seconds,
                   "time that one check may take; what takes longer does not count as the failure")
      ->type_name("N")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  command
      ->add_option("--check-memory", arguments->limits.mebibytes,
                   "MiB of address space that a check's process may take")
      ->type_name("N")
      ->check(CLI::Range(64, 1 << 24))
      ->capture_default_str();
  command->add_flag("-v,--verbose", arguments->isVerbose, "show remarks, and each step that was found");
  command->footer(
      "Drops layers, ops, caches, weights, outputs, operands and attributes for as long as the model is "
      "valid and\n"
      "the failure stays. Sizes stay as they are: weights keep the shapes of their files.\n"
      "Examples:\n"
      "  llmc reduce model.mlir -o small.mlir --check 'grep -q lm.silu'\n"
      "  llmc reduce model.mlir -o small.mlir --check 'test $(llmc import {} | grep -c lm.linear) -ge 3'");
  command->callback([arguments, &status] { status = runReduce(*arguments); });
}
