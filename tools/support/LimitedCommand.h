//===- LimitedCommand.h - a program held to time and memory -----*- C++ -*-===//
#ifndef LLMC_TOOLS_SUPPORT_LIMITEDCOMMAND_H
#define LLMC_TOOLS_SUPPORT_LIMITEDCOMMAND_H

#include <cstdint>
#include <string>
#include <vector>

namespace llmc {

struct CommandLimits {
  unsigned seconds = 60;
  uint64_t mebibytes = 8192; // of address space, of each process
};

struct CommandEnd {
  int exitCode = -1; // -1 unless it exited by itself
  int signal = 0;    // that ended it; 0 if none
  bool isLate = false;
  std::string output; // what it wrote to standard output and standard error, at most 1 MiB
};

/// Runs a program, found by its path, in a process group of its own, which ends with it. One sentence in
/// `error` if it cannot be started. Several threads may run one each.
CommandEnd runLimited(const std::vector<std::string> &arguments, const CommandLimits &limits,
                      std::string &error);

/// Ends the commands that run, for a handler of signals. Async-signal-safe.
void endRunningCommands();

} // namespace llmc
#endif
