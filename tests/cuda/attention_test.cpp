//===- attention_test.cpp - attention on a GPU against double precision ---===//
//
// Two sequences over shuffled pages, in batches that go through every launch; the same tokens in other
// batches, orders of threads and grids must give the same bits.
//
//===----------------------------------------------------------------------===//
#include "GpuAttention.h"

#include <gtest/gtest.h>
#include <set>

using namespace llmc;
using namespace llmc::test;
using emit::AttentionSpec;

namespace {

using Token = AttentionCase::Token;
using Outputs = AttentionCase::Outputs;

void extend(std::vector<Token> &batch, int32_t sequence, int32_t from, int32_t to) {
  for (int32_t i = from; i < to; ++i)
    batch.push_back({sequence, i});
}

std::vector<Token> tokens(int32_t sequence, int32_t from, int32_t to) {
  std::vector<Token> batch;
  extend(batch, sequence, from, to);
  return batch;
}

/// Prefills of 7 and 5 tokens in one step, decode steps of both, a long prompt of one beside a token of the
/// other, and decode steps again.
std::vector<std::vector<Token>> mixedBatches(int32_t end) {
  std::vector<std::vector<Token>> batches(1);
  extend(batches[0], 0, 0, 7);
  extend(batches[0], 1, 0, 5);
  for (int32_t i = 0; i < 3; ++i)
    batches.push_back({{1, 5 + i}, {0, 7 + i}});
  std::vector<Token> prompt = tokens(0, 10, end - 3);
  prompt.insert(prompt.begin() + 3, {1, 8}); // between rows of the other sequence
  batches.push_back(prompt);
  for (int32_t i = end - 3; i < end; ++i)
    batches.push_back({{0, i}});
  return batches;
}

/// The same tokens in chunks, some of which end in the middle of a key block; sequence 1 comes last.
std::vector<std::vector<Token>> chunks(int32_t end, std::initializer_list<int32_t> lengths) {
  std::vector<std::vector<Token>> batches;
  for (int32_t at = 0; at < end;)
    for (int32_t length : lengths) {
      batches.push_back(tokens(0, at, std::min(end, at + length)));
      at = std::min(end, at + length);
      if (at == end)
        break;
    }
  batches.push_back(tokens(1, 0, 9));
  return batches;
}

Outputs run(GpuAttention &attention, const std::vector<std::vector<Token>> &batches, uint32_t seed) {
  Outputs outputs;
  EXPECT_EQ(attention.run(batches, seed, outputs), "");
  return outputs;
}

void expectNear(GpuAttention &attention, double tolerance, const Outputs &outputs) {
  double largest = 0;
  for (const auto &[token, values] : outputs) {
    const std::vector<double> expected = attention.reference(token.first, token.second);
    for (size_t i = 0; i < values.size(); ++i) {
      const double error = std::abs(values[i] - expected[i]);
      ASSERT_LE(error, tolerance) << "sequence " << token.first << " position " << token.second << " column "
                                  << i; // a NaN is not
      largest = std::max(largest, error);
    }
  }
  EXPECT_GT(largest, 0); // something was compared
}

void check(GpuAttention &attention, double tolerance, int32_t end) {
  ASSERT_EQ(attention.runner.error(), "");
  const Outputs first = run(attention, mixedBatches(end), 1);
  expectNear(attention, tolerance, first);
  EXPECT_TRUE(first == run(attention, chunks(end, {end}), 2)) << "in one step";
  attention.runner.moreRowBlocks = 2, attention.runner.moreKeyBlocks = 4;
  EXPECT_TRUE(first == run(attention, chunks(end, {1, 3, 30, 64, 100}), 3)) << "in chunks";
}

struct Case {
  const char *name = "";
  AttentionSpec spec = {};
  int64_t window = 0;
  const char *type = "f32"; // of storage
  int32_t end = 60;         // tokens of the longer sequence
};

std::vector<Case> cases() {
  std::vector<Case> all;
  auto add = [&](const char *name, AttentionSpec spec, auto edit, Case rest = {}) {
    edit(spec);
    rest.name = name, rest.spec = spec;
    all.push_back(rest);
  };
  auto asItIs = [](AttentionSpec &) {};
  add("SeveralBlocks", makeSpec(3, 1, 18), asItIs, {.end = 290});
  add("Mha32", makeSpec(2, 2, 32), asItIs);
  add("Gqa64", makeSpec(3, 1, 64), asItIs);
  add("Gqa64F16", makeSpec(3, 1, 64), asItIs, {.type = "f16"});
  add("Gqa64BF16", makeSpec(3, 1, 64), asItIs, {.type = "bf16"});
  add("Gqa18Q8", makeSpec(3, 1, 18), asItIs, {.type = "q8", .end = 290});
  add("Interleaved80Q8", makeSpec(4, 1, 80), [](AttentionSpec &s) { s.ropeInterleaved = true; },
      {.type = "q8"});
  add("PartOfRope96", makeSpec(2, 2, 96), [](AttentionSpec &s) { s.ropeDims = 48, s.ropeFactor = 1.25; });
  add("GqaOf8", makeSpec(8, 1, 128), asItIs, {.type = "f16", .end = 45});
  add("Gqa256", makeSpec(4, 1, 256), asItIs, {.end = 45});
  add("MqaOf40", makeSpec(40, 1, 32), [](AttentionSpec &s) { s.ropeDims = 0; }, {.end = 45});
  add("Window", makeSpec(6, 2, 32), asItIs, {.window = 9});
  add("WindowOfBlocks", makeSpec(2, 1, 16), [](AttentionSpec &s) { s.softcap = 2; },
      {.window = 150, .end = 290});
  add("BlocksOf512", makeSpec(8, 1, 16), asItIs, {.type = "q8", .end = 540});
  add("WindowInBlock", makeSpec(4, 1, 16), asItIs, {.window = 50, .type = "q8", .end = 240});
  add("Sinks", makeSpec(4, 2, 32), [](AttentionSpec &s) { s.hasSinks = true; }, {.window = 40});
  add("Norms64", withNorms(makeSpec(3, 1, 64)), asItIs);
  add("NormsPlusOne18Q8", withNorms(makeSpec(3, 1, 18)),
      [](AttentionSpec &s) { s.normPlusOne = true, s.normEps = 0.5; }, {.type = "q8", .end = 290});
  add("NormsWithoutRope40", withNorms(makeSpec(8, 1, 40)),
      [](AttentionSpec &s) { s.gainQ = false, s.ropeDims = 0, s.hasSinks = true; });
  add("DimensionsDiffer", makeSpec(3, 1, 192), [](AttentionSpec &s) { s.ropeDims = 64, s.dimV = 40; });
  add("PagesOf64Q8", makeSpec(4, 2, 48), [](AttentionSpec &s) { s.pageTokens = 64; },
      {.type = "q8", .end = 80});
  return all;
}

class CudaAttention : public testing::TestWithParam<Case> {};

TEST_P(CudaAttention, MatchesDoubleHoweverTokensCome) {
  // As for CPUs (tests/codegen/attention_test.cpp).
  const std::map<std::string, double> budgets = {
      {"f32", 3e-6}, {"f16", 1.5e-3}, {"bf16", 1.2e-2}, {"q8", 1.5e-2}};
  Case wanted = GetParam();
  wanted.spec.cacheType = &emit::kvType(wanted.type);
  Random random(6);
  GpuAttention attention(wanted.spec, random, wanted.window);
  check(attention, budgets.at(wanted.type), wanted.end);
}

INSTANTIATE_TEST_SUITE_P(All, CudaAttention, testing::ValuesIn(cases()),
                         [](const auto &info) { return std::string(info.param.name); });

/// Records of four key blocks are put together at a time. A window of 430 keys leaves the first block at
/// position 557: until then there are five, then four.
TEST(CudaAttentionBlocks, SomeAtATime) {
  constexpr int32_t prompt = 550, end = 567;
  Random random(8);
  GpuAttention attention(makeSpec(1, 1, 16), random, /*window=*/430);
  ASSERT_EQ(attention.runner.error(), "");
  ASSERT_EQ(cuda::AttentionShape(attention.spec).blockKeys(), 128);
  const Outputs few = run(attention, {tokens(0, 0, prompt), tokens(0, prompt, end)}, 1);
  expectNear(attention, 3e-6, few); // as other caches of f32
  EXPECT_TRUE(few == run(attention, {tokens(0, 0, end)}, 2));
}

/// Of the cache, and with so many query heads for a kv head.
class CudaAttentionCounts : public testing::TestWithParam<std::tuple<const char *, int>> {};

/// A token at the end of whole blocks: every key and value comes once, in whole transactions, and with the
/// rows and records that is within 10 % of what must be. Arguments and frequencies stay in caches.
TEST_P(CudaAttentionCounts, KeysOnceAndLittleBesides) {
  auto [type, group] = GetParam();
  Random random(7);
  AttentionSpec spec = makeSpec(group, 1, 128);
  spec.cacheType = &emit::kvType(type);
  const cuda::AttentionShape shape(spec);
  const int64_t keys = 512;
  ASSERT_EQ(keys % shape.blockKeys(), 0);
  GpuAttention attention(spec, random);
  ASSERT_EQ(attention.runner.error(), "");
  GpuAttention::Cache cache = attention.makeCache();
  std::fill_n(cache.pool.pages, cache.bytes, 0);
  attention.runner.emulator.options.counts = true;
  Outputs outputs;
  ASSERT_EQ(attention.step(cache, {{0, keys - 1}}, outputs), "");
  EXPECT_EQ(attention.runner.launches, 2u);
  const uint64_t ofKey = spec.layout().tokenBytes();
  uint64_t all = 0;
  for (const auto &[key, counts] : attention.runner.emulator.counters().counts()) {
    if (std::set<std::string>{"pages", "q", "k", "v", "scratch", "y"}.contains(key.second))
      all += counts.warpLoads + counts.warpStores;
    if (key.second == "pages") {
      EXPECT_EQ(counts.loads, keys * ofKey);
      EXPECT_LE(128 * counts.loadTransactions, keys * ofKey * 5 / 4);
      EXPECT_EQ(counts.stores, ofKey);
    }
  }
  const uint64_t rows = 4 * (2 * attention.widthQ() + attention.widthK() + attention.widthV());
  const uint64_t least = (keys + 1) * ofKey + rows;
  EXPECT_GE(all, least);
  EXPECT_LE(double(all), 1.1 * double(least)) << "blocks of " << shape.blockKeys() << " keys";
}

INSTANTIATE_TEST_SUITE_P(All, CudaAttentionCounts,
                         testing::Combine(testing::Values("f32", "f16", "bf16", "q8"), testing::Values(4, 8)),
                         [](const auto &info) {
                           return std::string(std::get<0>(info.param)) + "Of" +
                                  std::to_string(std::get<1>(info.param));
                         });

TEST(CudaAttentionRefusals, SayWhatIsWrong) {
  auto refused = [](auto edit, const char *why) {
    AttentionSpec spec = makeSpec(6, 2, 64);
    edit(spec);
    EXPECT_NE(cuda::whyNoAttention(spec).find(why), std::string::npos) << cuda::whyNoAttention(spec);
  };
  EXPECT_EQ(cuda::whyNoAttention(makeSpec(6, 2, 64)), "");
  refused([](AttentionSpec &s) { s.causal = false; }, "only causal");
  refused([](AttentionSpec &s) { s.pageTokens = 48; }, "pages of a multiple of 32 tokens, but got 48");
  refused([](AttentionSpec &s) { s.dimV = 2048; }, "at most 1024 dimensions, but got 2048");
  refused([](AttentionSpec &s) { s.dimK = 8192; }, "bytes of shared memory");
}

} // namespace
