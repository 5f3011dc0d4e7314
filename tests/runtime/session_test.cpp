// Steps over the cache: every way to feed the same tokens gives the same bits, and failures leave no trace.
#include "FakeModel.h"

#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>

using namespace fake;

class Threads : public testing::TestWithParam<uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Session, Threads, testing::Values(1, 2, 3));

TEST_P(Threads, ragged_batch_equals_one_after_the_other) {
  Model model = load(GetParam());
  Session s = session(model.get(), [](auto &p) { p.n_seq_max = 3, p.n_ctx = 64; });
  std::vector<std::vector<llmc_token>> texts = {someTokens(13, 1), someTokens(6, 2), someTokens(21, 3)};
  std::vector<llmc_seq> seqs;
  for (size_t i = 0; i < texts.size(); ++i)
    seqs.push_back(sequence(s.get()));
  // Three rounds of unequal parts; the first sequence appears twice in each batch.
  std::vector<size_t> done(3);
  for (int round = 0; round < 3; ++round) {
    Batch b = batch();
    std::vector<int32_t> rows(3, -1);
    for (size_t i : {0u, 1u, 2u, 0u}) {
      size_t n = round == 2 && (i != 0 || rows[0] >= 0) ? texts[i].size() - done[i] : i + 1;
      n = std::min(n, texts[i].size() - done[i]);
      int32_t row = -1;
      ASSERT_OK(llmc_batch_add(b.get(), seqs[i], texts[i].data() + done[i], n, LLMC_OUT_LAST, &row));
      if (n)
        rows[i] = row;
      done[i] += n;
    }
    ASSERT_OK(llmc_eval(s.get(), b.get()));
    for (size_t i = 0; i < 3; ++i) {
      std::vector<llmc_token> soFar(texts[i].begin(), texts[i].begin() + done[i]);
      ASSERT_GE(rows[i], 0);
      EXPECT_EQ(logits(s.get(), rows[i]), fresh(model.get(), soFar)) << round << ' ' << i;
    }
  }
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(done[i], texts[i].size());
    EXPECT_EQ(llmc_seq_len(s.get(), seqs[i]), llmc_pos(texts[i].size()));
  }
}

TEST_P(Threads, chunked_prefill_equals_decode_equals_all_rows) {
  Model model = load(GetParam());
  const auto tokens = someTokens(29, 4);
  std::vector<std::vector<float>> rows;
  {
    Session s = session(model.get());
    Batch b = batch();
    int32_t first = -1;
    ASSERT_OK(llmc_batch_add(b.get(), sequence(s.get()), tokens.data(), tokens.size(), LLMC_OUT_ALL, &first));
    EXPECT_EQ(first, 0);
    ASSERT_OK(llmc_eval(s.get(), b.get()));
    for (size_t i = 0; i < tokens.size(); ++i)
      rows.push_back(logits(s.get(), int32_t(i)));
    EXPECT_EQ(logits(s.get(), -1), rows.back());
  }
  for (uint32_t nBatch : {1u, 3u, 8u, 512u}) {
    Session s = session(model.get(), [&](auto &p) { p.n_batch = nBatch; });
    ASSERT_OK(llmc_prefill(s.get(), sequence(s.get()), tokens.data(), tokens.size()));
    EXPECT_EQ(logits(s.get()), rows.back()) << nBatch;
    EXPECT_EQ(logits(s.get(), 0), rows.back());
    const float *data;
    EXPECT_FAILS(llmc_logits(s.get(), 1, &data, nullptr), LLMC_EARG, "1 rows");
  }
  Session s = session(model.get());
  llmc_seq seq = sequence(s.get());
  for (size_t i = 0; i < tokens.size(); ++i) {
    ASSERT_OK(llmc_decode(s.get(), seq, tokens[i]));
    ASSERT_EQ(logits(s.get()), rows[i]) << i;
  }
}

TEST_P(Threads, keys_and_step_scratch) {
  Model model = load(GetParam(), "fake_model_keys");
  const auto tokens = someTokens(20, 5);
  auto whole = fresh(model.get(), tokens);
  EXPECT_NE(whole, fresh(load().get(), tokens));
  Session s = session(model.get(), [](auto &p) { p.n_seq_max = 2, p.n_batch = 7; });
  llmc_seq other = sequence(s.get()), seq = sequence(s.get());
  ASSERT_OK(llmc_prefill(s.get(), other, tokens.data(), 5));
  ASSERT_OK(llmc_prefill(s.get(), seq, tokens.data(), tokens.size()));
  EXPECT_EQ(logits(s.get()), whole);
}

TEST(Session, rows_as_chosen) {
  Model model = load();
  Session s = session(model.get());
  const auto tokens = someTokens(5, 6);
  const uint8_t outputs[] = {0, LLMC_OUT_LAST, 0, LLMC_OUT_ALL, 0};
  Batch b = batch();
  int32_t first = 9;
  ASSERT_OK(llmc_batch_add_rows(b.get(), sequence(s.get()), tokens.data(), 5, outputs, &first));
  EXPECT_EQ(first, 0);
  ASSERT_OK(llmc_eval(s.get(), b.get()));
  EXPECT_EQ(logits(s.get(), 0), fresh(model.get(), {tokens.begin(), tokens.begin() + 2}));
  EXPECT_EQ(logits(s.get(), 1), fresh(model.get(), {tokens.begin(), tokens.begin() + 4}));
  const float *data;
  EXPECT_FAILS(llmc_logits(s.get(), 2, &data, nullptr), LLMC_EARG, "");
  EXPECT_FAILS(llmc_logits(s.get(), -3, &data, nullptr), LLMC_EARG, "");
}

TEST(Session, remove_the_end_and_go_on) {
  Model model = load(2);
  Session s = session(model.get(), [](auto &p) { p.n_seq_max = 2; });
  llmc_seq seq = sequence(s.get()), other = sequence(s.get());
  auto first = someTokens(14, 7), second = someTokens(9, 8);
  ASSERT_OK(llmc_prefill(s.get(), other, second.data(), second.size()));
  for (llmc_pos keep : {13, 8, 5, 4, 1, 0}) {
    ASSERT_OK(llmc_kv_remove(s.get(), seq, 0, -1));
    ASSERT_OK(llmc_prefill(s.get(), seq, first.data(), first.size()));
    ASSERT_OK(llmc_kv_remove(s.get(), seq, keep, keep % 2 ? -1 : 14));
    EXPECT_EQ(llmc_seq_len(s.get(), seq), keep);
    ASSERT_OK(llmc_prefill(s.get(), seq, second.data(), second.size()));
    std::vector<llmc_token> expected(first.begin(), first.begin() + keep);
    expected.insert(expected.end(), second.begin(), second.end());
    EXPECT_EQ(logits(s.get()), fresh(model.get(), expected)) << keep;
  }
  llmc_pos low = -1, next = -1;
  EXPECT_OK(llmc_seq_range(s.get(), seq, &low, &next));
  EXPECT_EQ(low, 0);
  EXPECT_EQ(next, 9);
  EXPECT_FAILS(llmc_kv_remove(s.get(), seq, 2, 4), LLMC_EUNSUPPORTED, "end of a sequence");
  EXPECT_FAILS(llmc_kv_remove(s.get(), seq, 2, 40), LLMC_EARG, "40");
  EXPECT_FAILS(llmc_kv_remove(s.get(), seq, -2, -1), LLMC_EARG, "-2");
  EXPECT_FAILS(llmc_kv_remove(s.get(), 7, 0, -1), LLMC_ENOTFOUND, "7");
  EXPECT_EQ(llmc_seq_len(s.get(), seq), 9);
}

TEST(Session, sequences_are_reused_clean) {
  Model model = load();
  Session s = session(model.get(), [](auto &p) { p.n_seq_max = 2, p.n_ctx = 16; });
  auto tokens = someTokens(5, 9);
  for (int round = 0; round < 10; ++round) {
    llmc_seq seq = sequence(s.get());
    ASSERT_OK(llmc_prefill(s.get(), seq, tokens.data(), tokens.size()));
    EXPECT_EQ(logits(s.get()), fresh(model.get(), tokens));
    EXPECT_OK(llmc_seq_free(s.get(), seq));
    EXPECT_EQ(llmc_seq_len(s.get(), seq), -1);
    EXPECT_FAILS(llmc_decode(s.get(), seq, 1), LLMC_ENOTFOUND, "no sequence 0");
  }
  sequence(s.get());
  sequence(s.get());
  llmc_seq third = 55;
  EXPECT_FAILS(llmc_seq_new(s.get(), &third), LLMC_ENOSPC_KV, "n_seq_max");
  EXPECT_EQ(third, 55);
}

static llmc_kv_stats statsOf(llmc_session *s) {
  llmc_kv_stats stats;
  stats.struct_size = sizeof(stats);
  EXPECT_OK(llmc_kv_get_stats(s, &stats));
  return stats;
}

TEST(Session, full_cache_changes_nothing) {
  Model model = load();
  Session s = session(model.get(), [](auto &p) { p.n_seq_max = 2, p.n_ctx = 12, p.n_kv_tokens = 18; });
  llmc_seq a = sequence(s.get()), b = sequence(s.get());
  auto tokens = someTokens(30, 10);
  ASSERT_OK(llmc_prefill(s.get(), a, tokens.data(), 10));
  auto before = logits(s.get());
  auto check = [&](uint64_t pages) {
    EXPECT_EQ(llmc_seq_len(s.get(), a), 10);
    EXPECT_EQ(llmc_seq_len(s.get(), b), 0);
    EXPECT_EQ(statsOf(s.get()).pages_used, pages);
    EXPECT_EQ(logits(s.get()), before);
  };
  check(3);
  EXPECT_FAILS(llmc_prefill(s.get(), a, tokens.data(), 3), LLMC_ENOSPC_KV, "n_ctx = 12");
  check(3);
  EXPECT_FAILS(llmc_prefill(s.get(), b, tokens.data(), 9), LLMC_ENOSPC_KV, "n_kv_tokens = 18");
  check(3);
  Batch both = batch();
  ASSERT_OK(llmc_batch_add(both.get(), b, tokens.data(), 2, LLMC_OUT_LAST, nullptr));
  ASSERT_OK(llmc_batch_add(both.get(), a, tokens.data(), 2, LLMC_OUT_LAST, nullptr));
  ASSERT_OK(llmc_batch_add(both.get(), a, tokens.data(), 1, LLMC_OUT_LAST, nullptr));
  EXPECT_FAILS(llmc_eval(s.get(), both.get()), LLMC_ENOSPC_KV, "sequence 0");
  check(3);
  ASSERT_OK(llmc_prefill(s.get(), b, tokens.data(), 8)); // exactly full
  EXPECT_EQ(logits(s.get()), fresh(model.get(), {tokens.begin(), tokens.begin() + 8}));
  EXPECT_EQ(statsOf(s.get()).pages_used, 5u);
  EXPECT_EQ(statsOf(s.get()).bytes_used, 5u * 2 * 32);
  ASSERT_OK(llmc_seq_free(s.get(), a));
  EXPECT_EQ(statsOf(s.get()).pages_used, 2u);
}

TEST(Session, wrong_tokens_change_nothing) {
  Model model = load();
  Session s = session(model.get(), [](auto &p) { p.n_batch = 4; });
  llmc_seq seq = sequence(s.get());
  const llmc_token bad[] = {1, 2, 3, 4, 5, vocab}, negative[] = {-1};
  EXPECT_FAILS(llmc_prefill(s.get(), seq, bad, 6), LLMC_EARG, "token 5 is 64");
  EXPECT_FAILS(llmc_prefill(s.get(), seq, negative, 1), LLMC_EARG, "-1");
  EXPECT_FAILS(llmc_prefill(s.get(), seq, bad, 0), LLMC_EARG, "no tokens");
  EXPECT_EQ(llmc_seq_len(s.get(), seq), 0);
  Batch b = batch();
  EXPECT_FAILS(llmc_eval(s.get(), b.get()), LLMC_EARG, "no tokens");
  ASSERT_OK(llmc_batch_add(b.get(), seq, bad, 5, LLMC_OUT_LAST, nullptr));
  EXPECT_FAILS(llmc_eval(s.get(), b.get()), LLMC_EARG, "n_batch = 4");
  const float *data;
  EXPECT_FAILS(llmc_logits(s.get(), 0, &data, nullptr), LLMC_ESTATE, "llmc_eval");
}

TEST_P(Threads, interrupt_before_a_call_cancels_it_once) {
  Model model = load(GetParam());
  Session s = session(model.get());
  llmc_seq seq = sequence(s.get());
  llmc_session_interrupt(s.get());
  EXPECT_FAILS(llmc_decode(s.get(), seq, 1), LLMC_ECANCELLED, "interrupted");
  EXPECT_EQ(llmc_seq_len(s.get(), seq), 0);
  EXPECT_OK(llmc_decode(s.get(), seq, 1));
}

TEST_P(Threads, interrupt_from_another_thread) {
  Model model = load(GetParam());
  Session s = session(model.get(), [](auto &p) { p.n_batch = 4; });
  llmc_seq seq = sequence(s.get());
  // The first chunk is fast, the second would take 24 layers * 3 tokens * 2 ms.
  std::vector<llmc_token> tokens = {1, 2, 3, 4, slowToken, slowToken, slowToken};
  std::atomic<int> steps{0};
  auto count = [](const llmc_dispatch_info *info, void *ud) {
    *static_cast<std::atomic<int> *>(ud) += info->dispatch == 0;
    return true;
  };
  ASSERT_OK(llmc_session_observe(s.get(), count, &steps));
  std::thread other([&] {
    while (steps < 2)
      std::this_thread::yield();
    llmc_session_interrupt(s.get());
  });
  llmc_status status = llmc_prefill(s.get(), seq, tokens.data(), tokens.size());
  other.join();
  EXPECT_FAILS(status, LLMC_ECANCELLED, "as before");
  EXPECT_EQ(llmc_seq_len(s.get(), seq), 4); // whole chunks stay
  EXPECT_EQ(statsOf(s.get()).pages_used, 1u);
  const float *data;
  EXPECT_FAILS(llmc_logits(s.get(), 0, &data, nullptr), LLMC_ESTATE, "");
  std::vector<llmc_token> rest = {5, 6};
  ASSERT_OK(llmc_prefill(s.get(), seq, rest.data(), rest.size()));
  EXPECT_EQ(logits(s.get()), fresh(model.get(), {1, 2, 3, 4, 5, 6}));
}

TEST_P(Threads, interrupts_at_any_moment_leave_a_whole_cache) {
  Model model = load(GetParam());
  Session s = session(model.get());
  llmc_seq seq = sequence(s.get());
  std::atomic<bool> stop{false};
  std::thread other([&] {
    while (!stop) {
      llmc_session_interrupt(s.get());
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  });
  std::vector<llmc_token> accepted;
  for (int i = 0; i < 200 && accepted.size() < 100; ++i) {
    llmc_status status = llmc_decode(s.get(), seq, i % 60);
    if (status == LLMC_OK)
      accepted.push_back(i % 60);
    else
      EXPECT_EQ(status, LLMC_ECANCELLED);
    EXPECT_EQ(llmc_seq_len(s.get(), seq), llmc_pos(accepted.size()));
  }
  stop = true;
  other.join();
  while (llmc_decode(s.get(), seq, 3) != LLMC_OK) {
  }
  accepted.push_back(3);
  EXPECT_EQ(logits(s.get()), fresh(model.get(), accepted));
}

TEST(Session, second_thread_gets_busy) {
  Model model = load(1);
  Session s = session(model.get());
  llmc_seq seq = sequence(s.get());
  std::thread other([&] {
    std::vector<llmc_token> slow(4, slowToken);
    EXPECT_OK(llmc_prefill(s.get(), seq, slow.data(), slow.size()));
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  EXPECT_FAILS(llmc_decode(s.get(), seq, 1), LLMC_EBUSY, "in use");
  const float *data;
  EXPECT_FAILS(llmc_logits(s.get(), 0, &data, nullptr), LLMC_EBUSY, "");
  EXPECT_EQ(llmc_seq_len(s.get(), seq), -1);
  other.join();
  EXPECT_OK(llmc_decode(s.get(), seq, 1));
}

TEST_P(Threads, sessions_of_one_model_queue) {
  Model model = load(GetParam());
  auto tokens = someTokens(40, 11);
  const auto expected = fresh(model.get(), tokens);
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&] { EXPECT_EQ(fresh(model.get(), tokens), expected); });
  for (std::thread &thread : threads)
    thread.join();
}

struct Seen {
  std::vector<uint32_t> dispatches;
  uint32_t cancelAt = UINT32_MAX;
  uint64_t firstState = 0, lastStep = 0;
};

static bool observe(const llmc_dispatch_info *info, void *ud) {
  auto *seen = static_cast<Seen *>(ud);
  seen->dispatches.push_back(info->dispatch);
  if (info->dispatch == 1) {
    EXPECT_STREQ(info->kernel, "attend");
    EXPECT_STREQ(info->location, "layer.0 line 3");
    EXPECT_EQ(info->layer, 0u);
    EXPECT_EQ(info->rank, 2u);
    EXPECT_EQ(info->shape[0], 3);
    EXPECT_EQ(info->shape[1], 2);
    EXPECT_STREQ(info->value, "h");
    EXPECT_EQ(info->columns, 2u);
    EXPECT_STREQ(info->buffer, "state");
    EXPECT_EQ(info->result, 0u);
    EXPECT_EQ(info->row_space, 0u);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(info->row_tokens[i].id, i + 1);
      EXPECT_EQ(info->row_tokens[i].seq, 0);
      EXPECT_EQ(info->row_tokens[i].pos, i);
    }
    memcpy(&seen->firstState, info->data, 8);
  }
  if (info->dispatch == layers + 1) {
    EXPECT_EQ(info->value, nullptr);
    EXPECT_EQ(info->shape[0], 1);
    EXPECT_EQ(info->row_space, 1u);
    EXPECT_EQ(info->row_tokens[0].pos, 2);
  }
  seen->lastStep = info->step;
  return info->dispatch != seen->cancelAt;
}

TEST_P(Threads, observer_sees_each_dispatch_and_can_cancel) {
  Model model = load(GetParam());
  Session s = session(model.get());
  llmc_seq seq = sequence(s.get());
  const llmc_token tokens[] = {1, 2, 3};
  Seen seen;
  ASSERT_OK(llmc_session_observe(s.get(), observe, &seen));
  ASSERT_OK(llmc_prefill(s.get(), seq, tokens, 3));
  EXPECT_EQ(seen.dispatches.size(), size_t(layers + 2));
  EXPECT_NE(seen.firstState, 0u);
  EXPECT_EQ(seen.lastStep, 0u);
  auto whole = logits(s.get());
  for (uint32_t at : {0u, 7u, uint32_t(layers + 1)}) {
    ASSERT_OK(llmc_kv_remove(s.get(), seq, 0, -1));
    seen = {};
    seen.cancelAt = at;
    EXPECT_FAILS(llmc_prefill(s.get(), seq, tokens, 3), LLMC_ECANCELLED, "");
    EXPECT_EQ(seen.dispatches.size(), at + 1);
    EXPECT_GT(seen.lastStep, 0u);
    EXPECT_EQ(llmc_seq_len(s.get(), seq), 0);
    EXPECT_EQ(statsOf(s.get()).pages_used, 0u);
  }
  ASSERT_OK(llmc_session_observe(s.get(), nullptr, nullptr));
  ASSERT_OK(llmc_prefill(s.get(), seq, tokens, 3));
  EXPECT_EQ(logits(s.get()), whole);
}

TEST(Session, plan_and_limits) {
  Model model = load(2);
  llmc_session_params params;
  llmc_session_params_init(&params, sizeof(params));
  llmc_memory_plan plan;
  plan.struct_size = sizeof(plan);
  ASSERT_OK(llmc_plan(model.get(), &params, &plan));
  EXPECT_EQ(plan.weights, 24u * 8);
  // In whole pages of memory: two caches, the arena, the workers' scratch.
  EXPECT_EQ(plan.kv, 2u * 4096);
  EXPECT_EQ(plan.workspace, 512u * (8 + 8 + 320) + 4096);
  Session s = session(model.get());
  EXPECT_EQ(statsOf(s.get()).bytes_total, 128u / 4 * 2 * 32);
  llmc_session *none = nullptr;
  params.n_ctx = UINT32_MAX;
  EXPECT_FAILS(llmc_session_new(model.get(), &params, &none), LLMC_EARG, "n_ctx");
  params.n_ctx = 0;
  params.type_k = LLMC_KV_Q8;
  EXPECT_FAILS(llmc_session_new(model.get(), &params, &none), LLMC_EUNSUPPORTED, "f16");
  params.type_k = LLMC_KV_F16;
  EXPECT_OK(llmc_session_new(model.get(), &params, &none));
  llmc_session_free(none);
  params.type_v = LLMC_KV_BF16;
  EXPECT_FAILS(llmc_session_new(model.get(), &params, &none), LLMC_EUNSUPPORTED,
               "type_k is f16 and type_v is bf16: keys and values have one type");
  params.type_k = LLMC_KV_AUTO;
  params.type_v = LLMC_KV_F16;
  EXPECT_OK(llmc_session_new(model.get(), &params, &none));
  llmc_session_free(none);
  params.type_v = llmc_kv_type(9);
  EXPECT_FAILS(llmc_session_new(model.get(), &params, &none), LLMC_EARG, "no storage type");
  params.type_v = LLMC_KV_AUTO;
  params.flags = 1u << 9;
  EXPECT_FAILS(llmc_session_new(model.get(), &params, &none), LLMC_EARG, "flags");
  params.flags = LLMC_SESSION_PREFIX_REUSE;
  EXPECT_FAILS(llmc_session_new(model.get(), &params, &none), LLMC_EUNSUPPORTED, "flags");
}

TEST(Session, a_session_keeps_its_model) {
  Model model = load(2);
  Session s = session(model.get());
  auto expected = fresh(model.get(), {4, 5});
  model.reset();
  const llmc_token tokens[] = {4, 5};
  ASSERT_OK(llmc_prefill(s.get(), sequence(s.get()), tokens, 2));
  EXPECT_EQ(logits(s.get()), expected);
}

TEST(Session, memory_from_the_caller) {
  static std::atomic<int64_t> live;
  live = 0;
  llmc_allocator allocator = {sizeof(allocator),
                              [](size_t n, size_t align, void *) {
                                live += int64_t(n);
                                void *p = aligned_alloc(align, n);
                                memset(p, 0xcd, n); // pages must be zeroed by the cache
                                return p;
                              },
                              [](void *p, size_t n, void *) {
                                live -= int64_t(n);
                                free(p);
                              },
                              nullptr};
  Model model = load();
  {
    Session s = session(model.get(), [&](auto &p) { p.allocator = &allocator; });
    EXPECT_GT(live, 0);
    const llmc_token token = 9;
    ASSERT_OK(llmc_prefill(s.get(), sequence(s.get()), &token, 1));
    EXPECT_EQ(logits(s.get()), fresh(model.get(), {9}));
  }
  EXPECT_EQ(live, 0);
  allocator.alloc = [](size_t, size_t, void *) -> void * { return nullptr; };
  llmc_session_params params;
  llmc_session_params_init(&params, sizeof(params));
  params.allocator = &allocator;
  llmc_session *none = nullptr;
  EXPECT_FAILS(llmc_session_new(model.get(), &params, &none), LLMC_ENOMEM, "");
}

TEST(Session, a_shared_pool) {
  llmc_pool *pool = nullptr;
  const int32_t cpus[] = {0};
  ASSERT_OK(llmc_pool_new(3, cpus, 1, &pool));
  TempFile file(ModelFile().finish());
  llmc_model_params params;
  llmc_model_params_init(&params, sizeof(params));
  params.pool = pool;
  llmc_model *raw = nullptr;
  ASSERT_OK(llmc_model_load(file.path(), &params, &raw));
  EXPECT_EQ(fresh(raw, {1, 2, 3, 4, 5}), fresh(load().get(), {1, 2, 3, 4, 5}));
  llmc_model_release(raw);
  llmc_pool_free(pool);
  const int32_t wrong[] = {-4};
  EXPECT_FAILS(llmc_pool_new(2, wrong, 1, &pool), LLMC_EARG, "-4");
  EXPECT_FAILS(llmc_pool_new(5000, nullptr, 0, &pool), LLMC_EARG, "5000");
}
