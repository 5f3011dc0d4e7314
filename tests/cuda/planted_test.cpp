//===- planted_test.cpp - mistakes in emitted kernels are found -----------===//
//
// That a kernel passes in the emulator says something only if it would not pass with a barrier less. So its
// barriers and waits, shuffles and reads of global memory are made wrong in turn (Mistakes.h), and the
// emulator must find an error, or the result have other bits. Shapes are small ones that need every barrier;
// one that no shape needs should not be in the kernel.
//
//===----------------------------------------------------------------------===//
#include "GpuAttention.h"
#include "GpuChoose.h"
#include "GpuEmbed.h"
#include "GpuLinear.h"
#include "Planted.h"

#include <gtest/gtest.h>
#include <set>

using namespace llmc;
using namespace llmc::test;

namespace {

struct LinearSubject : Subject {
  LinearSubject(const LinearSpec &spec, int64_t rows, const Change &change,
                int64_t mostGroups = cuda::mostSplitGroups)
      : random(1), linear(spec, random, change, mostGroups), rows(rows) {
    linear.runner.mostRowBlocks = 1; // they go through rows in turn
    // The largest numbers are a warp's last lane's, by so much that others do not stand for them: each step
    // of a fold to a maximum matters. A warp takes rows that are 4 or 8 apart.
    for (int64_t row = 0; row < rows; ++row)
      linear.x.at(row, 125) = row % 4 == 0 ? 60 : 0;
    linear.gain[125] = 8;
    linear.normBias[126] = 16;
  }
  DeviceKernelRunner &runner() override { return linear.runner; }
  std::string run(std::vector<float> &result) override {
    GpuLinear::Outputs y;
    std::string error = linear.run(rows, y);
    result.clear();
    for (const auto &output : y)
      result.insert(result.end(), output->data, output->data + rows * output->stride);
    return error;
  }
  Random random;
  GpuLinear linear;
  int64_t rows;
};

struct AttentionSubject : Subject {
  AttentionSubject(emit::AttentionSpec spec, const char *type, std::vector<AttentionCase::Token> batch,
                   const Change &change)
      : random(1), attention(typed(spec, type), random, 0, change), batch(std::move(batch)) {
    attention.runner.mostRowBlocks = attention.runner.mostKeyBlocks = 1;
  }
  static emit::AttentionSpec typed(emit::AttentionSpec spec, const char *type) {
    spec.cacheType = &emit::kvType(type);
    return spec;
  }
  DeviceKernelRunner &runner() override { return attention.runner; }
  std::string run(std::vector<float> &result) override {
    const GpuAttention::Cache cache = attention.makeCache();
    // Bytes that are small numbers in every type.
    Random bytes(2);
    for (uint64_t i = 0; i < cache.bytes; ++i)
      cache.pool.pages[i] = uint8_t(0x20 + bytes() % 0x1c);
    AttentionCase::Outputs outputs;
    const std::string error = attention.step(cache, batch, outputs);
    attention.runner.reset();
    result.clear();
    for (const auto &[token, values] : outputs)
      result.insert(result.end(), values.begin(), values.end());
    return error;
  }
  Random random;
  GpuAttention attention;
  std::vector<AttentionCase::Token> batch;
};

struct ChooseSubject : Subject {
  explicit ChooseSubject(const Change &change) : choose(vocab, change) {
    choose.runner.mostRowBlocks = 1;
    Random random(1);
    for (std::vector<float> &row : logits)
      for (int64_t i = 0; i < vocab; ++i)
        row.push_back(uniform(random, -3, 3));
  }
  DeviceKernelRunner &runner() override { return choose.runner; }
  std::string run(std::vector<float> &result) override {
    const std::string error = choose.run(logits, 3);
    const float *out = reinterpret_cast<const float *>(choose.results);
    result.assign(out, out + logits.size() * choose.sampling().rowBytes / 4);
    return error;
  }
  static constexpr int64_t vocab = 1056;
  GpuChoose choose;
  std::vector<std::vector<float>> logits{3};
};

/// The last row of the table is asked for, too.
struct EmbedSubject : Subject {
  explicit EmbedSubject(const Change &change)
      : random(1),
        embed({.scheme = quant::schemeByName("q8_0"), .vocab = 32, .width = 64, .rowSpace = LLMC_ROWS_ASKED},
              random, change) {}
  DeviceKernelRunner &runner() override { return embed.runner; }
  std::string run(std::vector<float> &result) override { return embed.run({3, 31, 17}, {0, 1}, result); }
  Random random;
  GpuEmbed embed;
};

struct Family {
  const char *name;
  std::vector<std::string> entries;
  std::set<std::string> ends; // of these allocations are read beyond
  std::function<std::unique_ptr<Subject>(const Change &)> make;
  std::set<Mistake::Kind> kinds = {Mistake::Removed,   Mistake::Divergent, Mistake::Weaker,
                                   Mistake::NotWaited, Mistake::Shuffled,  Mistake::Beyond};
  int everyShuffle = 1;
};

LinearSpec gatedSpec(const char *scheme, Norm norm) {
  LinearSpec spec = normedSpec(scheme, 1344, {40, 40}, norm);
  spec.glu = spec.bias = true;
  spec.act = Activation::Silu;
  return spec;
}

std::vector<AttentionCase::Token> tokensOf(int32_t from, int32_t to) {
  std::vector<AttentionCase::Token> batch = {{1, from + 8}};
  for (int32_t i = from; i < to; ++i)
    batch.push_back({0, i});
  return batch;
}

std::vector<Family> families() {
  std::vector<Family> all;
  auto linear = [&](const char *name, std::vector<std::string> entries, const char *scheme, int64_t rows) {
    all.push_back({name, entries, {"x", "gain", "norm bias", "weights", "bias"}, [=](const Change &change) {
                     return std::make_unique<LinearSubject>(gatedSpec(scheme, Norm::Layer), rows, change);
                   }});
  };
  linear("FewRowsQ4", {"linear_rows8"}, "q4_0", 8);
  linear("FewRowsOfTwoTilesBF16", {"linear_rows16"}, "bf16", 16);
  linear("ManyRowsQ4", {"linear_pack", "linear_tiles"}, "q4_0", 18);
  // The same, but nothing is known of a row before all of it is multiplied: by blocks of a slice, or of all.
  auto rms = [&](const char *name, int64_t mostGroups) {
    all.push_back({name, {"linear_rows8"}, {"x", "gain", "weights", "bias"}, [=](const Change &change) {
                     return std::make_unique<LinearSubject>(gatedSpec("q4_1", Norm::Rms), 8, change,
                                                            mostGroups);
                   }});
  };
  rms("FewRowsOfRms", cuda::mostSplitGroups);
  rms("FewRowsOfRmsInOneBlock", 0);
  auto attention = [&](const char *name, std::vector<std::string> entries, const char *type,
                       emit::AttentionSpec spec, std::vector<AttentionCase::Token> batch) {
    std::set<std::string> ends = {"q", "k", "v", "table", "pages"};
    if (spec.gainQ)
      ends.insert({"q gain", "k gain"});
    all.push_back({name, entries, ends, [=](const Change &change) {
                     return std::make_unique<AttentionSubject>(spec, type, batch, change);
                   }});
    // These have many, in folds of five steps each, one for every number: one step in three is each of the
    // five in turn.
    all.back().everyShuffle = 3;
  };
  const std::vector<std::string> few = {"attention", "attention_combine"},
                                 many = {"attention_append", "attention_prompt"};
  // One token and several take different ways; 300 keys are three key blocks, 140 two rounds of one. Of the
  // last unit of 300 keys the values are one stage: that in whose place its records are left.
  attention("SplitF32", few, "f32", makeSpec(2, 1, 64), tokensOf(292, 296));
  attention("SplitQ8OfNorms", few, "q8", withNorms(makeSpec(4, 1, 160)), tokensOf(140, 142));
  attention("PromptF32", many, "f32", makeSpec(2, 1, 96), tokensOf(20, 54));
  attention("PromptQ8OfNorms", many, "q8", withNorms(makeSpec(1, 1, 272)), tokensOf(20, 54));
  all.push_back({"Choose",
                 {"choose_parts", "choose_best", "choose_sums"},
                 {"logits"},
                 [](const Change &change) { return std::make_unique<ChooseSubject>(change); },
                 {Mistake::Removed, Mistake::Divergent, Mistake::Shuffled, Mistake::Beyond}});
  all.push_back({"Embed",
                 {"embed"},
                 {"asked", "embedding"},
                 [](const Change &change) { return std::make_unique<EmbedSubject>(change); },
                 {Mistake::Beyond}});
  return all;
}

class Planted : public testing::TestWithParam<Family> {};

constexpr const char *kindNames[] = {"removed",    "divergent",       "weaker",
                                     "not waited", "of its own lane", "beyond"};

TEST_P(Planted, every_one_is_found) {
  Trial trial(GetParam().entries, GetParam().make, GetParam().everyShuffle);
  ASSERT_EQ(trial.subject->runner().error(), "");
  ASSERT_LE(trial.mistakes.size(), mostMistakes);
  ASSERT_EQ(trial.findingOf({}), "");
  std::set<Mistake::Kind> kinds;
  std::set<std::string> ends;
  for (const Mistake &mistake : trial.mistakes) {
    kinds.insert(mistake.kind);
    if (mistake.kind == Mistake::Beyond) {
      // Most of these are a number of the next row, or one that is not used.
      const std::string found = trial.findingOf({mistake.number}, 1);
      if (const size_t at = found.find(" of '"), end = found.find("', which has"); end != std::string::npos)
        ends.insert(found.substr(at + 5, end - at - 5));
      continue;
    }
    EXPECT_NE(trial.findingOf({mistake.number}), "") << mistake.place << ", " << kindNames[mistake.kind];
  }
  EXPECT_EQ(kinds, GetParam().kinds);
  for (const std::string &name : GetParam().ends)
    EXPECT_TRUE(ends.contains(name)) << "beyond " << name;
}

INSTANTIATE_TEST_SUITE_P(Kernels, Planted, testing::ValuesIn(families()),
                         [](const auto &info) { return std::string(info.param.name); });

} // namespace
