// Memory of the caller: every large buffer comes from its allocator and goes back, whatever fails; plans;
// long loads.
#include "FakeModel.h"

#include <algorithm>
#include <cstring>
#include <map>

using namespace fake;

namespace {

/// Counts, and has no memory from the call number `failAt` on.
struct Counting {
  std::map<void *, size_t> blocks;
  size_t live = 0, most = 0;
  int calls = 0, failAt = INT32_MAX;
  llmc_allocator allocator = {sizeof(llmc_allocator), alloc, release, this};

  static void *alloc(size_t n, size_t align, void *ud) {
    auto *self = static_cast<Counting *>(ud);
    if (self->calls++ >= self->failAt)
      return nullptr;
    void *p = aligned_alloc(align, n);
    memset(p, 0xcd, n);
    self->blocks[p] = n;
    self->live += n;
    self->most = std::max(self->most, self->live);
    return p;
  }
  static void release(void *p, size_t n, void *ud) {
    auto *self = static_cast<Counting *>(ud);
    EXPECT_EQ(self->blocks[p], n);
    self->blocks.erase(p);
    self->live -= n;
    free(p);
  }
};

llmc_status newSession(llmc_model *model, Counting &counting,
                       const std::function<void(llmc_session_params &)> &edit, Session &out) {
  llmc_session_params params;
  llmc_session_params_init(&params, sizeof(params));
  params.allocator = &counting.allocator;
  edit(params);
  llmc_session *raw = nullptr;
  llmc_status status = llmc_session_new(model, &params, &raw);
  out.reset(raw);
  return status;
}

ModelFile largeWeights() {
  ModelFile file;
  const size_t used = file.weights.size();
  file.weights.resize(40u << 20);
  for (size_t i = used; i < file.weights.size(); ++i)
    file.weights[i] = uint8_t(i >> 8);
  return file;
}

struct Progress {
  std::map<std::string, std::vector<uint64_t>> done;
  std::string cancelIn;
  uint64_t cancelAfter = 0;

  static bool report(const char *stage, uint64_t done, uint64_t total, void *ud) {
    auto *self = static_cast<Progress *>(ud);
    EXPECT_LE(done, total);
    self->done[stage].push_back(done);
    return self->cancelIn != stage || done <= self->cancelAfter;
  }
};

llmc_status loadWith(const char *path, uint32_t flags, Progress &progress, Model &out,
                     const llmc_allocator *allocator = nullptr) {
  llmc_model_params params;
  llmc_model_params_init(&params, sizeof(params));
  params.n_threads = 1;
  params.flags = flags;
  params.progress = Progress::report;
  params.progress_ud = &progress;
  params.allocator = allocator;
  llmc_model *raw = nullptr;
  llmc_status status = llmc_model_load(path, &params, &raw);
  out.reset(raw);
  return status;
}

} // namespace

TEST(Memory, a_plan_is_what_a_session_takes) {
  for (const char *kind : {"fake_model", "fake_model_hidden"})
    for (uint32_t threads : {1u, 3u}) {
      Model model = load(threads, kind);
      for (uint32_t n : {16u, 1000u, 4096u}) {
        llmc_session_params params;
        llmc_session_params_init(&params, sizeof(params));
        params.n_ctx = n;
        params.n_seq_max = 3;
        params.n_kv_tokens = 2 * n;
        params.n_batch = n / 2;
        llmc_memory_plan plan;
        plan.struct_size = sizeof(plan);
        ASSERT_OK(llmc_plan(model.get(), &params, &plan));
        Counting counting;
        Session s;
        ASSERT_OK(newSession(
            model.get(), counting,
            [&](auto &p) {
              const llmc_allocator *own = p.allocator;
              p = params;
              p.allocator = own;
            },
            s));
        const auto tokens = someTokens(n / 2, 1);
        ASSERT_OK(llmc_prefill(s.get(), sequence(s.get()), tokens.data(), tokens.size()));
        EXPECT_EQ(counting.most, plan.kv + plan.workspace);
        s.reset();
        EXPECT_EQ(counting.live, 0u);
      }
    }
}

TEST(Memory, an_allocator_that_fails_at_any_call_leaks_nothing) {
  for (const char *kind :
       {"fake_model", "fake_model_keys"}) { // the keys model also takes memory for each step
    Model model = load(2, kind);
    const auto tokens = someTokens(9, 2);
    int failures = 0;
    for (int failAt = 0;; ++failAt) {
      Counting counting;
      counting.failAt = failAt;
      Session s;
      llmc_status status = newSession(model.get(), counting, [](auto &p) { p.n_ctx = 32; }, s);
      if (status == LLMC_OK) {
        llmc_seq seq = sequence(s.get());
        status = llmc_prefill(s.get(), seq, tokens.data(), tokens.size());
        if (status != LLMC_OK) {
          EXPECT_EQ(llmc_seq_len(s.get(), seq), 0);
          counting.failAt = INT32_MAX; // memory is back: the session goes on
          ASSERT_OK(llmc_prefill(s.get(), seq, tokens.data(), tokens.size()));
          EXPECT_EQ(logits(s.get()), fresh(model.get(), tokens));
          s.reset();
          EXPECT_EQ(counting.live, 0u);
          EXPECT_EQ(status, LLMC_ENOMEM);
          ++failures;
          continue;
        }
        s.reset();
        EXPECT_EQ(counting.live, 0u);
        break;
      }
      EXPECT_EQ(status, LLMC_ENOMEM);
      EXPECT_EQ(s, nullptr);
      EXPECT_EQ(counting.live, 0u);
      ++failures;
    }
    EXPECT_GE(failures, 3) << kind;
  }
}

TEST(Memory, a_step_without_memory_leaves_no_outputs) {
  Model model = load(2, "fake_model_keys");
  Counting counting;
  Session s;
  ASSERT_OK(newSession(model.get(), counting, [](auto &p) { p.n_ctx = 600; }, s));
  const auto tokens = someTokens(500, 2);
  const llmc_seq seq = sequence(s.get());
  ASSERT_OK(llmc_prefill(s.get(), seq, tokens.data(), 9));
  logits(s.get());
  counting.failAt = counting.calls;
  EXPECT_FAILS(llmc_prefill(s.get(), seq, tokens.data(), tokens.size()), LLMC_ENOMEM, "no scratch memory");
  const float *row = nullptr;
  EXPECT_FAILS(llmc_logits(s.get(), -1, &row, nullptr), LLMC_ESTATE, "there are no outputs");
}

TEST(Memory, long_loads_report_and_can_be_cancelled) {
  TempFile file(largeWeights().finish());
  const uint64_t size = 40u << 20;
  const std::pair<uint32_t, const char *> stages[] = {
      {LLMC_LOAD_VERIFY_WEIGHTS, "verify"}, {LLMC_LOAD_COPY_WEIGHTS, "weights"}, {LLMC_LOAD_MLOCK, "lock"}};
  for (auto [flag, stage] : stages) {
    Progress progress;
    Model model;
    const llmc_status status = loadWith(file.path(), flag, progress, model);
    if (flag == LLMC_LOAD_MLOCK && status == LLMC_ENOMEM)
      GTEST_SKIP() << llmc_last_error(); // the system allows too little locked memory
    ASSERT_OK(status);
    const auto &done = progress.done[stage];
    EXPECT_GE(done.size(), 3u) << stage;
    EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
    EXPECT_EQ(done.back(), size);
    EXPECT_EQ(progress.done["load"].size(), 1u);
    EXPECT_EQ(fresh(model.get(), {1, 2}), fresh(load().get(), {1, 2}));
    Progress cancelling;
    cancelling.cancelIn = stage;
    EXPECT_FAILS(loadWith(file.path(), flag, cancelling, model), LLMC_ECANCELLED, "cancelled");
    EXPECT_EQ(cancelling.done[stage].size(), 1u) << stage;
    EXPECT_EQ(model, nullptr);
  }
  Progress last;
  last.cancelIn = "load";
  Model model;
  EXPECT_FAILS(loadWith(file.path(), 0, last, model), LLMC_ECANCELLED, "cancelled");
}

TEST(Memory, copied_weights_come_from_the_allocator) {
  TempFile file(largeWeights().finish());
  Counting counting;
  Progress progress;
  Model model;
  ASSERT_OK(loadWith(file.path(), LLMC_LOAD_COPY_WEIGHTS, progress, model, &counting.allocator));
  EXPECT_EQ(counting.live, 40u << 20);
  EXPECT_EQ(fresh(model.get(), {3}), fresh(load().get(), {3}));
  model.reset();
  EXPECT_EQ(counting.live, 0u);
  progress.cancelIn = "weights";
  EXPECT_FAILS(loadWith(file.path(), LLMC_LOAD_COPY_WEIGHTS, progress, model, &counting.allocator),
               LLMC_ECANCELLED, "copied");
  EXPECT_EQ(counting.live, 0u);
  counting.failAt = 0;
  EXPECT_FAILS(loadWith(file.path(), LLMC_LOAD_COPY_WEIGHTS, progress, model, &counting.allocator),
               LLMC_ENOMEM, "no memory for a copy of the weights");
}
