// Generation on a GPU, where a step begins before the host has read the token that it is of: it must be the
// same as without, in all that can be seen of it. Over the stub of the driver, which does work no sooner than
// somebody waits for it.
#include "tests/device/StubModel.h"

#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <vector>

using namespace llmc::test;

namespace {

/// What is to be seen of a generation.
struct Generated {
  llmc_status status = LLMC_OK;
  int32_t stop = LLMC_STOP_NONE;
  std::vector<llmc_token> tokens;
  std::vector<float> logprobs, logits; ///< logits: those of the last token
  llmc_pos length = 0;
  uint64_t pages = 0;
  bool operator==(const Generated &) const = default;
};

class Ahead : public testing::Test {
protected:
  void SetUp() override {
    model = loadOnStub(stubModel, code);
    ASSERT_TRUE(model);
    llmc_sampling_params sampling;
    llmc_sampling_params_init(&sampling, sizeof sampling);
    ASSERT_EQ(llmc_sampler_new(model, &sampling, &best), LLMC_OK);
    // The same tokens, but found by the host in whole rows.
    ASSERT_EQ(llmc_sampler_new(model, &sampling, &whole), LLMC_OK);
    const llmc_sampler_stage nothing = {sizeof nothing, nullptr, nullptr, nullptr, nullptr};
    ASSERT_EQ(llmc_sampler_add(whole, &nothing), LLMC_OK);
    begin();
  }
  void TearDown() override {
    llmc_stub_fail_at(0);
    llmc_session_free(session);
    llmc_sampler_free(best);
    llmc_sampler_free(whole);
    llmc_model_release(model);
    EXPECT_EQ(llmc_stub_left(), 0u);
  }
  /// A session in which nothing was recorded yet, with a prompt.
  void begin() {
    llmc_session_free(session);
    session = newSession(model, 40, 16, 2);
    ASSERT_TRUE(session);
    ASSERT_EQ(llmc_seq_new(session, &seq), LLMC_OK);
    const llmc_token prompt[] = {5, 3, 8, 1, 9};
    ASSERT_EQ(llmc_prefill(session, seq, prompt, 5), LLMC_OK) << llmc_last_error();
  }
  /// `most` 0: as far as the context goes. The callback calls `shown` with how many tokens there are.
  Generated generate(llmc_sampler *sampler, uint32_t most, bool (*shown)(llmc_session *, size_t) = nullptr) {
    Generated result;
    struct Told {
      llmc_session *running;
      Generated &result;
      bool (*shown)(llmc_session *, size_t);
    } told{session, result, shown};
    llmc_generate_params params;
    llmc_generate_params_init(&params, sizeof params);
    params.max_tokens = most, params.flags = LLMC_GENERATE_IGNORE_EOS;
    auto note = [](const llmc_event *event, void *ud) {
      Told &t = *static_cast<Told *>(ud);
      t.result.tokens.push_back(event->token);
      t.result.logprobs.push_back(event->logprob);
      return !t.shown || t.shown(t.running, t.result.tokens.size());
    };
    result.status = llmc_generate(session, seq, sampler, &params, note, &told, &result.stop);
    result.length = llmc_seq_len(session, seq);
    return result;
  }
  /// What stands in the session after that.
  void look(Generated &result) {
    const float *row = nullptr;
    size_t n = 0;
    EXPECT_EQ(llmc_logits(session, -1, &row, &n), LLMC_OK) << llmc_last_error();
    result.logits.assign(row, row + n);
    llmc_kv_stats stats = {};
    stats.struct_size = sizeof stats;
    EXPECT_EQ(llmc_kv_get_stats(session, &stats), LLMC_OK);
    result.pages = stats.pages_used;
  }

  std::string code = stubCode;
  llmc_model *model = nullptr;
  llmc_session *session = nullptr;
  llmc_sampler *best = nullptr, *whole = nullptr;
  llmc_seq seq = -1;
};

/// With code that tells of each access.
class AheadChecked : public Ahead {
protected:
  AheadChecked() { code = LLMC_DEVICE_MODELS "/llama-gqa.checked.simt"; }
  void SetUp() override {
    Ahead::SetUp();
    ASSERT_TRUE(llmc_stub_is_checked());
  }
};

TEST_F(AheadChecked, is_as_if_it_was_not) {
  auto run = [&](llmc_sampler *sampler, auto... arguments) {
    Generated result = generate(sampler, arguments...);
    look(result);
    return result;
  };
  auto both = [&](llmc_sampler *sampler) {
    begin();
    std::vector<Generated> all;
    all.push_back(run(sampler, 1));
    all.push_back(run(sampler, 7));
    all.push_back(
        run(sampler, 0, [](llmc_session *, size_t n) { return n < 4; })); // a step too many is under way
    all.push_back(run(sampler, 3));
    all.push_back(run(sampler, 0));
    return all;
  };
  const uint64_t before = llmc_stub_waits_ahead();
  const std::vector<Generated> expected = both(whole);
  EXPECT_EQ(llmc_stub_waits_ahead(), before);
  const std::vector<Generated> found = both(best);
  // All but the last of each call, and all of that which was stopped.
  EXPECT_EQ(llmc_stub_waits_ahead() - before, 0u + 6 + 4 + 2 + 19);
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(expected[i].status, LLMC_OK);
    EXPECT_EQ(found[i], expected[i]) << "call " << i;
  }
  EXPECT_EQ(expected[2].stop, LLMC_STOP_CALLBACK);
  EXPECT_EQ(expected[4].stop, LLMC_STOP_CTX);
  EXPECT_EQ(expected[4].length, 40);
}

/// The context, the head, the graph, a mark, the wait for that of the step before, and the context as it was.
TEST_F(Ahead, a_token_is_six_calls) {
  static uint64_t calls[40];
  generate(best, 0, [](llmc_session *, size_t n) {
    calls[n] = llmc_stub_calls();
    return true;
  });
  // Tokens behind 20 to 30 others: steps of either turn have been recorded, and no page is taken.
  for (size_t n = 18; n < 25; ++n)
    EXPECT_EQ(calls[n] - calls[n - 1], 6u) << n;
}

/// It is of steps one by one: none of a token that nobody has asked for.
TEST_F(Ahead, a_profile_holds_the_steps_of_what_was_shown) {
  const uint64_t before = llmc_stub_waits_ahead();
  ASSERT_EQ(llmc_session_profile(session, 1 << 20), LLMC_OK);
  const Generated cut = generate(best, 0, [](llmc_session *, size_t n) { return n < 4; });
  const Generated rest = generate(best, 3);
  EXPECT_EQ(cut.tokens.size() + rest.tokens.size(), 7u);
  uint64_t first = 1, next = 0;
  ASSERT_EQ(llmc_profile_range(session, &first, &next), LLMC_OK);
  EXPECT_EQ(first, 0u);
  EXPECT_EQ(next, uint64_t(rest.length - 5));
  EXPECT_EQ(llmc_stub_waits_ahead(), before);
}

TEST_F(Ahead, other_steps_and_other_tokens_take_its_place) {
  auto run = [&](llmc_sampler *sampler) {
    begin();
    Generated all = generate(sampler, 0, [](llmc_session *, size_t n) { return n < 3; });
    EXPECT_EQ(llmc_decode(session, seq, 7), LLMC_OK) << llmc_last_error(); // not the best one
    look(all);
    EXPECT_EQ(llmc_kv_remove(session, seq, 6, -1), LLMC_OK);
    const llmc_token tokens[] = {2, 4, 6};
    EXPECT_EQ(llmc_prefill(session, seq, tokens, 3), LLMC_OK) << llmc_last_error();
    const Generated more = generate(sampler, 4);
    all.tokens.insert(all.tokens.end(), more.tokens.begin(), more.tokens.end());
    all.logprobs.insert(all.logprobs.end(), more.logprobs.begin(), more.logprobs.end());
    return all;
  };
  EXPECT_EQ(run(best), run(whole));
}

TEST_F(Ahead, an_interrupt_ends_it) {
  auto interrupt = [](llmc_session *running, size_t n) {
    if (n == 3)
      llmc_session_interrupt(running);
    return true;
  };
  for (llmc_sampler *sampler : {whole, best}) {
    begin();
    const Generated cut = generate(sampler, 8, interrupt);
    EXPECT_EQ(cut.status, LLMC_ECANCELLED);
    EXPECT_EQ(cut.tokens.size(), 3u);
    EXPECT_EQ(cut.length, 8);
  }
  const Generated rest = generate(best, 5);
  begin();
  const Generated all = generate(whole, 8);
  EXPECT_EQ(rest.tokens, std::vector<llmc_token>(all.tokens.begin() + 3, all.tokens.end()));
}

/// Each call of a generation fails in turn. What was shown is in the cache, and the rest comes the next time.
TEST_F(Ahead, a_call_that_fails_ends_it_where_it_is) {
  const Generated well = generate(best, 6);
  ASSERT_EQ(well.status, LLMC_OK) << llmc_last_error();
  size_t failures = 0, unnoticed = 0;
  for (uint64_t call = 1;; ++call) {
    begin();
    llmc_stub_fail_at(call);
    Generated result = generate(best, 6);
    const std::string error = result.status ? llmc_last_error() : "";
    const char *failed = llmc_stub_failed_call();
    llmc_stub_fail_at(0);
    if (!failed)
      break;
    SCOPED_TRACE(failed + (" at call " + std::to_string(call)));
    if (result.status != LLMC_OK) {
      ++failures;
      EXPECT_NE(error.find("CUDA_ERROR_INJECTED (from the stub)"), std::string::npos) << error;
      EXPECT_EQ(result.length, llmc_pos(5 + result.tokens.size()));
      // What the last token leaves went with the step that failed.
      const llmc_token last = result.tokens.empty() ? 9 : result.tokens.back();
      EXPECT_EQ(llmc_kv_remove(session, seq, result.length - 1, -1), LLMC_OK);
      EXPECT_EQ(llmc_decode(session, seq, last), LLMC_OK) << llmc_last_error();
      const Generated rest = generate(best, uint32_t(6 - result.tokens.size()));
      EXPECT_EQ(rest.status, LLMC_OK) << llmc_last_error();
      result.tokens.insert(result.tokens.end(), rest.tokens.begin(), rest.tokens.end());
      result.logprobs.insert(result.logprobs.end(), rest.logprobs.begin(), rest.logprobs.end());
    } else {
      ++unnoticed; // of a step ahead, or of memory for it: made again in its place
      EXPECT_STRNE(failed, "cuEventSynchronize");
    }
    EXPECT_EQ(result.tokens, well.tokens);
    EXPECT_EQ(result.logprobs, well.logprobs);
    EXPECT_EQ(llmc_seq_len(session, seq), well.length);
  }
  EXPECT_GT(failures, 10u);
  EXPECT_GT(unnoticed, 40u);
}

/// The logits that a generation leaves stay on the device until somebody reads them, or nobody can any more.
TEST_F(Ahead, a_step_that_fails_before_it_begins_leaves_no_outputs) {
  const llmc_token tokens[] = {2, 4, 6, 8};
  llmc_batch *batch = nullptr;
  ASSERT_EQ(llmc_batch_new(4, &batch), LLMC_OK);
  ASSERT_EQ(llmc_batch_add(batch, seq, tokens, 4, LLMC_OUT_ALL, nullptr), LLMC_OK);
  for (int32_t row = 0; row < 4; ++row) // there is memory for the candidates of one
    ASSERT_EQ(llmc_batch_sample(batch, row, best), LLMC_OK);
  bool wasInMemory = false;
  std::string failed;
  for (uint64_t call = 1; failed != "cuLaunchKernel"; ++call) {
    begin();
    ASSERT_EQ(generate(best, 3).status, LLMC_OK) << llmc_last_error();
    llmc_stub_fail_at(call);
    const llmc_status status = llmc_eval(session, batch);
    ASSERT_TRUE(llmc_stub_failed_call());
    failed = llmc_stub_failed_call();
    llmc_stub_fail_at(0);
    if (status == LLMC_OK) // it was a call that gives something back
      continue;
    SCOPED_TRACE(failed + " at call " + std::to_string(call));
    const float *row = nullptr;
    EXPECT_EQ(llmc_logits(session, -1, &row, nullptr), LLMC_ESTATE);
    wasInMemory |= failed == "cuMemAlloc_v2";
  }
  EXPECT_TRUE(wasInMemory);
  llmc_batch_free(batch);
}

/// What steps that failed have taken and given back, no later step has to clear.
TEST_F(Ahead, steps_that_fail_leave_nothing_to_be_done) {
  const std::vector<llmc_token> tokens(16, 3);
  auto prefill = [&](uint64_t failAt) {
    llmc_stub_fail_at(failAt);
    const llmc_status status = llmc_prefill(session, seq, tokens.data(), tokens.size());
    const uint64_t calls = llmc_stub_calls();
    llmc_stub_fail_at(0);
    EXPECT_EQ(status == LLMC_OK, failAt == 0) << llmc_last_error();
    EXPECT_EQ(llmc_kv_remove(session, seq, 0, -1), LLMC_OK); // and its page
    return calls;
  };
  for (int i = 0; i < 3; ++i) // the first stands behind a prompt, the third is recorded
    prefill(0);
  const uint64_t calls = prefill(0);
  for (int i = 0; i < 3; ++i)
    prefill(1);
  EXPECT_EQ(prefill(0), calls);
}

} // namespace
