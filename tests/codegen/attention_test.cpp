//===- attention_test.cpp - paged attention against double precision ------===//
//
// Ragged prefills and decode steps of two sequences over shuffled pages; the same tokens in other batches and
// with other worker counts must give the same bits.
//
//===----------------------------------------------------------------------===//
#include "AttentionCase.h"
#include "KernelJit.h"

#include <gtest/gtest.h>

using namespace llmc;
using namespace llmc::test;
using emit::AttentionSpec;

namespace {

constexpr int64_t maxPosition = 176;

struct Attention : AttentionCase {
  const cpu::Isa &isa;
  KernelJit jit;
  cpu::KernelResult kernel;

  Attention(const AttentionSpec &spec, const cpu::Isa &isa, Random &random, int64_t window = 0)
      : AttentionCase(spec, random, window, ::maxPosition), isa(isa) {}

  bool compile() {
    auto result = cpu::emitAttention(jit.module(), "attention", spec, isa);
    if (mlir::failed(result) || !jit.compile())
      return false;
    kernel = *result;
    return true;
  }

  /// Cached tokens of both sequences; a page of the pool also holds something else before and after the
  /// layer.
  struct Cache {
    static constexpr int64_t gap = 128;
    std::vector<uint8_t> storage;
    std::vector<int32_t> table;
    llmc_kv_pool pool;
    uint64_t offsetK, offsetV;
    uint64_t counted = 0;

    explicit Cache(const AttentionSpec &spec) {
      const emit::KVLayout layout = spec.layout();
      const int64_t pages = (::maxPosition + spec.pageTokens - 1) / spec.pageTokens;
      offsetK = gap, offsetV = offsetK + layout.pageBytesK() + gap;
      pool.page_bytes = offsetV + layout.pageBytesV() + gap;
      storage.assign(sequences * pages * pool.page_bytes + 64, 0);
      // What an earlier owner left behind must not matter, even if it is NaN.
      for (uint8_t &byte : storage)
        byte = 0xff;
      pool.pages = storage.data() + (64 - reinterpret_cast<uintptr_t>(storage.data()) % 64);
      for (int64_t i = 0; i < sequences * pages; ++i)
        table.push_back(int32_t((i * 7 + 2) % (sequences * pages)));
      pool.table = table.data();
      pool.table_stride = pages;
    }
  };

  void step(Cache &cache, const std::vector<Token> &batch, uint32_t workers, Outputs &outputs) {
    const int64_t rows = batch.size();
    Matrix mq(rows, widthQ()), mk(rows, widthK()), mv(rows, widthV()), y(rows, widthOut());
    std::vector<llmc_token_row> tokens;
    for (int64_t r = 0; r < rows; ++r) {
      auto [sequence, position] = batch[r];
      tokens.push_back({0, sequence, position, 1});
    }
    fillRows(batch, mq, mk, mv);
    std::vector<const void *> args = {mq.data, mk.data, mv.data};
    for (const std::vector<float> *gain : {&gainQ, &gainK})
      if (!gain->empty())
        args.push_back(gain->data());
    if (spec.ropeDims)
      args.push_back(frequencies.data());
    if (window)
      args.push_back(reinterpret_cast<const void *>(uintptr_t(window)));
    args.push_back(reinterpret_cast<const void *>(uintptr_t(1))); // cache 1 of 2
    args.push_back(reinterpret_cast<const void *>(uintptr_t(cache.offsetK)));
    args.push_back(reinterpret_cast<const void *>(uintptr_t(cache.offsetV)));
    args.push_back(y.data);
    const llmc_kv_pool pools[2] = {{}, cache.pool};
    StepRunner runner;
    runner.step.rows[LLMC_ROWS_TOKENS] = rows;
    std::map<int32_t, int32_t> lengths;
    for (auto [sequence, position] : batch)
      lengths[sequence] = std::max(lengths[sequence], position + 1);
    for (auto [sequence, length] : lengths)
      runner.keys += length;
    runner.step.tokens = tokens.data();
    runner.step.kv = pools;
    runner.step.count_load = [](const llmc_step *step, const void *, uint64_t bytes) {
      *static_cast<uint64_t *>(step->count_load_data) += bytes;
    };
    runner.step.count_load_data = &cache.counted;
    runner.run(jit, "attention", kernel, rows, args, workers);
    for (int64_t r = 0; r < rows; ++r) {
      outputs[batch[r]] = std::vector<float>(&y.at(r, 0), &y.at(r, 0) + widthOut());
      for (int64_t c = widthOut(); c < y.stride; ++c)
        ASSERT_EQ(y.at(r, c), 0);
    }
  }
};

/// Outputs are those of all ways that the tokens may come.
void check(Attention &attention, double tolerance, Attention::Outputs &first) {
  using Token = Attention::Token;
  ASSERT_TRUE(attention.compile());
  // Prefills of 7 and 5 in one step, decode steps of both, a long prefill across page borders (with tiles of
  // tokens), decode again (with pages shared among workers).
  std::vector<std::vector<Token>> mixed;
  std::vector<Token> batch;
  for (int32_t i = 0; i < 7; ++i)
    batch.push_back({0, i});
  for (int32_t i = 0; i < 5; ++i)
    batch.push_back({1, i});
  mixed.push_back(batch);
  for (int32_t i = 0; i < 3; ++i)
    mixed.push_back({{1, 5 + i}, {0, 7 + i}});
  batch.clear();
  for (int32_t i = 10; i < 150; ++i)
    batch.push_back({0, i});
  batch.push_back({1, 8});
  mixed.push_back(batch);
  for (int32_t i = 150; i < 170; ++i)
    mixed.push_back({{0, i}});

  Attention::Cache cache(attention.spec);
  for (auto &step : mixed)
    attention.step(cache, step, 1, first);
  double worst = 0;
  for (auto &[token, values] : first) {
    auto expected = attention.reference(token.first, token.second);
    for (size_t i = 0; i < values.size(); ++i) {
      ASSERT_FALSE(std::isnan(values[i])) << "sequence " << token.first << ", position " << token.second;
      worst = std::max(worst, std::abs(values[i] - expected[i]));
    }
  }
  EXPECT_LE(worst, tolerance);

  for (uint32_t workers : {2, 3}) {
    Attention::Outputs again;
    Attention::Cache fresh(attention.spec);
    for (auto &step : mixed)
      attention.step(fresh, step, workers, again);
    EXPECT_TRUE(first == again) << workers << " workers";
  }
  Attention::Outputs single;
  Attention::Cache fresh(attention.spec);
  for (int32_t i = 0; i < 170; ++i) {
    attention.step(fresh, {{0, i}}, 2, single);
    if (i < 9)
      attention.step(fresh, {{1, i}}, 1, single);
  }
  if (!cpu::usesTiles(attention.spec, attention.isa)) {
    EXPECT_TRUE(first == single) << "token by token";
    return;
  }
  for (auto &[token, values] : first)
    for (size_t i = 0; i < values.size(); ++i)
      ASSERT_NEAR(single[token][i], values[i], 2 * tolerance) << "token by token";
}

TEST(Attention, MatchesDouble) {
  struct Case {
    std::string name;
    AttentionSpec spec;
    int64_t window;
    bool inEveryType; // of storage; else f32 alone: how a row is read is apart from what is done with it
  };
  std::vector<Case> cases;
  auto add = [&](const char *name, AttentionSpec spec, auto edit, int64_t window = 0,
                 bool inEveryType = false) {
    edit(spec);
    cases.push_back({name, spec, window, inEveryType});
  };
  add("mha 18", makeSpec(4, 4, 18), [](AttentionSpec &) {});
  add("gqa 18", makeSpec(6, 2, 18), [](AttentionSpec &) {}, 0, true);
  add("gqa 64", makeSpec(9, 3, 64), [](AttentionSpec &) {}, 0, true);
  add("mqa 64", makeSpec(4, 1, 64), [](AttentionSpec &s) { s.ropeInterleaved = true; });
  add("mqa 18 interleaved", makeSpec(4, 1, 18), [](AttentionSpec &s) { s.ropeInterleaved = true; });
  add("window", makeSpec(6, 2, 64), [](AttentionSpec &) {}, 9);
  add("window of several pages, softcap", makeSpec(6, 2, 64), [](AttentionSpec &s) { s.softcap = 2; }, 75);
  add("dims differ", makeSpec(6, 2, 96), [](AttentionSpec &s) { s.ropeDims = 64, s.dimV = 32; });
  add("window, softcap", makeSpec(6, 2, 18), [](AttentionSpec &s) { s.softcap = 2; }, 40);
  add("partial rope", makeSpec(2, 2, 64), [](AttentionSpec &s) { s.ropeDims = 32, s.ropeFactor = 1.25; });
  add(
      "no rope, dims differ", makeSpec(2, 1, 64), [](AttentionSpec &s) { s.ropeDims = 0, s.dimV = 40; }, 0,
      true);
  add("window over shared pages", makeSpec(9, 3, 32), [](AttentionSpec &s) { s.pageTokens = 16; }, 100, true);
  add("pages of 16", makeSpec(2, 1, 128), [](AttentionSpec &s) { s.pageTokens = 16; });
  // Windows begin at odd keys; rows and groups of q8 end within 32 dimensions.
  add("window, softcap, 80 dims", makeSpec(6, 2, 80), [](AttentionSpec &s) { s.softcap = 2; }, 41, true);
  add("norms of heads", withNorms(makeSpec(6, 2, 64)), [](AttentionSpec &) {}, 0, true);
  add(
      "norms, gains plus one, 18 dims", withNorms(makeSpec(4, 2, 18)),
      [](AttentionSpec &s) { s.normPlusOne = true, s.normEps = 0.5; }, 9);
  add("norms, a gain of k alone, no rope", withNorms(makeSpec(4, 1, 40)),
      [](AttentionSpec &s) { s.gainQ = false, s.ropeDims = 0; });
  // What rounding does to values up to 1.5 (and to keys, whose rotation may reach 1.5 sqrt 2): f16 has 11
  // bits, 1.5 * 2^-11; bf16 has 8; q8 rounds to half of 1/127 of the largest of 32. Less after averaging; the
  // first token of a sequence is not averaged.
  const std::pair<const char *, double> budgets[] = {
      {"f32", 3e-6}, {"f16", 1.5e-3}, {"bf16", 1.2e-2}, {"q8", 1.5e-2}};
  std::map<std::string, Attention::Outputs> portable; // of the first variant: others have the same bits
  for (const cpu::Isa *isa : runnableIsas()) {
    Random random(6);
    for (auto &[name, spec, window, inEveryType] : cases)
      for (auto [type, budget] : llvm::ArrayRef(budgets).take_front(inEveryType ? std::size(budgets) : 1)) {
        SCOPED_TRACE(name + " " + type + " " + isa->name.str());
        spec.cacheType = &emit::kvType(type);
        spec.mayRound = true;
        const bool inBF16 = cpu::differsFromBase(spec, *isa);
        if (!isa->base.empty() && !inBF16)
          continue; // it runs the kernel of its base
        Attention attention(spec, *isa, random, window);
        // Queries, keys, values and probabilities are bf16, as if the cache were.
        Attention::Outputs outputs;
        check(attention, inBF16 ? budget + budgets[2].second : budget, outputs);
        if (isa->isPortable())
          EXPECT_TRUE(portable.try_emplace(name + type, outputs).first->second == outputs) << "other bits";
      }
  }
}

/// Those that have a kernel of their own.
std::vector<const cpu::Isa *> isasWithAttention(const AttentionSpec &spec) {
  std::vector<const cpu::Isa *> isas = runnableIsas();
  llvm::erase_if(isas, [&](const cpu::Isa *isa) {
    return isa->mixesUnits() || (!isa->base.empty() && !cpu::differsFromBase(spec, *isa));
  });
  return isas;
}

// What a family has fetched ahead changes nothing; single tokens, by one worker and in pages that two share.
TEST(Attention, FamiliesGiveTheSameBits) {
  for (const char *type : {"f16", "q8"}) {
    AttentionSpec spec = makeSpec(6, 2, 64);
    spec.cacheType = &emit::kvType(type);
    spec.mayRound = true;
    Attention::Outputs ofPortable, ofOthers;
    for (const cpu::Isa *isa : isasWithAttention(spec)) {
      Attention::Outputs &first = isa->isPortable() ? ofPortable : ofOthers;
      for (const cpu::CpuFamily &family : cpu::allFamilies()) {
        SCOPED_TRACE(type + (" " + isa->name.str()) + " " + family.name.str());
        const cpu::Isa tuned = cpu::tunedFor(*isa, family);
        Random random(6);
        Attention attention(spec, tuned, random);
        ASSERT_TRUE(attention.compile());
        Attention::Cache cache(spec);
        Attention::Outputs outputs;
        for (int32_t i = 0; i < 170; ++i)
          attention.step(cache, {{0, i}}, 1 + i % 2, outputs);
        if (first.empty())
          first = outputs;
        EXPECT_TRUE(first == outputs) << "other bits";
      }
    }
  }
}

TEST(Attention, NumbersBeyondHalvesStayFinite) {
  Random random(8);
  AttentionSpec spec = makeSpec(2, 1, 64);
  spec.cacheType = &emit::kvType("f16");
  spec.mayRound = true;
  for (const cpu::Isa *isa : isasWithAttention(spec)) {
    Attention attention(spec, *isa, random);
    attention.v[0] = 7e4f, attention.v[1] = -1e30f, attention.v[2] = 65504.0f;
    attention.k[0] = 1e30f;
    ASSERT_TRUE(attention.compile());
    Attention::Cache cache(spec);
    Attention::Outputs outputs;
    attention.step(cache, {{0, 0}}, 1, outputs);
    const std::vector<float> &first = outputs[{0, 0}];
    const float largest = cpu::usesBF16Dots(spec, *isa) ? 65536 : 65504; // of f16, and that as bf16
    EXPECT_EQ(first[0], largest);
    EXPECT_EQ(first[1], -largest);
    EXPECT_EQ(first[2], largest);
  }
}

TEST(Attention, CountsVisibleKeys) {
  Random random(7);
  AttentionSpec spec = makeSpec(6, 2, 64);
  spec.countLoads = true;
  Attention attention(spec, *runnableIsas().at(0), random);
  ASSERT_TRUE(attention.compile());
  Attention::Cache cache(spec);
  Attention::Outputs outputs;
  for (int32_t i = 0; i < 40; ++i) {
    cache.counted = 0;
    attention.step(cache, {{0, i}}, 2, outputs);
    EXPECT_EQ(cache.counted, uint64_t((i + 1) * 2 * (64 + 64) * 4));
  }
}

TEST(Attention, RefusesWhatItCannotDo) {
  KernelJit jit;
  std::string message;
  mlir::ScopedDiagnosticHandler handler(jit.module().getContext(),
                                        [&](mlir::Diagnostic &d) { message = d.str(); });
  auto refused = [&](auto edit, const char *why) {
    AttentionSpec spec = makeSpec(6, 2, 64);
    edit(spec);
    EXPECT_TRUE(mlir::failed(cpu::emitAttention(jit.module(), "a", spec, cpu::allIsas()[0])));
    EXPECT_NE(message.find(why), std::string::npos) << message;
  };
  refused([](AttentionSpec &s) { s.kvHeads = 4; }, "heads in multiples of kv heads");
  refused([](AttentionSpec &s) { s.pageTokens = 24; }, "pages of a multiple of 16 tokens, but got 24");
  refused([](AttentionSpec &s) { s.ropeDims = 65; }, "rotated dimensions");
  refused([](AttentionSpec &s) { s.causal = false; }, "only causal attention");
}

} // namespace
