//===- Side.h - one of two compiles that are held together ------*- C++ -*-===//
//
// What a compile was after each pass, read from the folder of its --dump-ir, so that another version of the
// compiler is as good as this one.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_BISECT_SIDE_H
#define LLMC_TOOLS_BISECT_SIDE_H

#include "tools/support/LimitedCommand.h"

#include <optional>
#include <string>
#include <vector>

namespace llmc::tools {

struct SideState {
  std::string pass, phase;
  std::string text; // of the module, without what a dump says of its compile
};

struct Side {
  std::string folder, activations, cacheTypes;
  std::vector<std::string> weightFiles;
  bool hasRandomWeights = false;
  std::string program; // the file that the phase `llvm` starts from; empty where the dump ends before
  std::vector<SideState> states;
};

/// What is compiled, and with what.
struct SideSource {
  std::string model; // a model file, or the folder of a dump
  std::vector<std::string> options;
  std::string compiler;
};

/// Whether the folder is that of a dump.
bool isDumpFolder(const std::string &path);

/// Compiles as far as the phase `step`, with a dump in `folder`. Nothing and one sentence on failure;
/// `isUsage` where the compiler takes the options for wrong.
std::optional<Side> makeSide(const SideSource &source, const std::string &folder, const CommandLimits &limits,
                             std::string &error, bool &isUsage);

/// Whether there is all that a model.so needs.
bool canCompile(const Side &side, const SideSource &source);

/// Makes the side's model.so: from its model, or from the program of its dump.
bool compileSide(const Side &side, const SideSource &source, const std::string &path,
                 const CommandLimits &limits, std::string &error);

} // namespace llmc::tools
#endif
