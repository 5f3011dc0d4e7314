//===- CompileArguments.h - the command line of llmc compile ----*- C++ -*-===//
#ifndef LLMC_TOOLS_LLMC_COMPILE_COMPILEARGUMENTS_H
#define LLMC_TOOLS_LLMC_COMPILE_COMPILEARGUMENTS_H

#include "codegen/PipelineOptions.h"
#include "frontend/Importer.h"
#include "tools/gate/Gate.h"

#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace llmc::tools {

struct CompileArguments {
  codegen::PipelineOptions pipeline;
  frontend::ImportOptions import;
  std::string source;
  std::vector<std::string> quantize;
  std::string stopAfter = "link";
  std::string startFrom; // empty: what the dump says
  std::string targets = "cpu", ptxas;
  std::optional<std::string> variants; // "avx2,amx"; none: those that are compiled for by default
  std::optional<std::string> tune;     // none: native
  std::optional<std::string> architectures;
  bool isFast = false;
  std::string dumpDir, dumpFilter;
  std::string tolerance; // of --verify-passes; auto: what the budgets say
  GateOptions gate;
  bool isUncached = false, verifiesDevice = false;
  bool isVerbose = false, showTimes = false;
};

/// Options and arguments of the command, which leaves them in `arguments`.
void addCompileOptions(CLI::App &command, CompileArguments &arguments);

/// What cannot be given beside SRC; empty: nothing that is there.
std::string checkSource(const CLI::App &command, const CompileArguments &arguments);
/// Options whose value is one of a list that only the pipeline knows, and those that belong together: what is
/// wrong with them. Fills `arguments.pipeline`.
std::string checkArguments(CompileArguments &arguments);
/// What makes machine code of PTX for the devices that the command line or a dump names. Returns what is
/// wrong with the wish for it; `error` says what it failed at.
std::string chooseAssembler(CompileArguments &arguments, std::string &error);

} // namespace llmc::tools
#endif
