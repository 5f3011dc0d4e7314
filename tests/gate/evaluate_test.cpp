// What states of a module compute, by compiling and running them; what a schedule of tokens is.
#include "tools/gate/EvaluateState.h"
#include "tools/gate/LayerList.h"

#include "codegen/Pipeline.h"
#include "frontend/Importer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

using namespace llmc;
using namespace llmc::tools;

namespace {

/// A fixture's model as it is imported.
struct EvaluateTest : testing::Test {
  EvaluateTest() : context(codegen::pipelineDialects(), mlir::MLIRContext::Threading::DISABLED) {
    context.loadAllAvailableDialects();
    module = frontend::importModel(context, file, {}, error);
  }

  EvaluateOptions options() const {
    EvaluateOptions options;
    options.weightFiles = {file};
    options.folder = testing::TempDir();
    options.cacheDir = testing::TempDir() + "kernels";
    return options;
  }

  Evaluation evaluate(const Schedule &schedule, EvaluateOptions options) {
    std::optional<Evaluation> result = StateEvaluator(std::move(options)).evaluate(*module, schedule, error);
    EXPECT_TRUE(result) << error;
    return result.value_or(Evaluation());
  }
  Evaluation evaluate() { return evaluate(standardSchedule(vocabularyOf(*module)), options()); }

  const std::string file = std::string(FIXTURES) + "/llama-gqa.gguf";
  std::string error;
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

/// The largest difference between rows that both have.
double distance(const EvaluatedValue &a, const EvaluatedValue &b) {
  double most = 0;
  for (const auto &[place, row] : a.rows) {
    auto other = b.rows.find(place);
    if (other == b.rows.end())
      continue;
    EXPECT_EQ(row.size(), other->second.size());
    for (size_t i = 0; i < row.size(); ++i)
      most = std::max(most, std::fabs(double(row[i]) - other->second[i]));
  }
  return most;
}

TEST(ScheduleTest, HasTwoSequencesAndTheirTokensHoweverCut) {
  Schedule standard = standardSchedule(301);
  EXPECT_EQ(standard.sequences(), 2u);
  EXPECT_EQ(standard.tokensOfLongest(), 9u);
  EXPECT_EQ(standard.tokensInStep(), 7u);
  ASSERT_EQ(standard.steps.size(), 4u);
  EXPECT_EQ(standard.steps[3].size(), 2u);
  for (size_t n : {1, 2, 3, 5, 7})
    for (bool isMixed : {false, true}) {
      std::vector<std::vector<int32_t>> expected(2), found(2);
      Schedule cut = inChunks(standard, n, isMixed);
      EXPECT_LE(cut.tokensInStep(), isMixed ? 2 * n : n);
      for (auto [schedule, tokens] : {std::pair(&standard, &expected), {&cut, &found}})
        for (const auto &step : schedule->steps)
          for (const Chunk &chunk : step)
            (*tokens)[chunk.sequence].insert((*tokens)[chunk.sequence].end(), chunk.tokens.begin(),
                                             chunk.tokens.end());
      EXPECT_EQ(expected, found);
    }
  for (const auto &step : standardSchedule(3).steps)
    for (const Chunk &chunk : step)
      for (int32_t token : chunk.tokens)
        EXPECT_TRUE(token >= 0 && token < 3);
}

TEST_F(EvaluateTest, NamesWhatTheImportedModelComputes) {
  ASSERT_TRUE(module) << error;
  Evaluation found = evaluate();
  EXPECT_EQ(found.logits.rows.size(), 6u);
  EXPECT_EQ(found.logits.columns, 301u);
  for (const char *name : {"attn_in", "q", "new_k", "new_v", "attended", "h_attn", "gated", "h_next"}) {
    const EvaluatedValue *value = found.find({1, name, 0});
    ASSERT_TRUE(value) << name;
    EXPECT_TRUE(value->hasName);
    EXPECT_EQ(value->rows.size(), 16u) << name; // 7 + 5 + 2 + 2
  }
  EXPECT_EQ(found.find({0, "q", 0})->columns, 108u);
  EXPECT_TRUE(found.find({-1, "logits", 0}));
  EXPECT_EQ(distance(*found.find({-1, "logits", 0}), found.logits), 0);
}

TEST_F(EvaluateTest, FusedStatesHaveTheNamesThatAreLeft) {
  ASSERT_TRUE(module) << error;
  Evaluation before = evaluate();
  codegen::PipelineOptions pipeline;
  pipeline.weightFiles = {file};
  pipeline.stopAfter = codegen::Phase::Fuse;
  ASSERT_TRUE(succeeded(runPipeline(*module, pipeline)));
  Evaluation after = evaluate();
  for (const char *name : {"q", "new_k", "new_v", "attended", "h_attn", "gated", "h_next"}) {
    const EvaluatedValue *a = before.find({1, name, 0}), *b = after.find({1, name, 0});
    ASSERT_TRUE(a && b) << name;
    EXPECT_LE(distance(*a, *b), 1e-4) << name;
  }
  EXPECT_FALSE(after.find({1, "attn_in", 0}));
  EXPECT_LE(distance(before.logits, after.logits), 1e-4);

  // Also what the lowering makes of it, though its ops are fused.
  pipeline.startFrom = codegen::Phase::Quantize;
  pipeline.stopAfter = codegen::Phase::Step;
  ASSERT_TRUE(succeeded(runPipeline(*module, pipeline)));
  Evaluation lowered = evaluate();
  EXPECT_LE(distance(before.logits, lowered.logits), 1e-4);
  EXPECT_TRUE(lowered.find({1, "attended", 0}));
}

TEST_F(EvaluateTest, BitsDoNotDependOnTheChunks) {
  ASSERT_TRUE(module) << error;
  Schedule standard = standardSchedule(vocabularyOf(*module));
  Evaluation whole = evaluate(standard, options()), cut = evaluate(inChunks(standard, 3, true), options());
  EXPECT_EQ(cut.logits.rows.size(), 16u);
  EXPECT_EQ(distance(whole.logits, cut.logits), 0);
}

TEST_F(EvaluateTest, TakesTheFirstLayers) {
  ASSERT_TRUE(module) << error;
  EvaluateOptions one = options();
  one.layers = {0};
  Evaluation found = evaluate(standardSchedule(vocabularyOf(*module)), one);
  EXPECT_TRUE(found.find({0, "h_next", 0}));
  EXPECT_FALSE(found.find({1, "h_next", 0}));
}

TEST_F(EvaluateTest, LayersKeepTheirNumbersAndTensors) {
  ASSERT_TRUE(module) << error;
  Evaluation whole = evaluate();
  EvaluateOptions other = options();
  other.layers = {1};
  Evaluation found = evaluate(standardSchedule(vocabularyOf(*module)), other);
  EXPECT_FALSE(found.find({0, "h_next", 0}));
  ASSERT_TRUE(found.find({1, "q", 0}));
  // Layer 1 alone is not layer 0 alone.
  other.layers = {0};
  Evaluation first = evaluate(standardSchedule(vocabularyOf(*module)), other);
  EXPECT_EQ(distance(*first.find({0, "q", 0}), *whole.find({0, "q", 0})), 0);
  EXPECT_GT(distance(*first.find({0, "q", 0}), *found.find({1, "q", 0})), 0.1);
  // What goes through both is the whole.
  other.layers = {0, 1};
  Evaluation both = evaluate(standardSchedule(vocabularyOf(*module)), other);
  EXPECT_EQ(distance(both.logits, whole.logits), 0);
}

TEST(LayerListTest, ReadsCountsAndRanges) {
  std::vector<int64_t> layers;
  EXPECT_EQ(readLayerList("3", layers), "");
  EXPECT_EQ(layers, (std::vector<int64_t>{0, 1, 2}));
  EXPECT_EQ(readLayerList("0-1,15,31", layers), "");
  EXPECT_EQ(layers, (std::vector<int64_t>{0, 1, 15, 31}));
  EXPECT_EQ(writeLayerList(layers), "0-1,15-15,31-31");
  EXPECT_EQ(readLayerList("7-7", layers), "");
  EXPECT_EQ(layers, (std::vector<int64_t>{7}));
  for (const char *bad : {"", "0", "-1", "1025", "1-", "2-1", "1,1", "2,1", "a", "1,,2", "0-1024"})
    EXPECT_NE(readLayerList(bad, layers), "") << bad;
}

TEST_F(EvaluateTest, FailsWithASentence) {
  ASSERT_TRUE(module) << error;
  EvaluateOptions missing = options();
  missing.weightFiles = {"/no/such/file.gguf"};
  Schedule schedule = standardSchedule(vocabularyOf(*module));
  EXPECT_FALSE(StateEvaluator(missing).evaluate(*module, schedule, error));
  EXPECT_NE(error.find("/no/such/file.gguf"), std::string::npos) << error;
  EvaluateOptions nowhere = options();
  nowhere.folder = "/no/such/folder";
  EXPECT_FALSE(StateEvaluator(nowhere).evaluate(*module, schedule, error));
  EXPECT_NE(error.find("/no/such/folder"), std::string::npos) << error;
}

} // namespace
