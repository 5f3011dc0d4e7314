//===- Check.h - does a smaller model still fail? ---------------*- C++ -*-===//
//
// A command that is started for each candidate, with limits to its time and memory.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_REDUCE_CHECK_H
#define LLMC_TOOLS_REDUCE_CHECK_H

#include "tools/support/LimitedCommand.h"

#include <functional>
#include <string>
#include <vector>

namespace llmc::tools {

/// Whether the model in a file still fails. One sentence in `error` if that cannot be found out.
struct CheckEnd {
  bool fails = false;
  std::string how; // it ended, for the sentence that says that nothing fails: "exit code 1"
};
/// One sentence in `error` if it cannot be done.
using Check = std::function<CheckEnd(const std::string &path, std::string &error)>;

/// A command of the shell: the path stands where it says `{}`, else behind it. Fails means: exits with 0.
Check checkByCommand(const std::string &command, const CommandLimits &limits);

/// How `compiler compile PATH OPTIONS` ends.
struct CompileCheck {
  std::string compiler;
  std::vector<std::string> options;
  bool byCrash = false;  // dies by a signal
  std::string errorText; // else: ends with a sentence that holds this
};
Check checkByCompile(const CompileCheck &check, const CommandLimits &limits);

} // namespace llmc::tools
#endif
