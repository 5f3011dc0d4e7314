//===- GroupedHelp.h - options of --help by what they are about -*- C++ -*-===//
//
// One table says which group an option belongs to, whatever command has it, and in which order groups are
// shown.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_SUPPORT_GROUPEDHELP_H
#define LLMC_TOOLS_SUPPORT_GROUPEDHELP_H

namespace CLI {
class App;
}

namespace llmc {

/// Groups the options of all subcommands that are there.
void groupOptions(CLI::App &app);

} // namespace llmc
#endif
