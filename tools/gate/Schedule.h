//===- Schedule.h - the tokens that states are run on -----------*- C++ -*-===//
//
// A few tokens that meet whatever a cache can get wrong: two sequences, whole prompts of 7 and 5 tokens, then
// two steps that decode one token of each together. The same tokens may be cut otherwise.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_GATE_SCHEDULE_H
#define LLMC_TOOLS_GATE_SCHEDULE_H

#include <cstdint>
#include <string>
#include <vector>

namespace llmc::tools {

/// Tokens of one sequence in one step.
struct Chunk {
  size_t sequence;
  std::vector<int32_t> tokens;
};

struct Schedule {
  std::string name; // for messages
  std::vector<std::vector<Chunk>> steps;
  bool asksForAll = false; // logits of every token; else of each chunk's last one

  size_t sequences() const;
  /// Of the longest sequence.
  size_t tokensOfLongest() const;
  /// In the largest step.
  size_t tokensInStep() const;
};

/// Prompts of 7 and 5 tokens and two joint decodes. The tokens are seeded random numbers below `vocabulary`.
Schedule standardSchedule(int64_t vocabulary, uint64_t seed = 1);

/// The tokens of `schedule` in chunks of `n`, all with logits. `isMixed`: a step has a chunk of each
/// sequence, else of one, in turn.
Schedule inChunks(const Schedule &schedule, size_t n, bool isMixed);

} // namespace llmc::tools
#endif
