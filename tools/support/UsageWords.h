//===- UsageWords.h - what is wrong with a command line ---------*- C++ -*-===//
#ifndef LLMC_TOOLS_SUPPORT_USAGEWORDS_H
#define LLMC_TOOLS_SUPPORT_USAGEWORDS_H

#include <string>

namespace CLI {
class App;
class ParseError;
} // namespace CLI

namespace llmc {

/// Lets no option or argument of a subcommand that names a file, a folder or a phase take an empty name.
void refuseEmptyNames(CLI::App &app);

/// Throws a CLI::ParseError if an option has nothing behind its "=", which the parser takes for a flag that
/// stands alone.
void checkValues(const CLI::App &app, int argc, const char *const *argv);

/// The parser's sentence; in words of ours where its own say what it counted, not what to write.
std::string usageWords(const CLI::ParseError &error, const CLI::App &app, int argc, const char *const *argv);

} // namespace llmc
#endif
