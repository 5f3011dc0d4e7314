// Candidates and sums that a device finds are those of the CPU's sampler, bit for bit: for rows of any
// length, with equal, infinite and missing numbers, in several orders of threads.
#include "GpuChoose.h"

#include "runtime/Sampler.h"

#include <bit>
#include <cmath>
#include <gtest/gtest.h>
#include <numeric>
#include <random>

using namespace llmc;
using namespace llmc::test;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

class Choosing : public GpuChoose {
public:
  /// A large row is run as it is, which is the faster: its code is the same.
  Choosing(uint32_t vocab, bool isInstrumented) : GpuChoose(vocab, {}, isInstrumented) {}

  void run(const std::vector<std::vector<float>> &rows, uint64_t wanted, uint32_t seed) {
    ASSERT_EQ(runner.error(), "");
    runner.emulator.options = {.seed = seed, .checksBounds = true, .checksRaces = true, .counts = isCounted};
    // Blocks in y share the rows: fewer than there are do as well.
    runner.mostRowBlocks = seed % 2 ? UINT32_MAX : 1;
    ASSERT_EQ(GpuChoose::run(rows, wanted), "");
  }
  const auto &counts() const { return runner.emulator.counters().counts(); }
  RowSummary row(size_t number, uint64_t wanted) const {
    const uint8_t *start = results + number * sampling().rowBytes;
    return {{reinterpret_cast<const llmc_candidate *>(start), wanted},
            {reinterpret_cast<const float *>(start + 8 * sampling().most), sampling().sums}};
  }

  bool isCounted = false;
};

std::vector<std::vector<float>> makeRows(uint32_t vocab, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 3);
  std::vector<std::vector<float>> rows(8, std::vector<float>(vocab));
  for (float &x : rows[0])
    x = normal(random);
  for (float &x : rows[1]) // many are equal, zeros of both signs among them
    x = std::copysign(std::round(std::abs(normal(random)) / 4), normal(random));
  for (float &x : rows[2])
    x = random() % 3 ? normal(random) : std::array{-infinity, std::nanf(""), -std::nanf("")}[random() % 3];
  rows[3].assign(vocab, -infinity);
  rows[4].assign(vocab, std::nanf(""));
  rows[5] = rows[0];
  rows[5][vocab / 2] = infinity;
  rows[6].assign(vocab, std::nanf(""));
  rows[6][vocab - 1] = -7; // one candidate
  for (float &x : rows[7]) // some so far below the best that they add nothing, or all but nothing
    x = normal(random) * 30;
  return rows;
}

uint32_t bits(float x) { return std::bit_cast<uint32_t>(x); }

class Choose : public testing::TestWithParam<uint32_t> {};

TEST_P(Choose, tokens_and_log_probabilities_are_those_of_whole_rows) {
  const uint32_t vocab = GetParam();
  const bool isLarge = vocab > 2000; // the emulator takes its time
  Choosing choosing(vocab, !isLarge);
  size_t chosen = 0;
  for (uint32_t seed : {1u, 2u, 3u}) {
    const std::vector<std::vector<float>> rows = makeRows(vocab, seed);
    for (int32_t k : {1, 3, 64}) {
      if (isLarge && (k == 64 || seed > 1))
        continue;
      ASSERT_NO_FATAL_FAILURE(choosing.run(rows, uint64_t(k), seed));
      for (const auto &[temperature, topP, minP, typical] :
           {std::array{0.0f, 1.0f, 0.0f, 1.0f}, std::array{0.7f, 1.0f, 0.0f, 1.0f},
            std::array{1.5f, 0.8f, 0.0f, 1.0f}, std::array{2.0f, 0.95f, 0.05f, 0.9f}}) {
        llmc_sampling_params params = {};
        params.temperature = temperature, params.top_p = topP, params.min_p = minP,
        params.typical_p = typical;
        params.repeat_penalty = 1, params.top_k = k, params.seed = seed;
        Sampler whole(params, vocab), summary(params, vocab);
        EXPECT_EQ(summary.wanted(), temperature > 0 ? uint32_t(k) : 1u);
        for (size_t row = 0; row < rows.size(); ++row)
          for (int draw = 0; draw < 4; ++draw) {
            llmc_token expected = -1, found = -1;
            float expectedLogprob = 0, foundLogprob = 0;
            const llmc_status status = whole.sample(rows[row], expected, &expectedLogprob);
            EXPECT_EQ(summary.sample(choosing.row(row, uint64_t(k)), found, &foundLogprob), status);
            EXPECT_EQ(found, expected) << "row " << row << ", top " << k << ", temperature " << temperature;
            if (!std::isnan(expectedLogprob) || !std::isnan(foundLogprob))
              EXPECT_EQ(bits(foundLogprob), bits(expectedLogprob)) << "row " << row << ", top " << k;
            EXPECT_EQ(summary.drawState(), whole.drawState());
            chosen += status == LLMC_OK;
          }
      }
    }
  }
  EXPECT_GT(chosen, isLarge ? 150u : 800u);
}

TEST_P(Choose, candidates_are_in_order) {
  const uint32_t vocab = GetParam();
  Choosing choosing(vocab, false);
  std::vector<std::vector<float>> rows = makeRows(vocab, 5);
  if (vocab > 2000)
    rows.resize(2);
  ASSERT_NO_FATAL_FAILURE(choosing.run(rows, 64, 5));
  for (size_t row = 0; row < rows.size(); ++row) {
    std::vector<llmc_token> order;
    for (uint32_t i = 0; i < vocab; ++i)
      if (!std::isnan(rows[row][i]))
        order.push_back(llmc_token(i));
    std::sort(order.begin(), order.end(), [&](llmc_token a, llmc_token b) {
      return rows[row][a] != rows[row][b] ? rows[row][a] > rows[row][b] : a < b;
    });
    order.resize(64, -1);
    if (row == 0)
      EXPECT_EQ(*choosing.chosen, std::max(order[0], 0));
    for (size_t i = 0; i < 64; ++i) {
      const llmc_candidate &found = choosing.row(row, 64).best[i];
      EXPECT_EQ(found.token, order[i]) << "row " << row << ", place " << i;
      if (order[i] >= 0)
        EXPECT_EQ(bits(found.logit), bits(rows[row][order[i]]));
    }
  }
}

class ChooseCounts : public testing::TestWithParam<uint64_t> {};

/// Once for the best, once for the sums, which need the best. What parts find and what is left for the host
/// is little beside that.
TEST_P(ChooseCounts, logits_are_read_once_by_each_pass) {
  constexpr uint32_t vocab = 128256; // of Llama 3
  constexpr uint64_t bytes = vocab * 4;
  Choosing choosing(vocab, true);
  std::vector<std::vector<float>> rows = makeRows(vocab, 1);
  rows.resize(1);
  choosing.isCounted = true;
  ASSERT_NO_FATAL_FAILURE(choosing.run(rows, GetParam(), 1));
  uint64_t all = 0;
  for (const auto &[key, counts] : choosing.counts())
    if (key.second != "step" && key.second != "arguments")
      all += counts.warpLoads + counts.warpStores;
  for (const char *kernel : {"choose_parts", "choose_sums"}) {
    const uint64_t loaded = choosing.counts().at({kernel, "logits"}).warpLoads;
    EXPECT_GE(loaded, bytes) << kernel;
    EXPECT_LE(double(loaded), 1.01 * double(bytes)) << kernel << ": the last part reads the last one again";
  }
  EXPECT_LE(double(all), 1.1 * double(2 * bytes));
}

INSTANTIATE_TEST_SUITE_P(Wanted, ChooseCounts, testing::Values(1u, 40u));

INSTANTIATE_TEST_SUITE_P(Vocabularies, Choose, testing::Values(5u, 301u, 1040u, 16500u));

TEST(Sampling, that_needs_whole_rows_says_so) {
  llmc_sampling_params params = {};
  params.top_p = params.typical_p = params.repeat_penalty = 1, params.top_k = 8;
  EXPECT_EQ(Sampler(params, 9).wanted(), 1u) << "greedy";
  params.temperature = 1;
  EXPECT_EQ(Sampler(params, 9).wanted(), 8u);
  Sampler biased(params, 9), staged(params, 9);
  biased.addBias(3, 1);
  EXPECT_EQ(biased.wanted(), 0u);
  staged.addStage({sizeof(llmc_sampler_stage), nullptr, nullptr, nullptr, nullptr});
  EXPECT_EQ(staged.wanted(), 0u);
  params.presence_penalty = 1;
  EXPECT_EQ(Sampler(params, 9).wanted(), 0u) << "from the first accepted token on";
  params.presence_penalty = 0, params.top_k = 0;
  EXPECT_EQ(Sampler(params, 9).wanted(), 0u);
}

} // namespace
