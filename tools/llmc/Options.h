//===- Options.h - the table of commands and options ------------*- C++ -*-===//
//
// Every option is declared once, in the Options*.cpp files: its names, what follows it, what it does. The
// parser, --help, the completion of shells and the man page come from there.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_LLMC_OPTIONS_H
#define LLMC_TOOLS_LLMC_OPTIONS_H

#include "tools/llmc/Commands.h"

#include <CLI/CLI.hpp>

namespace llmc::cli {

/// A decimal number from `least` to `most`.
CLI::Validator whole(uint64_t least, uint64_t most);
CLI::Validator real(float least, float most);
/// One of these words.
CLI::Validator oneOf(std::vector<std::string> words);

/// MODEL and what else every command takes that runs one.
void addModelOptions(CLI::App *command, ModelOptions &options);
void addInputOptions(CLI::App *command, InputOptions &options, const std::string &promptHelp);

/// A subcommand that fills an `Options` with what `declare(command, options)` declares, and leaves what
/// `body(options)` returns in `code`.
template <typename Options, typename Declare, typename Body>
void addCommand(CLI::App &app, int &code, const char *name, const char *summary, Declare declare, Body body) {
  auto options = std::make_shared<Options>();
  CLI::App *command = app.add_subcommand(name, summary);
  declare(command, *options);
  command->callback([options, body, &code] { code = body(*options); });
}

void addRunCommand(CLI::App &app, int &code);
/// logits, embed, perplexity, bench, plan
void addMeasuringCommands(CLI::App &app, int &code);
/// tokenize, inspect, cache, completion, man
void addReadingCommands(CLI::App &app, int &code);

} // namespace llmc::cli
#endif
