// The pool under its sessions: meetings, pinning, sharing, and interrupts from other threads and signal
// handlers.
#include "FakeModel.h"

#include "runtime/Threads.h"

#include <atomic>
#include <csignal>
#include <pthread.h>
#include <sched.h>
#include <thread>

using namespace fake;

namespace {

/// Every worker adds to its own cell, all meet, every worker checks all cells.
struct Meetings {
  llmc::ThreadPool &pool;
  int rounds;
  std::vector<uint64_t> cells;
  std::atomic<int> wrong{0};

  static void job(void *self, uint32_t worker, uint32_t n) { static_cast<Meetings *>(self)->work(worker, n); }
  void work(uint32_t worker, uint32_t n) {
    for (int round = 1; round <= rounds; ++round) {
      cells[worker * 8] += worker + 1;
      pool.barrier(worker);
      for (uint32_t i = 0; i < n; ++i)
        wrong += cells[i * 8] != uint64_t(round) * (i + 1);
      pool.barrier(worker);
    }
  }
};

} // namespace

TEST(Pool, workers_meet) {
  for (uint32_t n : {1u, 2u, 3u, 7u}) {
    llmc::ThreadPool pool(n, nullptr, 0);
    for (int run = 0; run < 20; ++run) {
      Meetings meetings{pool, 25, std::vector<uint64_t>(n * 8)};
      pool.run(Meetings::job, &meetings);
      EXPECT_EQ(meetings.wrong, 0) << n;
      if (run % 5 == 4) // long enough for workers to go to sleep
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
}

TEST(Pool, a_wait_is_as_long_as_it_pays) {
  llmc::SpinLimit limit(100);
  const uint32_t start = limit.nanos();
  EXPECT_LE(start, 100'000u);
  limit.came(40'000);
  EXPECT_EQ(limit.nanos(), 80'000u);
  limit.came(1'000); // never shorter because somebody was quick
  EXPECT_EQ(limit.nanos(), 80'000u);
  limit.came(90'000);
  EXPECT_EQ(limit.nanos(), 100'000u);
  for (int i = 0; i < 20; ++i)
    limit.slept(3'000'000);
  EXPECT_EQ(limit.nanos(), 1'000u);
  limit.slept(50'000); // spinning on would have been enough
  EXPECT_EQ(limit.nanos(), 100'000u);
}

TEST(Pool, workers_are_pinned) {
  const int cpu = sched_getcpu(); // one that this process may use
  cpu_set_t mask;
  CPU_ZERO(&mask);
  ASSERT_EQ(sched_getaffinity(0, sizeof(mask), &mask), 0);
  llmc::ThreadPool pool(3, &cpu, 1);
  static std::atomic<int> pinned;
  pinned = 0;
  pool.run(
      [](void *wanted, uint32_t worker, uint32_t) {
        cpu_set_t own;
        CPU_ZERO(&own);
        pthread_getaffinity_np(pthread_self(), sizeof(own), &own);
        pinned += worker > 0 && CPU_COUNT(&own) == 1 && CPU_ISSET(*static_cast<const int *>(wanted), &own);
      },
      const_cast<int *>(&cpu));
  EXPECT_EQ(pinned, 2);
  cpu_set_t after;
  CPU_ZERO(&after);
  sched_getaffinity(0, sizeof(after), &after);
  EXPECT_TRUE(CPU_EQUAL(&mask, &after)) << "the calling thread is left where it is";
}

TEST(Pool, is_shared_by_models_and_sessions) {
  llmc_pool *pool = nullptr;
  ASSERT_OK(llmc_pool_new(2, nullptr, 0, &pool));
  TempFile a(ModelFile().finish()), b(ModelFile("fake_model_hidden").finish());
  llmc_model_params params;
  llmc_model_params_init(&params, sizeof(params));
  params.pool = pool;
  llmc_model *first = nullptr, *second = nullptr;
  ASSERT_OK(llmc_model_load(a.path(), &params, &first));
  ASSERT_OK(llmc_model_load(b.path(), &params, &second));
  const auto tokens = someTokens(50, 12);
  const auto expected = fresh(load().get(), tokens);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      for (int k = 0; k < 5; ++k)
        EXPECT_EQ(fresh(i % 2 ? first : second, tokens), expected);
    });
  for (std::thread &thread : threads)
    thread.join();
  llmc_model_release(first);
  llmc_model_release(second);
  llmc_pool_free(pool);
}

static llmc_session *interrupted;

TEST(Interrupt, from_a_signal_handler) {
  Model model = load(2);
  Session s = session(model.get());
  llmc_seq seq = sequence(s.get());
  interrupted = s.get();
  struct sigaction action = {}, before;
  action.sa_handler = [](int) { llmc_session_interrupt(interrupted); };
  ASSERT_EQ(sigaction(SIGUSR1, &action, &before), 0);
  // 24 layers of 120 tokens * 2 ms for two workers: 2.9 s, unless an interrupt ends it.
  std::vector<llmc_token> slow(120, slowToken);
  const pthread_t target = pthread_self();
  std::atomic<bool> isRunning{false};
  auto observe = [](const llmc_dispatch_info *, void *ud) {
    return *static_cast<std::atomic<bool> *>(ud) = true;
  };
  ASSERT_OK(llmc_session_observe(s.get(), observe, &isRunning));
  std::thread other([&] {
    while (!isRunning)
      std::this_thread::yield();
    pthread_kill(target, SIGUSR1);
  });
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FAILS(llmc_prefill(s.get(), seq, slow.data(), slow.size()), LLMC_ECANCELLED, "as before");
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  other.join();
  sigaction(SIGUSR1, &before, nullptr);
  EXPECT_LT(took.count(), 1.5) << "an interrupt ends a step within a dispatch or so";
  EXPECT_EQ(llmc_seq_len(s.get(), seq), 0);
  EXPECT_OK(llmc_decode(s.get(), seq, 1));
}
