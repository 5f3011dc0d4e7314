// What a step leaves besides logits: hidden rows, pooled vectors, tokens chosen inside eval.
#include "FakeModel.h"

#include <algorithm>
#include <cmath>

using namespace fake;

namespace {

const uint32_t hiddenRows = LLMC_OUT_ALL | LLMC_OUT_HIDDEN;
const size_t width = 8;

Model hiddenModel() { return load(2, "fake_model_hidden"); }

void evaluate(llmc_session *s, llmc_seq seq, const std::vector<llmc_token> &tokens, uint32_t outputs) {
  Batch b = batch();
  ASSERT_OK(llmc_batch_add(b.get(), seq, tokens.data(), tokens.size(), outputs, nullptr));
  ASSERT_OK(llmc_eval(s, b.get()));
}

std::vector<float> hiddenRow(llmc_session *s, int32_t row) {
  const float *data = nullptr;
  size_t n = 0;
  EXPECT_OK(llmc_hidden(s, row, &data, &n));
  EXPECT_EQ(n, width);
  return {data, data + n};
}

std::vector<float> embedding(llmc_session *s, llmc_seq seq, int32_t pooling) {
  const float *data = nullptr;
  size_t n = 0;
  EXPECT_OK(llmc_embedding(s, seq, pooling, &data, &n));
  return {data, data + n};
}

llmc_status tryEmbedding(llmc_session *s, llmc_seq seq, int32_t pooling) {
  const float *data = nullptr;
  return llmc_embedding(s, seq, pooling, &data, nullptr);
}

} // namespace

TEST(Hidden, rows_are_those_asked_for) {
  Model model = hiddenModel();
  Session s = session(model.get(), [](auto &p) { p.n_seq_max = 2; });
  llmc_seq a = sequence(s.get()), b = sequence(s.get());
  evaluate(s.get(), a, {1, 2, 3}, hiddenRows);
  const auto first = hiddenRow(s.get(), 0), last = hiddenRow(s.get(), -1);
  EXPECT_EQ(hiddenRow(s.get(), 2), last);
  EXPECT_NE(first, last);
  // Mixed with another sequence, row by row, the same text has the same rows.
  Batch mixed = batch();
  const llmc_token other[] = {9, 8}, text[] = {1, 2, 3};
  const uint8_t choice[] = {LLMC_OUT_ALL | LLMC_OUT_HIDDEN, LLMC_OUT_NONE, LLMC_OUT_LAST | LLMC_OUT_HIDDEN};
  int32_t row = -1;
  ASSERT_OK(llmc_kv_remove(s.get(), a, 0, -1));
  ASSERT_OK(llmc_batch_add(mixed.get(), b, other, 2, LLMC_OUT_ALL, nullptr));
  ASSERT_OK(llmc_batch_add_rows(mixed.get(), a, text, 3, choice, &row));
  EXPECT_EQ(row, 2);
  ASSERT_OK(llmc_eval(s.get(), mixed.get()));
  EXPECT_EQ(hiddenRow(s.get(), 2), first);
  EXPECT_EQ(hiddenRow(s.get(), 3), last);
  const float *data = nullptr;
  EXPECT_FAILS(llmc_hidden(s.get(), 0, &data, nullptr), LLMC_ESTATE, "LLMC_OUT_HIDDEN");
  EXPECT_FAILS(llmc_hidden(s.get(), 4, &data, nullptr), LLMC_EARG, "kept 4 rows");
  EXPECT_EQ(data, nullptr);
}

TEST(Hidden, batch_rows_are_checked) {
  Batch b = batch();
  const llmc_token tokens[] = {1, 2};
  const uint8_t bare[] = {LLMC_OUT_NONE, LLMC_OUT_HIDDEN}, unknown[] = {8, 0}, none[] = {0, 0};
  int32_t row = 5;
  EXPECT_OK(llmc_batch_add_rows(b.get(), 0, tokens, 2, none, &row));
  EXPECT_EQ(row, -1);
  EXPECT_OK(llmc_batch_add_rows(b.get(), 0, tokens, 2, bare, &row)); // any bit but NONE asks for a row
  EXPECT_EQ(row, 0);
  EXPECT_FAILS(llmc_batch_add_rows(b.get(), 0, tokens, 2, unknown, &row), LLMC_EARG, "outputs[0] is 0x8");
}

TEST(Embedding, pools_over_the_whole_text) {
  Model model = hiddenModel();
  Session s = session(model.get(), [](auto &p) { p.n_batch = 16; });
  llmc_seq seq = sequence(s.get());
  const auto tokens = someTokens(11, 3);
  evaluate(s.get(), seq, tokens, hiddenRows);
  std::vector<double> sum(width);
  for (int32_t row = 0; row < 11; ++row)
    for (size_t i = 0; i < width; ++i)
      sum[i] += hiddenRow(s.get(), row)[i];
  const auto first = hiddenRow(s.get(), 0), last = hiddenRow(s.get(), 10);
  EXPECT_EQ(embedding(s.get(), seq, LLMC_POOL_FIRST), first);
  EXPECT_EQ(embedding(s.get(), seq, LLMC_POOL_LAST), last);
  const auto mean = embedding(s.get(), seq, LLMC_POOL_MEAN);
  ASSERT_EQ(mean.size(), width);
  for (size_t i = 0; i < width; ++i)
    EXPECT_NEAR(mean[i], sum[i] / 11, 1e-6);
  // In steps of any size: the same bits.
  for (size_t step : {1u, 3u, 10u}) {
    ASSERT_OK(llmc_kv_remove(s.get(), seq, 0, -1));
    for (size_t i = 0; i < tokens.size(); i += step)
      evaluate(s.get(), seq, {tokens.begin() + i, tokens.begin() + std::min(i + step, tokens.size())},
               hiddenRows);
    EXPECT_EQ(embedding(s.get(), seq, LLMC_POOL_MEAN), mean);
    EXPECT_EQ(embedding(s.get(), seq, LLMC_POOL_FIRST), first);
    EXPECT_EQ(embedding(s.get(), seq, LLMC_POOL_LAST), last);
  }
}

TEST(Embedding, says_which_rows_are_missing) {
  Model model = hiddenModel();
  Session s = session(model.get());
  llmc_seq seq = sequence(s.get());
  EXPECT_FAILS(tryEmbedding(s.get(), seq, LLMC_POOL_LAST), LLMC_ESTATE, "empty");
  EXPECT_FAILS(tryEmbedding(s.get(), 9, LLMC_POOL_LAST), LLMC_ENOTFOUND, "sequence 9");
  EXPECT_FAILS(tryEmbedding(s.get(), seq, 3), LLMC_EARG, "pooling is 3");
  evaluate(s.get(), seq, {1, 2, 3}, LLMC_OUT_ALL);
  EXPECT_FAILS(tryEmbedding(s.get(), seq, LLMC_POOL_FIRST), LLMC_ESTATE, "first token");
  evaluate(s.get(), seq, {4}, LLMC_OUT_LAST | LLMC_OUT_HIDDEN);
  EXPECT_OK(tryEmbedding(s.get(), seq, LLMC_POOL_LAST));
  EXPECT_FAILS(tryEmbedding(s.get(), seq, LLMC_POOL_MEAN), LLMC_ESTATE, "every token");
  ASSERT_OK(llmc_kv_remove(s.get(), seq, 3, -1));
  EXPECT_FAILS(tryEmbedding(s.get(), seq, LLMC_POOL_LAST), LLMC_ESTATE, "last token");
  ASSERT_OK(llmc_kv_remove(s.get(), seq, 0, -1));
  evaluate(s.get(), seq, {1, 2, 3}, hiddenRows);
  EXPECT_OK(tryEmbedding(s.get(), seq, LLMC_POOL_MEAN));
  ASSERT_OK(llmc_decode(s.get(), seq, 5));
  EXPECT_FAILS(tryEmbedding(s.get(), seq, LLMC_POOL_MEAN), LLMC_ESTATE, "every token");
  EXPECT_OK(tryEmbedding(s.get(), seq, LLMC_POOL_FIRST));
  ASSERT_OK(llmc_seq_free(s.get(), seq));
  ASSERT_EQ(sequence(s.get()), seq); // a new text in the same place
  evaluate(s.get(), seq, {7}, LLMC_OUT_LAST);
  EXPECT_FAILS(tryEmbedding(s.get(), seq, LLMC_POOL_FIRST), LLMC_ESTATE, "first token");
}

TEST(BatchSample, chooses_as_the_sampler_would_after_the_step) {
  Model model = load(2);
  Session s = session(model.get(), [](auto &p) { p.n_seq_max = 3; });
  auto hot = [](auto &p) { p.temperature = 1.5f, p.seed = 9; };
  Sampler greedy = sampler(model.get()), inside = sampler(model.get(), hot),
          after = sampler(model.get(), hot);
  Batch b = batch();
  for (int i = 0; i < 3; ++i) {
    const auto tokens = someTokens(5, 40 + i);
    ASSERT_OK(llmc_batch_add(b.get(), sequence(s.get()), tokens.data(), 5, LLMC_OUT_LAST, nullptr));
  }
  ASSERT_OK(llmc_batch_sample(b.get(), 0, inside.get()));
  ASSERT_OK(llmc_batch_sample(b.get(), -1, greedy.get()));
  ASSERT_OK(llmc_batch_sample(b.get(), -1, inside.get())); // the last one counts
  for (int round = 0; round < 20; ++round) {
    ASSERT_OK(llmc_eval(s.get(), b.get()));
    for (int32_t row : {0, 2}) {
      llmc_token chosen = -1, expected = -2;
      float logprob = 1, expectedLogprob = 2;
      ASSERT_OK(llmc_sampled(s.get(), row, &chosen, &logprob));
      ASSERT_OK(llmc_sampler_sample(after.get(), s.get(), row, &expected, &expectedLogprob));
      EXPECT_EQ(chosen, expected);
      EXPECT_EQ(logprob, expectedLogprob);
    }
  }
  llmc_token token = 33;
  EXPECT_FAILS(llmc_sampled(s.get(), 1, &token, nullptr), LLMC_EARG, "row 1 had no sampler");
  EXPECT_FAILS(llmc_sampled(s.get(), 3, &token, nullptr), LLMC_EARG, "kept 3 rows");
  EXPECT_EQ(token, 33);
  EXPECT_FAILS(llmc_batch_sample(b.get(), 3, greedy.get()), LLMC_EARG, "3 rows");
  EXPECT_FAILS(llmc_batch_sample(b.get(), -4, greedy.get()), LLMC_EARG, "row is -4");
  llmc_batch_clear(b.get());
  EXPECT_FAILS(llmc_batch_sample(b.get(), 0, greedy.get()), LLMC_EARG, "0 rows");
  ASSERT_OK(llmc_decode(s.get(), 0, 4));
  EXPECT_FAILS(llmc_sampled(s.get(), 0, &token, nullptr), LLMC_EARG, "no sampler");
}

TEST(BatchSample, a_failing_sampler_undoes_the_step) {
  Model model = load(2);
  Session s = session(model.get(), [](auto &p) { p.n_seq_max = 2; });
  auto hot = [](auto &p) { p.temperature = 1, p.seed = 3; };
  Sampler good = sampler(model.get(), hot), bad = sampler(model.get()), untouched = sampler(model.get(), hot);
  struct State {
    llmc_session *session;
    llmc_sampler *sampler;
    bool fails, interrupts;
  } state = {s.get(), bad.get(), true, false};
  llmc_sampler_stage stage = {};
  stage.struct_size = sizeof(stage);
  stage.ud = &state;
  stage.apply = [](void *ud, float *, size_t) -> llmc_status {
    auto *state = static_cast<State *>(ud);
    // Callbacks that call back are told so.
    EXPECT_EQ(llmc_sampler_accept(state->sampler, 1), LLMC_EBUSY);
    EXPECT_EQ(llmc_seq_len(state->session, 0), -1);
    if (state->interrupts)
      llmc_session_interrupt(state->session);
    return state->fails ? LLMC_EIO : LLMC_OK;
  };
  ASSERT_OK(llmc_sampler_add(bad.get(), &stage));
  llmc_seq a = sequence(s.get()), b = sequence(s.get());
  Batch batched = batch();
  const llmc_token tokens[] = {1, 2, 3};
  ASSERT_OK(llmc_batch_add(batched.get(), a, tokens, 3, LLMC_OUT_LAST, nullptr));
  ASSERT_OK(llmc_batch_add(batched.get(), b, tokens, 3, LLMC_OUT_LAST, nullptr));
  ASSERT_OK(llmc_batch_sample(batched.get(), 0, good.get()));
  ASSERT_OK(llmc_batch_sample(batched.get(), 1, bad.get()));
  EXPECT_FAILS(llmc_eval(s.get(), batched.get()), LLMC_EIO, "stage");
  EXPECT_EQ(llmc_seq_len(s.get(), a), 0);
  EXPECT_EQ(llmc_seq_len(s.get(), b), 0);
  llmc_token chosen = -1, expected = -1;
  EXPECT_FAILS(llmc_sampled(s.get(), 0, &chosen, nullptr), LLMC_ESTATE, "no outputs");
  state.fails = false;
  state.interrupts = true;
  EXPECT_FAILS(llmc_eval(s.get(), batched.get()), LLMC_ECANCELLED, "as before");
  EXPECT_EQ(llmc_seq_len(s.get(), a), 0);
  state.interrupts = false;
  ASSERT_OK(llmc_eval(s.get(), batched.get()));
  ASSERT_OK(llmc_sampled(s.get(), 0, &chosen, nullptr));
  ASSERT_OK(llmc_sampler_sample(untouched.get(), s.get(), 0, &expected, nullptr));
  EXPECT_EQ(chosen, expected) << "the sampler's draws stood still while steps failed";
}
