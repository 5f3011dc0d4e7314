// Kernels of a GPU's own load no more than they must: each matrix once a step, the cache once a token, by
// whole transactions. Counted in the emulator; what is read again and again because it is small (activations,
// vectors) stays in caches and does not count.
#include "tests/device/Counts.h"

#include <gtest/gtest.h>

using namespace llmc::test;

namespace {

constexpr uint64_t smallestMatrix = 16 << 10; // bytes; vectors of the model have 2 KB
constexpr double rest = 1.1;                  // of what must be loaded: scales beside weights, ends of pages

class Loads : public testing::TestWithParam<const char *> {
protected:
  std::string model() const { return std::string(LLMC_DEVICE_MODELS) + "/counts-" + GetParam() + ".so"; }
  std::string code() const {
    return std::string(LLMC_DEVICE_MODELS) + "/counts-" + GetParam() + ".checked.simt";
  }
  /// The cache: of q8 beside weights of q8_0, else of f16.
  bool isQ8() const { return GetParam() == std::string("q8_0"); }
  /// Of a token in a layer: K and V of two heads; in q8 32 numbers have a scale.
  uint64_t cacheBytes() const { return 2 * 2 * (isQ8() ? 64 + 2 * 2 : 64 * 2); }
};

bool isLookup(const std::string &kernel) { return kernel.starts_with("embed"); }

/// Each matrix is loaded once, or at most so often, by full transactions.
void expectMatrices(const CountTable &table, double times = 1) {
  size_t matrices = 0;
  for (const auto &[memory, counts] : sumOver(table, [](const std::string &k) { return !isLookup(k); })) {
    if (!memory.starts_with("the weights") || counts.memory < smallestMatrix || !counts.warpLoads)
      continue;
    ++matrices;
    EXPECT_GE(double(counts.warpLoads), 0.9 * double(counts.memory)) << memory; // there is padding
    EXPECT_LE(double(counts.warpLoads), times * rest * double(counts.memory)) << memory;
    EXPECT_GE(counts.fill(), 0.8) << memory;
  }
  EXPECT_EQ(matrices, 15u) << "two layers of seven, and the output";
  if (testing::Test::HasFailure())
    std::printf("%s", describe(table).c_str());
}

TEST_P(Loads, of_weights_for_one_token) { expectMatrices(countLastStep(model(), code(), {1})); }

TEST_P(Loads, of_weights_for_several_tokens) { expectMatrices(countLastStep(model(), code(), {16})); }

/// Once for the tokens of a block: 16 where gate and up are multiplied together, else 32.
TEST_P(Loads, of_weights_for_a_prompt) { expectMatrices(countLastStep(model(), code(), {48}), 3); }

/// Behind a prompt, whose launches have other names. The token makes a key block whole; what its attention
/// loads and stores besides is little: rows of q, k, v and the output, which must be, and records of key
/// blocks.
TEST_P(Loads, of_the_cache_for_one_token) {
  const uint64_t layers = 2, keys = isQ8() ? 256 : 128, rows = 4 * (512 + 128 + 128 + 512);
  const CountTable table = countSteps(model(), code(), {uint32_t(keys - 1), 1});
  auto isOfToken = [](const std::string &kernel) {
    return kernel.find("attention") != std::string::npos && !kernel.ends_with("_append") &&
           !kernel.ends_with("_prompt");
  };
  uint64_t all = 0;
  for (const auto &[memory, counts] : sumOver(table, isOfToken)) {
    if (memory == "the cache") {
      EXPECT_EQ(counts.warpLoads, keys * cacheBytes() * layers);
      EXPECT_EQ(counts.warpStores, cacheBytes() * layers);
    }
    if (memory == "the cache" || memory == "scratch" || memory.starts_with("b")) // buffers of rows
      all += counts.warpLoads + counts.warpStores;
  }
  const uint64_t least = layers * ((keys + 1) * cacheBytes() + rows);
  EXPECT_GE(all, least);
  EXPECT_LE(double(all), rest * double(least));
  if (testing::Test::HasFailure())
    std::printf("%s", describe(table).c_str());
}

/// Every kernel stores its rows once, and the keys and values of the tokens. Between launches of a kernel
/// there are `least` to `most` bytes: packed activations, or the records of attention.
void expectStores(const CountTable &table, uint64_t tokens, uint64_t cacheBytes, uint64_t least,
                  uint64_t most) {
  constexpr uint64_t layers = 2, ofLayer = 4 * (512 + 128 + 128 + 512 + 512 + 1024 + 512), hidden = 4 * 512;
  uint64_t rows = 0, between = 0, cache = 0;
  for (const auto &[key, counts] : table) {
    const auto &[kernel, memory] = key;
    const bool isBetween = kernel.ends_with("_pack") || memory == "scratch";
    (isBetween ? between : memory == "the cache" ? cache : rows) += counts.stores;
  }
  EXPECT_EQ(rows, tokens * (hidden + layers * ofLayer) + hidden + 4 * 1040) << "the last row is asked for";
  EXPECT_EQ(cache, tokens * layers * cacheBytes);
  EXPECT_GE(between, least);
  EXPECT_LE(between, most);
  if (testing::Test::HasFailure())
    std::printf("%s", describe(table).c_str());
}

TEST_P(Loads, and_stores_of_one_token) {
  constexpr uint64_t records = 2 * 8 * 4 * (64 + 2); // of each layer and head: outputs, maximum, sum
  expectStores(countLastStep(model(), code(), {1}), 1, cacheBytes(), records, records);
}

/// Its activations are packed once for each product: two planes of 16 bits and the statistics of a row.
TEST_P(Loads, and_stores_of_a_prompt) {
  constexpr uint64_t packed = 48 * 2 * (3 * 4 * 512 + 4 * 1024), statistics = 48 * 2 * 4 * 64;
  expectStores(countLastStep(model(), code(), {48}), 48, cacheBytes(), packed, packed + statistics);
}

TEST_P(Loads, of_rows_of_the_table) {
  const CountTable table = countLastStep(model(), code(), {5});
  for (const auto &[memory, counts] : sumOver(table, isLookup))
    if (memory.starts_with("the weights"))
      EXPECT_LE(double(counts.warpLoads), rest * 5 * double(counts.memory) / 1040) << memory;
  if (testing::Test::HasFailure())
    std::printf("%s", describe(table).c_str());
}

INSTANTIATE_TEST_SUITE_P(Device, Loads, testing::Values("q4_0", "q8_0"),
                         [](const testing::TestParamInfo<const char *> &info) {
                           return std::string(info.param);
                         });

} // namespace
