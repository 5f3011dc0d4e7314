// What sessions of a model on a device can be asked for.
#include "tests/device/DeviceTest.h"
#include "tests/device/Scenario.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <thread>

using namespace llmc::test;

namespace {

/// Matmuls of f32 weights run by their decomposition, those of q8_0 weights, which "as-users-do" has, by
/// kernels of the GPU's own.
class OnDevice : public testing::TestWithParam<const char *> {
protected:
  void SetUp() override {
    REQUIRE_DEVICE();
    llmc_model_params params;
    llmc_model_params_init(&params, sizeof params);
    const std::string device = deviceWith("checks=none", GetParam());
    params.device = device.c_str();
    ASSERT_EQ(llmc_model_load(modelPath(GetParam()).c_str(), &params, &model), LLMC_OK) << llmc_last_error();
    session = newSession();
    ASSERT_EQ(llmc_seq_new(session, &seq), LLMC_OK);
  }
  void TearDown() override {
    llmc_session_free(session);
    llmc_model_release(model);
  }
  llmc_session *newSession() {
    llmc_session_params limits;
    llmc_session_params_init(&limits, sizeof limits);
    limits.n_ctx = 48, limits.n_batch = 64, limits.n_seq_max = 2;
    llmc_session *made = nullptr;
    EXPECT_EQ(llmc_session_new(model, &limits, &made), LLMC_OK) << llmc_last_error();
    return made;
  }
  std::vector<float> lastLogits(llmc_session *of) {
    const float *row = nullptr;
    size_t n = 0;
    EXPECT_EQ(llmc_logits(of, -1, &row, &n), LLMC_OK) << llmc_last_error();
    return {row, row + n};
  }
  llmc_model *model = nullptr;
  llmc_session *session = nullptr;
  llmc_seq seq = -1;
  /// More than 32, which is where kernels for prompts begin.
  const std::vector<llmc_token> tokens{5,  3,  8,  1,  9,  2,  7,  4,  6,  11, 13, 12, 10, 15,
                                       14, 17, 16, 19, 18, 21, 25, 23, 28, 41, 29, 42, 27, 64,
                                       36, 31, 63, 52, 30, 55, 94, 77, 86, 39, 58, 22};
};

TEST_P(OnDevice, bits_do_not_depend_on_how_a_text_is_cut) {
  ASSERT_EQ(llmc_prefill(session, seq, tokens.data(), tokens.size()), LLMC_OK) << llmc_last_error();
  const std::vector<float> whole = lastLogits(session);
  ASSERT_EQ(llmc_kv_remove(session, seq, 0, -1), LLMC_OK);
  for (size_t done = 0, n = 1; done < tokens.size(); done += n, n = std::min(n + 2, tokens.size() - done)) {
    ASSERT_EQ(llmc_prefill(session, seq, tokens.data() + done, n), LLMC_OK) << llmc_last_error();
    if (done + n == tokens.size())
      break;
  }
  EXPECT_EQ(lastLogits(session), whole);
  ASSERT_EQ(llmc_kv_remove(session, seq, 0, -1), LLMC_OK);
  for (llmc_token token : tokens) // recorded and repeated, over pages that others have used
    ASSERT_EQ(llmc_decode(session, seq, token), LLMC_OK) << llmc_last_error();
  EXPECT_EQ(lastLogits(session), whole);
}

TEST_P(OnDevice, a_sequence_is_saved_and_restored) {
  ASSERT_EQ(llmc_prefill(session, seq, tokens.data(), tokens.size()), LLMC_OK) << llmc_last_error();
  std::string bytes;
  ASSERT_EQ(llmc_kv_save(
                session, seq,
                [](const void *p, size_t n, void *ud) {
                  static_cast<std::string *>(ud)->append(static_cast<const char *>(p), n);
                  return llmc_status(LLMC_OK);
                },
                &bytes),
            LLMC_OK)
      << llmc_last_error();
  ASSERT_EQ(llmc_decode(session, seq, 22), LLMC_OK) << llmc_last_error();
  const std::vector<float> expected = lastLogits(session);
  llmc_session *other = newSession();
  llmc_seq restored = -1;
  std::pair<const std::string *, size_t> source{&bytes, 0};
  ASSERT_EQ(llmc_kv_load(
                other,
                [](void *p, size_t n, void *ud) {
                  auto &from = *static_cast<std::pair<const std::string *, size_t> *>(ud);
                  if (from.second + n > from.first->size())
                    return llmc_status(LLMC_EIO);
                  std::memcpy(p, from.first->data() + from.second, n);
                  from.second += n;
                  return llmc_status(LLMC_OK);
                },
                &source, &restored),
            LLMC_OK)
      << llmc_last_error();
  ASSERT_EQ(llmc_decode(other, restored, 22), LLMC_OK) << llmc_last_error();
  EXPECT_EQ(lastLogits(other), expected);
  llmc_session_free(other);
}

TEST_P(OnDevice, an_observer_sees_every_value_and_may_stop) {
  struct Seen {
    size_t values = 0, bad = 0, stopAt = 0;
  } seen;
  auto observe = [](const llmc_dispatch_info *info, void *ud) {
    Seen &s = *static_cast<Seen *>(ud);
    ++s.values;
    for (int64_t row = 0; info->rank == 2 && row < info->shape[0]; ++row)
      for (uint64_t i = 0; i < info->columns; ++i)
        s.bad += !std::isfinite(static_cast<const float *>(info->data)[row * info->shape[1] + int64_t(i)]);
    return s.values != s.stopAt;
  };
  ASSERT_EQ(llmc_prefill(session, seq, tokens.data(), 5), LLMC_OK);
  const std::vector<float> plain = lastLogits(session);
  ASSERT_EQ(llmc_kv_remove(session, seq, 0, -1), LLMC_OK);
  ASSERT_EQ(llmc_session_observe(session, observe, &seen), LLMC_OK);
  ASSERT_EQ(llmc_prefill(session, seq, tokens.data(), 5), LLMC_OK) << llmc_last_error();
  EXPECT_GT(seen.values, 10u);
  EXPECT_EQ(seen.bad, 0u);
  EXPECT_EQ(lastLogits(session), plain);
  seen.stopAt = seen.values + 3;
  EXPECT_EQ(llmc_decode(session, seq, 1), LLMC_ECANCELLED);
  EXPECT_EQ(llmc_seq_len(session, seq), 5);
}

TEST_P(OnDevice, a_profile_notes_every_dispatch) {
  ASSERT_EQ(llmc_session_profile(session, 1 << 20), LLMC_OK);
  llmc_batch *batch = nullptr;
  ASSERT_EQ(llmc_batch_new(5, &batch), LLMC_OK);
  // What only hidden rows need is left out of steps that ask for none.
  ASSERT_EQ(llmc_batch_add(batch, seq, tokens.data(), 5, LLMC_OUT_LAST | LLMC_OUT_HIDDEN, nullptr), LLMC_OK);
  EXPECT_EQ(llmc_eval(session, batch), LLMC_OK) << llmc_last_error();
  llmc_batch_free(batch);
  std::vector<uint32_t> known, noted;
  llmc_dispatch_cost cost = {};
  cost.struct_size = sizeof cost;
  while (llmc_model_dispatch(model, uint32_t(known.size()), &cost) == LLMC_OK)
    known.push_back(uint32_t(known.size()));
  size_t n = 0;
  ASSERT_EQ(llmc_profile_get_events(session, 0, nullptr, 0, &n), LLMC_OK) << llmc_last_error();
  std::vector<llmc_profile_event> events(n);
  ASSERT_EQ(llmc_profile_get_events(session, 0, events.data(), n, &n), LLMC_OK) << llmc_last_error();
  for (const llmc_profile_event &event : events)
    noted.push_back(event.dispatch);
  EXPECT_GT(known.size(), 5u);
  EXPECT_EQ(noted, known);
}

/// Samplers that candidates are enough for, and the same ones held to whole rows by a stage that does
/// nothing.
TEST_P(OnDevice, candidates_and_whole_rows_give_the_same_tokens) {
  llmc_session *whole = newSession();
  llmc_seq other = -1;
  ASSERT_EQ(llmc_seq_new(whole, &other), LLMC_OK);
  llmc_batch *batch = nullptr;
  ASSERT_EQ(llmc_batch_new(32, &batch), LLMC_OK);
  for (const auto &[temperature, topK] : {std::pair{0.0f, 0}, {0.8f, 5}, {1.7f, 64}}) {
    llmc_sampling_params params;
    llmc_sampling_params_init(&params, sizeof params);
    params.temperature = temperature, params.top_k = topK, params.top_p = 0.95f, params.seed = 11;
    llmc_sampler *some = nullptr, *all = nullptr;
    ASSERT_EQ(llmc_sampler_new(model, &params, &some), LLMC_OK);
    ASSERT_EQ(llmc_sampler_new(model, &params, &all), LLMC_OK);
    const llmc_sampler_stage nothing = {sizeof nothing, nullptr, nullptr, nullptr, nullptr};
    ASSERT_EQ(llmc_sampler_add(all, &nothing), LLMC_OK);
    ASSERT_EQ(llmc_kv_remove(session, seq, 0, -1), LLMC_OK);
    ASSERT_EQ(llmc_kv_remove(whole, other, 0, -1), LLMC_OK);
    llmc_token next = 5;
    for (int i = 0; i < 6; ++i) { // the third is recorded
      llmc_token found[2] = {-1, -1};
      float logprobs[2] = {1, 2};
      for (int side : {0, 1}) {
        llmc_session *of = side ? whole : session;
        llmc_batch_clear(batch);
        ASSERT_EQ(llmc_batch_add(batch, side ? other : seq, &next, 1, LLMC_OUT_LAST, nullptr), LLMC_OK);
        ASSERT_EQ(llmc_batch_sample(batch, -1, side ? all : some), LLMC_OK);
        ASSERT_EQ(llmc_eval(of, batch), LLMC_OK) << llmc_last_error();
        ASSERT_EQ(llmc_sampled(of, 0, &found[side], &logprobs[side]), LLMC_OK);
      }
      EXPECT_EQ(found[0], found[1]) << "temperature " << temperature;
      EXPECT_EQ(logprobs[0], logprobs[1]);
      if (i % 2)
        EXPECT_EQ(lastLogits(session), lastLogits(whole)) << "those that were left on the device";
      next = found[0];
    }
    // The loop of llmc_generate, which begins with whole rows and goes on with candidates.
    std::vector<llmc_token> texts[2];
    for (int side : {0, 1}) {
      llmc_generate_params limits;
      llmc_generate_params_init(&limits, sizeof limits);
      limits.max_tokens = 6, limits.flags = LLMC_GENERATE_IGNORE_EOS;
      auto note = [](const llmc_event *event, void *ud) {
        static_cast<std::vector<llmc_token> *>(ud)->push_back(event->token);
        return true;
      };
      int32_t stop = 0;
      ASSERT_EQ(llmc_generate(side ? whole : session, side ? other : seq, side ? all : some, &limits, note,
                              &texts[side], &stop),
                LLMC_OK)
          << llmc_last_error();
    }
    EXPECT_EQ(texts[0].size(), 6u);
    EXPECT_EQ(texts[0], texts[1]);
    EXPECT_EQ(lastLogits(session), lastLogits(whole));
    llmc_sampler_free(some);
    llmc_sampler_free(all);
  }
  llmc_batch_free(batch);
  llmc_session_free(whole);
}

TEST_P(OnDevice, an_interrupt_leaves_the_cache_as_it_was) {
  ASSERT_EQ(llmc_prefill(session, seq, tokens.data(), 4), LLMC_OK);
  llmc_session_interrupt(session);
  EXPECT_EQ(llmc_decode(session, seq, 1), LLMC_ECANCELLED);
  EXPECT_EQ(llmc_seq_len(session, seq), 4);
  EXPECT_EQ(llmc_decode(session, seq, 1), LLMC_OK) << llmc_last_error();
}

TEST_P(OnDevice, sessions_of_two_threads_write_what_each_writes_alone) {
  const Text expected[] = {writeText(model, 3), writeText(model, 11)};
  ASSERT_EQ(expected[0].error, "");
  ASSERT_NE(expected[0].tokens, expected[1].tokens);
  Text found[2];
  std::thread other([&] { found[1] = writeText(model, 11); });
  found[0] = writeText(model, 3);
  other.join();
  for (int i : {0, 1}) {
    EXPECT_EQ(found[i].error, "");
    EXPECT_TRUE(found[i] == expected[i]) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Device, OnDevice, testing::Values("llama-gqa", "as-users-do"),
                         [](const testing::TestParamInfo<const char *> &info) { return word(info.param); });

} // namespace
