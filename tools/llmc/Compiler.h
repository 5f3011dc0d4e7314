//===- Compiler.h - starting llmc-compile -----------------------*- C++ -*-===//
#ifndef LLMC_TOOLS_LLMC_COMPILER_H
#define LLMC_TOOLS_LLMC_COMPILER_H

#include <string>
#include <vector>

namespace llmc::cli {

/// The path of llmc-compile: beside this program, else in ../libexec/llmc. A Failure if it is in neither.
std::string compilerPath();

/// `llmc import …` and `llmc compile …`: becomes llmc-compile, with all arguments as they are. Returns only
/// on failure.
int becomeCompiler(int argc, char **argv);

/// Runs llmc-compile with these arguments and waits for it; returns its exit code. The file descriptor
/// `keepOpen` (-1: none) stays open in it, and with it a lock on that file.
int runCompiler(const std::vector<std::string> &arguments, int keepOpen);

/// What llmc-compile writes to its standard output; a Failure unless it succeeds.
std::string compilerOutput(const std::vector<std::string> &arguments);

} // namespace llmc::cli
#endif
