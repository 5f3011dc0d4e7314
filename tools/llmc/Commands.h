//===- Commands.h - the commands of llmc and their options ------*- C++ -*-===//
//
// Main.cpp fills one of these structs from the command line and calls the command. A command returns the exit
// code or throws: Failure for exit 1 (one sentence that names file and field), UsageError for exit 2.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_LLMC_COMMANDS_H
#define LLMC_TOOLS_LLMC_COMMANDS_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace llmc::cli {

/// What every command takes that runs a model. 0 means: not given.
struct ModelOptions {
  std::string model;
  std::string device = "auto", kv = "auto";
  uint32_t threads = 0, ctx = 0, batch = 0;
  bool verbose = false;
};

struct RunOptions : ModelOptions {
  std::optional<std::string> prompt, tokens;
  bool chat = false, json = false, ignoreEos = false;
  uint32_t n = 0; // most tokens to generate; 0: until the model stops or the context is full
  std::optional<float> temperature, topP;
  std::optional<int32_t> topK;
  std::optional<uint64_t> seed;
  std::vector<std::string> stop;
};

struct LogitsOptions : ModelOptions {
  std::string tokens;
  bool all = false, json = false;
};

struct TokenizeOptions {
  std::string model;
  std::optional<std::string> prompt, file; // file "-": standard input
  bool plain = false, addSpecial = false, json = false;
};

struct InspectOptions {
  std::string model;
  bool json = false;
};

int run(const RunOptions &);
int logits(const LogitsOptions &);
int tokenize(const TokenizeOptions &);
int inspect(const InspectOptions &);

/// `llmc import …` and `llmc compile …`: becomes llmc-compile, with all arguments as they are. Returns only
/// on failure.
int becomeCompiler(int argc, char **argv);

} // namespace llmc::cli
#endif
