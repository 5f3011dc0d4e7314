//===- Schedule.cpp - the tokens that states are run on -------------------===//
#include "tools/gate/Schedule.h"

#include <algorithm>
#include <random>

namespace llmc::tools {

/// The tokens of each sequence in their order.
static std::vector<std::vector<int32_t>> sequencesOf(const Schedule &schedule) {
  std::vector<std::vector<int32_t>> all;
  for (const auto &step : schedule.steps)
    for (const Chunk &chunk : step) {
      if (chunk.sequence >= all.size())
        all.resize(chunk.sequence + 1);
      all[chunk.sequence].insert(all[chunk.sequence].end(), chunk.tokens.begin(), chunk.tokens.end());
    }
  return all;
}

size_t Schedule::sequences() const { return sequencesOf(*this).size(); }

size_t Schedule::tokensOfLongest() const {
  size_t longest = 0;
  for (const auto &tokens : sequencesOf(*this))
    longest = std::max(longest, tokens.size());
  return longest;
}

size_t Schedule::tokensInStep() const {
  size_t most = 0;
  for (const auto &step : steps) {
    size_t n = 0;
    for (const Chunk &chunk : step)
      n += chunk.tokens.size();
    most = std::max(most, n);
  }
  return most;
}

Schedule standardSchedule(int64_t vocabulary, uint64_t seed) {
  std::mt19937_64 random(seed); // its numbers, unlike those of distributions, are the same everywhere
  auto tokens = [&](size_t n) {
    std::vector<int32_t> list(n);
    for (int32_t &token : list)
      token = static_cast<int32_t>(random() % static_cast<uint64_t>(vocabulary));
    return list;
  };
  Schedule schedule;
  schedule.name = "prefills of 7 and 5 tokens, two decodes";
  schedule.steps.push_back({{0, tokens(7)}});
  schedule.steps.push_back({{1, tokens(5)}});
  for (int i = 0; i < 2; ++i) {
    std::vector<int32_t> first = tokens(1), second = tokens(1);
    schedule.steps.push_back({{0, first}, {1, second}});
  }
  return schedule;
}

Schedule inChunks(const Schedule &schedule, size_t n, bool isMixed) {
  const std::vector<std::vector<int32_t>> all = sequencesOf(schedule);
  Schedule cut;
  cut.asksForAll = true;
  cut.name = (isMixed ? "both sequences in chunks of " : "chunks of ") + std::to_string(n);
  size_t longest = schedule.tokensOfLongest();
  for (size_t begin = 0; begin < longest; begin += n) {
    if (isMixed)
      cut.steps.emplace_back();
    for (size_t sequence = 0; sequence < all.size(); ++sequence) {
      const std::vector<int32_t> &tokens = all[sequence];
      if (begin >= tokens.size())
        continue;
      if (!isMixed)
        cut.steps.emplace_back();
      const size_t end = std::min(begin + n, tokens.size());
      cut.steps.back().push_back({sequence, {tokens.begin() + begin, tokens.begin() + end}});
    }
  }
  return cut;
}

} // namespace llmc::tools
