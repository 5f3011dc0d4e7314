//===- Main.cpp - llmc ----------------------------------------------------===//
//
// The command line to a command, exceptions to exit codes. 0 is success, 1 a failure with one sentence on
// stderr that names file and field, 2 a wrong command line.
//
//===----------------------------------------------------------------------===//
#include "tools/llmc/Common.h"
#include "tools/llmc/Compiler.h"
#include "tools/llmc/Manual.h"
#include "tools/llmc/Options.h"
#include "tools/support/GroupedHelp.h"
#include "tools/support/UsageWords.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <sstream>
#include <unistd.h>

using namespace llmc::cli;

namespace {

void say(std::string_view sentence) {
  std::fprintf(stderr, "llmc: error: %.*s\n", int(sentence.size()), sentence.data());
}

bool isCompilerCommand(std::string_view name) {
  return std::ranges::find(compilerCommands, name) != std::end(compilerCommands);
}

bool isCommand(const CLI::App &app, std::string_view name) {
  auto has = [&](const CLI::App *command) { return command->get_name() == name; };
  return !app.get_subcommands(has).empty();
}

/// For the help of llmc itself.
void listCompilerCommands(CLI::App &app) {
  for (const llmc::CommandInfo &command : compilerTable())
    app.add_subcommand(command.name, command.summary);
}

int parseAndRun(CLI::App &app, int &code, int argc, char **argv) {
  try {
    llmc::checkValues(app, argc, argv);
    app.parse(argc, argv);
    return code;
  } catch (const CLI::Success &success) { // --help, --version
    if (app.get_subcommands().empty())
      listCompilerCommands(app);
    std::ostringstream out, err;
    int exitCode = app.exit(success, out, err);
    print(out.str());
    flushOutput();
    return exitCode;
  } catch (const CLI::ParseError &error) {
    if (argc == 1) {
      listCompilerCommands(app);
      std::fputs(app.help().c_str(), stderr);
      return 2;
    }
    if (!isCommand(app, argv[1]))
      throw UsageError(std::string(argv[1][0] == '-' ? "unknown option '" : "unknown command '") + argv[1] +
                       "'");
    throw UsageError(llmc::usageWords(error, app, argc, argv));
  }
}

/// A standard stream that the caller closed would be the next file that is opened. Writing to one still
/// fails.
void openStandardStreams() {
  for (int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (fcntl(descriptor, F_GETFD) < 0)
      open("/dev/null", O_RDONLY);
}

} // namespace

int main(int argc, char **argv) {
  openStandardStreams();
  std::signal(SIGXFSZ, SIG_IGN); // writing beyond the limit for files then fails with a sentence
  int code = 0;
  CLI::App app("llmc: compiles language models and runs them", "llmc");
  try {
    if (argc > 1 && isCompilerCommand(argv[1]))
      return becomeCompiler(argc, argv);
    app.set_version_flag("--version", std::string("llmc ") + llmc_version_string());
    app.require_subcommand(1);
    app.footer(
        "Example:\n  llmc compile model.gguf -o model.so && llmc run model.so --chat\n\n"
        "llmc COMMAND --help says more. A model.so is a program: run it only from where you would run one.\n"
        "LLMC_CPU=avx2|avx2-vnni|avx512|avx512-bf16|amx|amx-fast chooses among the CPU variants in a "
        "model.so.");
    addRunCommand(app, code);
    addMeasuringCommands(app, code);
    addCompareTraceCommand(app, code);
    addReadingCommands(app, code);
    llmc::groupOptions(app);
    llmc::refuseEmptyNames(app);
    return parseAndRun(app, code, argc, argv);
  } catch (const Exit &exit) {
    return exit.code;
  } catch (const UsageError &error) {
    std::string command = argc > 1 && isCommand(app, argv[1]) ? std::string(argv[1]) + " " : "";
    say(std::string(error.what()) + " (see llmc " + command + "--help)");
    return 2;
  } catch (const Failure &failure) {
    say(failure.what());
  } catch (const std::bad_alloc &) {
    say("out of memory");
  } catch (const std::exception &error) {
    say(error.what());
  }
  return 1;
}
