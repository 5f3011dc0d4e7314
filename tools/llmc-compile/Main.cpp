//===- Main.cpp - llmc-compile: import and compile ------------------------===//
//
// The half of the command line that needs LLVM. `llmc import` and `llmc compile` start it with their own
// arguments.
//
//===----------------------------------------------------------------------===//
#include "Commands.h"

#include <CLI/CLI.hpp>

int main(int argc, char **argv) {
  CLI::App app{"Turns model files into model.so.", "llmc"};
  app.require_subcommand(1);
  app.set_help_all_flag();
  app.get_formatter()->column_width(34);
  int status = 0;
  llmc::tools::addImportCommand(app, status);
  llmc::tools::addCompileCommand(app, status);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    // CLI11's own codes say which kind of usage error; ours is 2 for all of them, 0 for help.
    return app.exit(error) == 0 ? 0 : 2;
  }
  return status;
}
