//===- Manual.h - completion and the manual page ----------------*- C++ -*-===//
#ifndef LLMC_TOOLS_LLMC_MANUAL_H
#define LLMC_TOOLS_LLMC_MANUAL_H

#include "tools/support/CommandTable.h"

namespace llmc::cli {

/// The commands that llmc-compile carries out.
inline constexpr const char *compilerCommands[] = {"import", "compile", "bisect", "reduce"};

/// What llmc-compile says of its commands; nothing if there is no llmc-compile.
std::vector<CommandInfo> compilerTable();
/// All commands: the compiler's, then those of `app`.
std::vector<CommandInfo> wholeTable(const CLI::App &app);

/// bash, zsh and fish.
std::vector<std::string> shellNames();
int printCompletion(const CLI::App &app, const std::string &shell);
/// In roff, for man(1).
int printManual(const CLI::App &app);

} // namespace llmc::cli
#endif
