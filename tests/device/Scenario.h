// The run that every check of numbers makes: two sequences, prefills of 7 and 5 tokens, then decode steps of
// both. And runs of other steps.
#pragma once

#include "tests/device/TestSession.h"

#include <string>
#include <utility>
#include <vector>

namespace llmc::test {

struct ScenarioResult {
  llmc_status status = LLMC_OK;
  std::string error;                      ///< llmc_last_error(), if a call failed
  std::vector<std::vector<float>> logits; ///< of each row, in order
  std::vector<llmc_pos> lengths;          ///< of the sequences when a step failed
  bool wasRepeated = false;               ///< a step that failed was well when it was tried again
};

/// Loads the model on the device, runs it, frees everything.
ScenarioResult runScenario(const std::string &path, const std::string &device);

/// Of each step: how many tokens it has of which sequence.
using Steps = std::vector<std::vector<std::pair<int, size_t>>>;
/// Likewise, steps of which all rows are asked for.
ScenarioResult runSteps(const std::string &path, const std::string &device, const SessionShape &shape,
                        const Steps &steps);

/// The largest difference of two runs, in units of the first one's standard deviation.
double difference(const ScenarioResult &a, const ScenarioResult &b);

/// What a session of its own writes: tokens behind a prompt, and the logits after some more steps.
struct Text {
  std::string error; ///< of the call that failed
  std::vector<llmc_token> tokens;
  std::vector<float> logits;
  bool operator==(const Text &) const = default;
};

/// Steps that a text takes, each of which waits for the device once.
constexpr uint32_t textTokens = 9, textSteps = 1 + textTokens + 3;

/// Prompts that begin with another token make another text. Any thread may call it.
Text writeText(llmc_model *model, llmc_token first);

} // namespace llmc::test
