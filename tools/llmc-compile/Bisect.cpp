//===- Bisect.cpp - llmc bisect: where two compiles of a model part -------===//
#include "Commands.h"

#include "tools/bisect/Bisect.h"
#include "tools/support/CacheFolder.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <unistd.h>

using namespace llmc;
using namespace llmc::tools;

namespace {
struct BisectArguments {
  BisectOptions bisect;
  std::string optionsA, optionsB, compilerB;
  bool isJson = false;
};
} // namespace

static int runBisect(BisectArguments &arguments) {
  BisectOptions &options = arguments.bisect;
  auto refuse = [](const std::string &words) {
    std::fprintf(stderr, "llmc: error: %s\n", words.c_str());
    return 2;
  };
  options.a.options = splitOptions(arguments.optionsA);
  options.b.options = splitOptions(arguments.optionsB);
  options.a.compiler = compilerAt("");
  options.b.compiler = compilerAt(arguments.compilerB);
  if (options.b.model.empty())
    options.b.model = options.a.model;
  if (options.a.model == options.b.model && options.a.options == options.b.options &&
      options.a.compiler == options.b.compiler)
    return refuse("both sides are the same: expected B, --options-a, --options-b or --compiler-b");
  for (const SideSource *side : {&options.a, &options.b})
    if (isDumpFolder(side->model) && !side->options.empty())
      return refuse(side->model + ": a dump carries the options of its compile, there cannot be others");
  if (const std::string folder = llmc::cacheFolder(); !folder.empty())
    options.cacheDir = folder + "/kernels";
  const bool isTerminal = isatty(STDERR_FILENO);
  if (isTerminal)
    options.progress = [](const std::string &what) {
      std::fprintf(stderr, "\r\033[Kllmc: %s", what.c_str());
      std::fflush(stderr);
    };
  std::string error;
  bool isUsage = false;
  std::optional<BisectResult> result = bisect(options, error, isUsage);
  if (isTerminal)
    std::fputs("\r\033[K", stderr);
  if (!result && isUsage)
    return refuse(error);
  if (!result) {
    std::fprintf(stderr, "llmc: error: %s\n", error.c_str());
    return 1;
  }
  std::fputs((arguments.isJson ? bisectJson : bisectTable)(*result, options.tolerance).c_str(), stdout);
  if (std::fflush(stdout) != 0) {
    std::fprintf(stderr, "llmc: error: standard output cannot be written\n");
    return 1;
  }
  const BisectStage *first = result->first();
  if (!first)
    return 0;
  const std::string where =
      first->pass == kernelStage ? "in their kernels" : "from the pass " + first->pass + " on";
  std::fprintf(stderr, "llmc: error: the two differ %s\n", where.c_str());
  return 1;
}

void tools::addBisectCommand(CLI::App &app, int &status) {
  auto arguments = std::make_shared<BisectArguments>();
  BisectOptions &options = arguments->bisect;
  options.limits.seconds = 3600;
  options.limits.mebibytes = 1 << 20;
  CLI::App *command =
      app.add_subcommand("bisect", "Find the pass and op where two compiles of a model part.");
  command
      ->add_option("A", options.a.model,
                   "model.mlir, model.gguf, a Hugging Face directory, or the folder of a dump")
      ->required()
      ->type_name("FILE");
  command->add_option("B", options.b.model, "the same for the other side (default: A)")->type_name("FILE");
  command->add_option("--options-a", arguments->optionsA, "options of the compile of A, in one word")
      ->type_name("OPTIONS");
  command->add_option("--options-b", arguments->optionsB, "options of the compile of B, in one word")
      ->type_name("OPTIONS");
  command->add_option("--compiler-b", arguments->compilerB, "llmc-compile of another version, for B")
      ->type_name("FILE")
      ->check(CLI::ExistingFile);
  command
      ->add_option("--tolerance", options.tolerance,
                   "largest difference that is none, in standard deviations of A's value")
      ->type_name("T")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  command
      ->add_option("--layers", options.layers,
                   "compare only the first N layers, as far as the phase plan; 0: all of both")
      ->type_name("N")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command->add_flag("--json", arguments->isJson, "print JSON");
  command->footer(
      "After each pass of either side both states run on a few tokens, each op from its decomposition; then\n"
      "the kernels of both. Exits with 1 where they differ, and where one does not compile; where they "
      "differ a line\n"
      "begins with \"the first: \".\n"
      "Examples:\n"
      "  llmc bisect model.gguf --options-b '--disable-pass fuse-qkv'\n"
      "  llmc bisect model.gguf model.mlir --tolerance 0");
  command->callback([arguments, &status] { status = runBisect(*arguments); });
}
