//===- CommandTable.h - commands and options as plain data ------*- C++ -*-===//
//
// The parser's own tables, read back: --help, shell completion and the man page all come from the one place
// where an option is declared. llmc-compile prints its part as JSON, so that llmc knows it too.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_SUPPORT_COMMANDTABLE_H
#define LLMC_TOOLS_SUPPORT_COMMANDTABLE_H

#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace llmc {

struct OptionInfo {
  std::vector<std::string> names;   // "-n", "--n"; of a positional its one name, in capitals
  std::string value;                // what follows it: "N", "FILE", …; empty for a flag
  std::vector<std::string> choices; // the words that may follow it, where only these may
  std::string help;
  bool isRequired = false, repeats = false;
};

struct CommandInfo {
  std::string name, summary;
  std::vector<OptionInfo> positionals, options;
  std::string footer; // its examples, as --help shows them
};

/// The subcommands of a parser, without what it hides from --help.
std::vector<CommandInfo> commandTable(const CLI::App &app);

std::string toJson(const std::vector<CommandInfo> &table);
/// The inverse; an exception of the JSON library if the text is something else.
std::vector<CommandInfo> commandTableFromJson(std::string_view text);

} // namespace llmc
#endif
