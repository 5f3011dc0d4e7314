// Misuse of the C API: null pointers and foreign values are a status, never a crash.
#include "FakeModel.h"

#include <cstring>
#include <string>
#include <thread>

using namespace fake;

TEST(Api, library) {
  EXPECT_EQ(llmc_abi_version(), LLMC_ABI_VERSION);
  EXPECT_GT(strlen(llmc_version_string()), 2u);
  EXPECT_STREQ(llmc_status_name(LLMC_OK), "LLMC_OK");
  EXPECT_STREQ(llmc_status_name(LLMC_ENOSPC_KV), "LLMC_ENOSPC_KV");
  EXPECT_STREQ(llmc_status_name(LLMC_EINTERNAL), "LLMC_EINTERNAL");
  EXPECT_NE(llmc_status_name(-5), nullptr);
  EXPECT_NE(llmc_status_name(1000), nullptr);
  size_t n = 0;
  EXPECT_OK(llmc_device_count(&n));
  EXPECT_GE(n, 2u); // cpu, GPUs that are here, simt
  const size_t count = n;
  char name[8] = "?";
  EXPECT_OK(llmc_device_name(0, nullptr, 0, &n));
  EXPECT_EQ(n, 4u);
  EXPECT_FAILS(llmc_device_name(0, name, 3, &n), LLMC_EARG, "4 needed");
  EXPECT_OK(llmc_device_name(0, name, sizeof(name), &n));
  EXPECT_STREQ(name, "cpu");
  EXPECT_OK(llmc_device_name(count - 1, name, sizeof(name), &n));
  EXPECT_STREQ(name, "simt");
  EXPECT_FAILS(llmc_device_name(count, name, sizeof(name), &n), LLMC_ENOTFOUND, "only");
  for (const char *always : {(const char *)nullptr, "auto", "cpu", "simt", "simt:seed=3"})
    EXPECT_OK(llmc_device_check(always));
  EXPECT_FAILS(llmc_device_check("gpu"), LLMC_EARG,
               "llmc_device_check: device is 'gpu', this build has 'cpu'");
  EXPECT_FAILS(llmc_device_check("cuda:x"), LLMC_EARG, "device is 'cuda:x', expected a number");
}

TEST(Api, freeing_null_is_harmless) {
  llmc_free(nullptr);
  llmc_pool_free(nullptr);
  llmc_model_release(nullptr);
  llmc_session_free(nullptr);
  llmc_session_interrupt(nullptr);
  llmc_batch_free(nullptr);
  llmc_batch_clear(nullptr);
  llmc_sampler_free(nullptr);
  llmc_grammar_free(nullptr);
  llmc_tokenizer_free(nullptr);
  llmc_detok_free(nullptr);
  EXPECT_EQ(llmc_model_retain(nullptr), nullptr);
  EXPECT_EQ(llmc_model_meta_count(nullptr), 0u);
  EXPECT_EQ(llmc_model_meta(nullptr, "x"), nullptr);
  EXPECT_EQ(llmc_seq_len(nullptr, 0), -1);
  llmc_model_params_init(nullptr, 8);
  llmc_session_params params;
  llmc_session_params_init(&params, 0); // too small to hold anything: untouched
}

TEST(Api, null_arguments) {
  Model model = load();
  Session s = session(model.get());
  Batch b = batch();
  Sampler sam = sampler(model.get());
  llmc_seq seq = sequence(s.get());
  llmc_model *noModel = nullptr;
  llmc_session *noSession = nullptr;
  llmc_token token = 1;
  const float *row = nullptr;
  llmc_memory_plan plan = {};
  llmc_kv_stats stats = {};
  llmc_profile_step step = {};
  llmc_dispatch_cost dispatch = {};
  uint64_t number = 0;
  size_t n = 0;
  const llmc_status all[] = {llmc_device_count(nullptr),
                             llmc_device_name(0, nullptr, 5, &n),
                             llmc_pool_new(1, nullptr, 0, nullptr),
                             llmc_pool_new(1, nullptr, 2, nullptr),
                             llmc_model_load(nullptr, nullptr, &noModel),
                             llmc_model_load("x", nullptr, nullptr),
                             llmc_model_info(nullptr, 0, nullptr),
                             llmc_model_info(model.get(), 0, nullptr),
                             llmc_model_meta_at(nullptr, 0, nullptr, nullptr),
                             llmc_model_tokenizer(nullptr, nullptr),
                             llmc_plan(nullptr, nullptr, &plan),
                             llmc_plan(model.get(), nullptr, &plan), // struct_size not set
                             llmc_plan(model.get(), nullptr, nullptr),
                             llmc_session_new(nullptr, nullptr, &noSession),
                             llmc_session_new(model.get(), nullptr, nullptr),
                             llmc_session_observe(nullptr, nullptr, nullptr),
                             llmc_session_profile(nullptr, 1),
                             llmc_profile_range(nullptr, &number, &number),
                             llmc_profile_range(s.get(), nullptr, &number),
                             llmc_profile_get_step(nullptr, 0, &step),
                             llmc_profile_get_step(s.get(), 0, nullptr),
                             llmc_profile_get_events(nullptr, 0, nullptr, 0, &n),
                             llmc_model_dispatch(nullptr, 0, &dispatch),
                             llmc_model_dispatch(model.get(), 0, nullptr),
                             llmc_model_dispatch(model.get(), 0, &dispatch), // struct_size not set
                             llmc_seq_new(nullptr, &seq),
                             llmc_seq_new(s.get(), nullptr),
                             llmc_seq_free(nullptr, 0),
                             llmc_seq_range(nullptr, 0, nullptr, nullptr),
                             llmc_batch_new(4, nullptr),
                             llmc_batch_add(nullptr, 0, &token, 1, 0, nullptr),
                             llmc_batch_add(b.get(), 0, nullptr, 1, 0, nullptr),
                             llmc_batch_add(b.get(), -1, &token, 1, 0, nullptr),
                             llmc_batch_add(b.get(), 0, &token, 1, 8, nullptr),
                             llmc_batch_add(b.get(), 0, &token, 1, LLMC_OUT_HIDDEN, nullptr),
                             llmc_batch_add(b.get(), 0, &token, 300, 0, nullptr),
                             llmc_batch_add_rows(b.get(), 0, &token, 1, nullptr, nullptr),
                             llmc_batch_sample(nullptr, 0, nullptr),
                             llmc_eval(nullptr, b.get()),
                             llmc_eval(s.get(), nullptr),
                             llmc_prefill(nullptr, seq, &token, 1),
                             llmc_prefill(s.get(), seq, nullptr, 1),
                             llmc_decode(nullptr, seq, 1),
                             llmc_encode(nullptr, seq, &token, 1),
                             llmc_encode_batch(nullptr, nullptr),
                             llmc_logits(nullptr, 0, &row, &n),
                             llmc_logits(s.get(), 0, nullptr, &n),
                             llmc_logprobs(s.get(), 0, 1, nullptr, nullptr),
                             llmc_hidden(nullptr, 0, &row, &n),
                             llmc_embedding(nullptr, 0, 0, &row, &n),
                             llmc_sampled(nullptr, 0, &token, nullptr),
                             llmc_kv_remove(nullptr, 0, 0, -1),
                             llmc_kv_fork(nullptr, 0, 0, &seq),
                             llmc_kv_shift(nullptr, 0, 0, 0, 0),
                             llmc_kv_get_stats(nullptr, &stats),
                             llmc_kv_get_stats(s.get(), nullptr),
                             llmc_kv_get_stats(s.get(), &stats), // struct_size not set
                             llmc_kv_save(nullptr, 0, nullptr, nullptr),
                             llmc_kv_load(nullptr, nullptr, nullptr, &seq),
                             llmc_sampler_new(nullptr, nullptr, nullptr),
                             llmc_sampler_new(model.get(), nullptr, nullptr),
                             llmc_sampler_clone(nullptr, nullptr),
                             llmc_sampler_bias(sam.get(), nullptr, nullptr, 1),
                             llmc_sampler_grammar(nullptr, nullptr),
                             llmc_sampler_add(sam.get(), nullptr),
                             llmc_sampler_sample(sam.get(), nullptr, 0, &token, nullptr),
                             llmc_sampler_sample(sam.get(), s.get(), 0, nullptr, nullptr),
                             llmc_sampler_accept(nullptr, 0),
                             llmc_grammar_parse(nullptr, nullptr, nullptr, 0, nullptr),
                             llmc_tokenizer_open(nullptr, 0, nullptr),
                             llmc_chat_apply(nullptr, "[]", 2, nullptr, true, nullptr, nullptr),
                             llmc_chat_tokenize(nullptr, "[]", 2, nullptr, true, nullptr, 0, nullptr),
                             llmc_generate(nullptr, 0, sam.get(), nullptr, nullptr, nullptr, nullptr),
                             llmc_generate(s.get(), 0, nullptr, nullptr, nullptr, nullptr, nullptr)};
  for (size_t i = 0; i < std::size(all); ++i)
    EXPECT_EQ(all[i], LLMC_EARG) << i;
  EXPECT_EQ(seq, 0);
  EXPECT_EQ(token, 1);
}

TEST(Api, what_is_not_there_says_what_is) {
  Model model = load();
  Session s = session(model.get());
  llmc_seq seq = sequence(s.get()), other = 7;
  llmc_token token = 1;
  const float *row = nullptr;
  llmc_grammar *grammar = nullptr;
  Batch b = batch();
  Sampler sam = sampler(model.get());
  EXPECT_FAILS(llmc_encode(s.get(), seq, &token, 1), LLMC_EUNSUPPORTED, "llmc_prefill");
  EXPECT_FAILS(llmc_encode_batch(s.get(), b.get()), LLMC_EUNSUPPORTED, "llmc_eval");
  EXPECT_FAILS(llmc_hidden(s.get(), 0, &row, nullptr), LLMC_EUNSUPPORTED, "llmc_logits");
  EXPECT_FAILS(llmc_embedding(s.get(), seq, 0, &row, nullptr), LLMC_EUNSUPPORTED, "llmc_logits");
  EXPECT_FAILS(llmc_kv_fork(s.get(), seq, 0, &other), LLMC_EUNSUPPORTED, "prefill");
  EXPECT_FAILS(llmc_kv_shift(s.get(), seq, 0, 0, 0), LLMC_EUNSUPPORTED, "llmc_kv_remove");
  EXPECT_FAILS(llmc_grammar_parse(nullptr, "gbnf", "", 0, &grammar), LLMC_EUNSUPPORTED, "llmc_sampler_add");
  EXPECT_FAILS(llmc_sampler_grammar(sam.get(), nullptr), LLMC_EUNSUPPORTED, "llmc_sampler_add");
  EXPECT_EQ(other, 7);
  ASSERT_OK(llmc_batch_add(b.get(), seq, &token, 1, LLMC_OUT_LAST | LLMC_OUT_HIDDEN, nullptr));
  EXPECT_FAILS(llmc_eval(s.get(), b.get()), LLMC_EUNSUPPORTED, "hidden");
}

TEST(Api, batch_rows) {
  Batch b = batch(8);
  const llmc_token tokens[8] = {};
  int32_t row = 99;
  EXPECT_OK(llmc_batch_add(b.get(), 0, tokens, 2, LLMC_OUT_NONE, &row));
  EXPECT_EQ(row, -1);
  EXPECT_OK(llmc_batch_add(b.get(), 1, tokens, 2, LLMC_OUT_ALL, &row));
  EXPECT_EQ(row, 0);
  EXPECT_OK(llmc_batch_add(b.get(), 0, tokens, 3, LLMC_OUT_LAST, &row));
  EXPECT_EQ(row, 2);
  row = 99;
  EXPECT_FAILS(llmc_batch_add(b.get(), 0, tokens, 2, LLMC_OUT_LAST, &row), LLMC_EARG, "1 of 8");
  EXPECT_EQ(row, 99);
  llmc_batch_clear(b.get());
  EXPECT_OK(llmc_batch_add(b.get(), 0, tokens, 8, LLMC_OUT_LAST, &row));
  EXPECT_EQ(row, 0);
}

TEST(Api, log) {
  static std::string seen;
  seen.clear();
  auto callback = [](int32_t, const char *message, size_t n, void *) { seen.append(message, n); };
  llmc_set_log(callback, nullptr, 0);
  load();
  EXPECT_NE(seen.find("kernels for base"), std::string::npos);
  seen.clear();
  llmc_set_log(callback, nullptr, 3);
  load();
  llmc_set_log(nullptr, nullptr, 0);
  load();
  EXPECT_EQ(seen, "");
}

TEST(Api, a_log_callback_may_call_what_logs) {
  static int calls;
  calls = 0;
  auto callback = [](int32_t, const char *, size_t, void *) {
    if (++calls == 1)
      session(load().get());
  };
  llmc_set_log(callback, nullptr, 0);
  load();
  llmc_set_log(nullptr, nullptr, 0);
  EXPECT_EQ(calls, 1); // of what the callback itself calls nothing is logged
}

TEST(Api, log_levels) {
  struct Seen {
    std::vector<std::pair<int32_t, std::string>> messages;
    bool has(int32_t level, const std::string &part) const {
      for (const auto &[l, text] : messages)
        if (l == level && text.find(part) != std::string::npos)
          return true;
      return false;
    }
  } seen;
  auto callback = [](int32_t level, const char *message, size_t n, void *ud) {
    static_cast<Seen *>(ud)->messages.emplace_back(level, std::string(message, n));
  };
  llmc_set_log(callback, &seen, 0);
  // Calls are serialized, whatever thread they come from.
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([] {
      for (int k = 0; k < 5; ++k)
        session(load().get());
    });
  for (std::thread &thread : threads)
    thread.join();
  llmc_pool *pool = nullptr;
  ASSERT_OK(llmc_pool_new(600, nullptr, 0, &pool));
  llmc_pool_free(pool);
  llmc_set_log(nullptr, nullptr, 0);
  EXPECT_TRUE(seen.has(0, "a session of 1 sequences, 128 tokens each"));
  EXPECT_TRUE(seen.has(1, "loaded, kernels for base"));
  EXPECT_TRUE(seen.has(2, "600 threads on "));
  EXPECT_GE(seen.messages.size(), 4u * 5 * 2);
  for (const auto &[level, text] : seen.messages)
    EXPECT_TRUE(level >= 0 && level <= 2 && text.back() != '.' && text.back() != '\n') << text;
}

TEST(Api, the_last_error_is_each_threads_own) {
  EXPECT_FAILS(llmc_pool_new(2000, nullptr, 0, nullptr), LLMC_EARG, "");
  const std::string here = llmc_last_error();
  std::thread([&] {
    EXPECT_STREQ(llmc_last_error(), "");
    EXPECT_EQ(llmc_model_info(nullptr, 0, nullptr), LLMC_EARG);
    EXPECT_STREQ(llmc_last_error(), "llmc_model_info: 'model' is null");
  }).join();
  EXPECT_EQ(llmc_last_error(), here);
  size_t n = 0;
  EXPECT_OK(llmc_device_count(&n)); // success does not clear it
  EXPECT_EQ(llmc_last_error(), here);
}

// The toy's 24 layers read 8 bytes of weights, 8 a row and 8 a key each, and do one operation a row and a
// key.
TEST(Api, step_cost_adds_up_the_table) {
  Model model = load();
  llmc_step_cost cost = {};
  cost.struct_size = sizeof cost;
  cost.n_tokens = 5, cost.n_rows = 2, cost.n_keys = 11, cost.n_token_keys = 33;
  ASSERT_OK(llmc_model_step_cost(model.get(), &cost));
  EXPECT_EQ(cost.bytes, 24u * (8 + 8 * 5 + 8 * 11));
  EXPECT_EQ(cost.operations, 24u * (5 + 33));
  EXPECT_EQ(cost.n_tokens, 5u);
  cost.n_tokens = cost.n_rows = cost.n_keys = cost.n_token_keys = 0; // no rows: nothing runs
  ASSERT_OK(llmc_model_step_cost(model.get(), &cost));
  EXPECT_EQ(cost.bytes, 0u);
  EXPECT_EQ(cost.operations, 0u);
  struct {
    uint64_t tokens, rows, keys, tokenKeys;
  } const none[] = {{1, 2, 1, 1}, {2, 1, 3, 7}, {uint64_t(1) << 33, 1, 1, 1}, {1, 1, uint64_t(1) << 33, 1}};
  for (const auto &step : none) {
    cost.n_tokens = step.tokens, cost.n_rows = step.rows;
    cost.n_keys = step.keys, cost.n_token_keys = step.tokenKeys;
    EXPECT_FAILS(llmc_model_step_cost(model.get(), &cost), LLMC_EARG, "are no step");
  }
  EXPECT_FAILS(llmc_model_step_cost(nullptr, &cost), LLMC_EARG, "model");
  cost.struct_size = 0;
  EXPECT_EQ(llmc_model_step_cost(model.get(), &cost), LLMC_EARG);
}
