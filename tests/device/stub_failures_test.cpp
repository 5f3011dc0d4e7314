// What becomes of the runtime over the stub of a driver when there is no such device, no memory, or when a
// call of the driver fails.
#include "tests/device/CudaStub.h"
#include "tests/device/Scenario.h"

#include "llmc/module_abi.h"

#include <algorithm>
#include <array>
#include <gtest/gtest.h>

using namespace llmc::test;

namespace {

const std::string &model = stubModel;

TEST_F(CudaStub, another_device_is_refused) {
  EXPECT_EQ(runScenario(model, "cuda:1").error, "cuda:1: there is no such device, only 1");
  EXPECT_NE(runScenario(model, "cuda:x").error.find("expected a number behind the colon"), std::string::npos);
}

TEST_F(CudaStub, no_memory_is_one_sentence) {
  for (uint64_t limit : {uint64_t(1) << 10, uint64_t(1) << 18}) {
    llmc_stub_limit(limit);
    const ScenarioResult result = runScenario(model, "cuda");
    EXPECT_EQ(result.status, LLMC_ENOMEM);
    EXPECT_EQ(result.error.rfind("cuda:0: no memory for ", 0), 0u) << result.error;
    EXPECT_EQ(llmc_stub_left(), 0u);
  }
}

/// A model.so with code for both, and no wish.
TEST_F(CudaStub, a_device_that_cannot_take_the_model_leaves_it_to_the_cpu) {
  llmc_stub_limit(uint64_t(1) << 18);
  const ScenarioResult any = runScenario(model, "auto");
  EXPECT_EQ(any.status, LLMC_OK) << any.error;
  EXPECT_EQ(llmc_stub_left(), 0u);
  EXPECT_EQ(any.logits, runScenario(model, "cpu").logits);
}

bool givesBack(const std::string &call) {
  return std::ranges::any_of(std::array{"Free", "Destroy", "Unload", "Release"},
                             [&](const char *word) { return call.find(word) != std::string::npos; });
}

/// How much the context that is entered in calls[first] is entered for to be given back: right behind it, and
/// of what is the context's (a graph is not).
size_t giveBacksBehind(const std::vector<std::string> &calls, size_t first) {
  size_t n = 0;
  for (size_t i = first + 1; i < calls.size() && givesBack(calls[i]); ++i)
    n += calls[i].rfind("cuGraph", 0) != 0;
  return n;
}

/// Every call of a load and a generation fails in turn. Those that give something back may not matter.
TEST_F(CudaStub, each_call_that_fails_is_one_sentence_and_changes_nothing) {
  const ScenarioResult well = runScenario(model, "cuda");
  ASSERT_EQ(well.error, "");
  llmc_stub_fail_at(0);
  runScenario(model, "cuda"); // once more: the driver begins only once
  std::vector<std::string> calls;
  while (const char *call = llmc_stub_call(calls.size() + 1))
    calls.push_back(call);
  size_t sentences = 0, steps = 0;
  for (uint64_t call = 1; call <= calls.size(); ++call) {
    // Where a context cannot be entered, what is in it is given back only with the context itself.
    const size_t mayStay = calls[call - 1] == "cuCtxPushCurrent_v2" ? giveBacksBehind(calls, call - 1) : 0;
    llmc_stub_fail_at(call);
    const ScenarioResult result = runScenario(model, "cuda");
    const char *failed = llmc_stub_failed_call();
    ASSERT_TRUE(failed) << "call " << call;
    EXPECT_EQ(failed, calls[call - 1]);
    SCOPED_TRACE(failed + (" at call " + std::to_string(call)));
    EXPECT_LE(llmc_stub_left(), mayStay);
    llmc_stub_give_back();
    EXPECT_TRUE(isWhereItWas());
    if (result.status == LLMC_OK) {
      EXPECT_EQ(result.logits, well.logits);
      // What is not asked: the way out, and an image whose place another one takes.
      const std::string name = failed;
      EXPECT_TRUE(givesBack(name) || mayStay || name == "cuCtxPopCurrent_v2" || name == "cuModuleLoadDataEx")
          << "its failure was not noticed";
      continue;
    }
    ++sentences;
    EXPECT_EQ(result.error.rfind("cuda:0: ", 0), 0u) << result.error;
    EXPECT_NE(result.error.find("CUDA_ERROR_INJECTED (from the stub)"), std::string::npos) << result.error;
    EXPECT_EQ(result.error.find('\n'), std::string::npos);
    if (!result.lengths.empty()) { // in a step
      ++steps;
      EXPECT_EQ(result.lengths, (std::vector<llmc_pos>{0, 0}));
      EXPECT_TRUE(result.wasRepeated) << llmc_stub_last_error();
    }
  }
  EXPECT_GT(sentences, 150u);
  EXPECT_GT(steps, 100u);
}

/// With counters that are not zero a block takes itself for the last one too early, and reads what others
/// still write; the next step finds none of that.
TEST_F(CudaStub, counters_are_zero_again_after_a_step_that_failed) {
  const std::string counts = LLMC_DEVICE_MODELS "/counts-q4_0";
  llmc_model *loaded = loadOnStub(counts + ".so", counts + ".checked.simt");
  ASSERT_TRUE(loaded);
  llmc_session *session = newSession(loaded, 40, 16, 1);
  auto logits = [&]() -> std::vector<float> {
    llmc_seq seq = -1;
    const llmc_token token = 5;
    const float *row = nullptr;
    size_t n = 0;
    EXPECT_EQ(llmc_seq_new(session, &seq), LLMC_OK);
    if (llmc_prefill(session, seq, &token, 1) == LLMC_OK)
      EXPECT_EQ(llmc_logits(session, 0, &row, &n), LLMC_OK) << llmc_last_error();
    std::vector<float> values(row, row + n);
    llmc_seq_free(session, seq);
    return values;
  };
  const std::vector<float> well = logits();
  ASSERT_FALSE(well.empty());
  EXPECT_EQ(llmc_stub_spoil(LLMC_DEVICE_COUNTERS * sizeof(uint32_t)), 1u);
  EXPECT_TRUE(logits().empty());
  EXPECT_NE(std::string(llmc_stub_last_error()).find("race: "), std::string::npos) << llmc_stub_last_error();
  EXPECT_EQ(logits(), well);
  llmc_session_free(session);
  llmc_model_release(loaded);
}

/// Scratch grows by more than a step needs, but not where there is no more than that.
TEST_F(CudaStub, memory_for_a_step_that_just_fits) {
  llmc_model *loaded = loadOnStub(LLMC_DEVICE_MODELS "/default-kernels.so",
                                  LLMC_DEVICE_MODELS "/default-kernels.checked.simt");
  ASSERT_TRUE(loaded);
  uint64_t before = 0;
  auto grow = [&](uint64_t limit) {
    llmc_session *session = newSession(loaded, 40, 16, 1);
    llmc_seq seq = -1;
    EXPECT_EQ(llmc_seq_new(session, &seq), LLMC_OK);
    const std::vector<llmc_token> tokens(28, 3); // beyond 32 keys
    EXPECT_EQ(llmc_prefill(session, seq, tokens.data(), 5), LLMC_OK) << llmc_last_error();
    before = llmc_stub_in_use();
    llmc_stub_limit(limit);
    EXPECT_EQ(llmc_prefill(session, seq, tokens.data(), tokens.size()), LLMC_OK) << llmc_last_error();
    llmc_stub_limit(0);
    const uint64_t after = llmc_stub_in_use();
    llmc_session_free(session);
    return after;
  };
  const uint64_t after = grow(0);
  EXPECT_GT(after, before);
  EXPECT_LT(grow(after - 1), after);
  llmc_model_release(loaded);
}

} // namespace
