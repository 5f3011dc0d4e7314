//===- Main.cpp - llmc-compile: import and compile ------------------------===//
//
// The half of the command line that needs LLVM. `llmc import` and `llmc compile` start it with their own
// arguments.
//
//===----------------------------------------------------------------------===//
#include "Commands.h"

#include "codegen/TemporaryFolder.h"
#include "tools/support/CommandTable.h"
#include "tools/support/GroupedHelp.h"
#include "tools/support/LimitedCommand.h"
#include "tools/support/UsageWords.h"

#include <CLI/CLI.hpp>

#include "llvm/Support/Signals.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <sstream>
#include <unistd.h>

/// On a terminal this wipes away a progress bar first.
static const char *interruptedText = "llmc: error: interrupted\n";

/// Ctrl-C, a polite kill or a closed terminal, after LLVM has removed the files that are not whole.
/// Async-signal-safe.
static void onInterrupt() {
  llmc::endRunningCommands();
  llmc::codegen::removeTemporaryFolders();
  if (write(STDERR_FILENO, interruptedText, std::strlen(interruptedText)) < 0) {
  }
  _exit(1);
}

/// 0; 1 and a sentence where nobody takes the text.
static int print(const std::string &text) {
  if (std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0)
    return 0;
  std::fprintf(stderr, "llmc: error: standard output: %s\n", std::strerror(errno));
  return 1;
}

int main(int argc, char **argv) {
  const char *terminal = std::getenv("TERM");
  if (isatty(STDERR_FILENO) && !(terminal && std::string_view(terminal) == "dumb"))
    interruptedText = "\r\033[Kllmc: error: interrupted\n";
  llvm::sys::SetInterruptFunction(onInterrupt);
  std::signal(SIGXFSZ, SIG_IGN); // writing beyond the limit for files then fails with a sentence
  CLI::App app{"Turns model files into model.so.", "llmc"};
  app.require_subcommand(1);
  app.set_help_all_flag();
  int status = 0;
  llmc::tools::addImportCommand(app, status);
  llmc::tools::addCompileCommand(app, status);
  llmc::tools::addBisectCommand(app, status);
  llmc::tools::addReduceCommand(app, status);
  if (argc == 2 && std::string_view(argv[1]) == "--describe") // llmc asks, for its manual
    return print(llmc::toJson(llmc::commandTable(app)) + "\n");
  // What llmc does not start is asked of this program itself.
  if (argc < 2 || app.get_subcommands([&](CLI::App *each) { return each->check_name(argv[1]); }).empty())
    app.name("llmc-compile");
  llmc::tools::addSimtCommand(app, status);
  llmc::groupOptions(app);
  llmc::refuseEmptyNames(app);
  try {
    llmc::checkValues(app, argc, argv);
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    if (error.get_exit_code() == 0) { // --help
      std::ostringstream out;
      app.exit(error, out);
      return print(out.str());
    }
    const auto chosen =
        app.get_subcommands([&](const CLI::App *each) { return argc > 1 && each->check_name(argv[1]); });
    const std::string command = chosen.empty() ? "" : " " + chosen.front()->get_name();
    std::fprintf(stderr, "llmc: error: %s (see %s%s --help)\n",
                 llmc::usageWords(error, app, argc, argv).c_str(), app.get_name().c_str(), command.c_str());
    return 2;
  }
  return status;
}
