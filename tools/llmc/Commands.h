//===- Commands.h - the commands of llmc and their options ------*- C++ -*-===//
//
// The command line fills one of these structs and calls the command. A command returns the exit code or
// throws: Failure for exit 1 (one sentence that names file and field), UsageError for exit 2.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_LLMC_COMMANDS_H
#define LLMC_TOOLS_LLMC_COMMANDS_H

#include "runtime/device/DeviceNames.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace llmc::cli {

/// What every command takes that runs a model. 0 means: not given.
struct ModelOptions {
  std::string model;
  std::string device = anyDevice, kv = "auto";
  uint32_t threads = 0, ctx = 0, batch = 0;
  bool verbose = false, noCache = false, copyWeights = false;
};

/// What a text begins with: -p or --tokens.
struct InputOptions {
  std::optional<std::string> prompt, tokens;
};

/// What every dispatch computes, written to a folder.
struct TraceOptions {
  std::string trace, traceValues; // empty: not given; the values: a regular expression
  uint64_t traceLimit = uint64_t(1) << 32;
};

/// Where the time of steps goes. The file names are empty where not given; "-" is the table alone.
struct ProfileOptions {
  std::string profile, profileTrace;
  bool remeasure = false;
  bool isAsked() const { return !profile.empty() || !profileTrace.empty(); }
};

struct RunOptions : ModelOptions, InputOptions, TraceOptions, ProfileOptions {
  std::optional<std::string> system;
  bool chat = false, json = false, ignoreEos = false;
  uint32_t n = 0; // most tokens to generate; 0: until the model stops or the context is full
  std::optional<float> temperature, topP, minP, typicalP, repeatPenalty, presencePenalty, frequencyPenalty;
  std::optional<int32_t> topK, penaltyLastN;
  std::optional<uint64_t> seed;
  std::vector<std::string> stop;
  std::optional<std::string> session; // file
  std::string ctxPolicy = "error";
};

struct LogitsOptions : ModelOptions, TraceOptions {
  std::string tokens;
  bool all = false, json = false;
};

struct EmbedOptions : ModelOptions, InputOptions {
  std::string pooling = "last";
  bool all = false, json = false;
};

struct PerplexityOptions : ModelOptions {
  std::optional<std::string> file, tokensFile, saveLogits, kl;
  uint32_t stride = 0, skip = 0;
  bool json = false;
};

struct BenchOptions : ModelOptions, ProfileOptions {
  uint32_t prompt = 512, n = 64, depth = 0, parallel = 1, repetitions = 5;
  bool json = false;
};

struct CompareTraceOptions {
  std::string first, second;
  double tolerance = 0.01;
  bool json = false;
};

struct PlanOptions : ModelOptions {
  uint32_t seqs = 1;
  bool json = false;
};

struct TokenizeOptions {
  std::string model;
  std::optional<std::string> prompt, file; // file "-": standard input
  bool plain = false, addSpecial = false, json = false;
};

struct InspectOptions {
  std::string model;
  bool json = false, verify = false;
};

struct CacheOptions {
  bool clear = false, json = false;
};

struct DevicesOptions {
  bool json = false;
};

int run(const RunOptions &);
int logits(const LogitsOptions &);
int embed(const EmbedOptions &);
int perplexity(const PerplexityOptions &);
int bench(const BenchOptions &);
int compareTrace(const CompareTraceOptions &);
int plan(const PlanOptions &);
int tokenize(const TokenizeOptions &);
int inspect(const InspectOptions &);
int cache(const CacheOptions &);
int devices(const DevicesOptions &);

} // namespace llmc::cli
#endif
