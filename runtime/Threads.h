// The SPMD pool: every worker runs the same function with its own number, and they meet at barriers.
// Waiting spins for some microseconds, as long as that has paid lately, then sleeps on a futex.
#pragma once

#include "llmc/llmc.h"

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

namespace llmc {

/// Cores that this process may use: its affinity mask, one hardware thread a core, at most the cgroup's
/// quota.
uint32_t availableCores();

/// How long one thread spins at one kind of meeting before it sleeps. While the others come within the limit
/// it grows to twice their usual delay; where they do not come, because the system runs something else in
/// their place, it halves: a thread that sleeps leaves the core to the one it waits for.
class SpinLimit {
public:
  explicit SpinLimit(uint32_t mostMicros) : most(mostMicros * 1000u), limit(most < 20'000 ? most : 20'000) {}
  uint32_t nanos() const { return limit; }
  /// The others came while it was spinning.
  void came(uint64_t afterNanos) {
    if (2 * afterNanos > limit)
      limit = afterNanos > most / 2 ? most : uint32_t(2 * afterNanos);
  }
  /// They came so long after it had begun to wait, and it had gone to sleep by then.
  void slept(uint64_t afterNanos) {
    limit = afterNanos <= most ? most : limit / 2 > least ? limit / 2 : least;
  }

private:
  static constexpr uint32_t least = 1000;
  uint32_t most, limit;
};

class ThreadPool {
public:
  /// Worker 0 is whoever calls run(); `nThreads - 1` threads are started. Worker i >= 1 is pinned to
  /// cpus[i % nCpus]; the caller's own thread is never pinned. Throws std::system_error when a thread cannot
  /// start.
  ThreadPool(uint32_t nThreads, const int32_t *cpus, size_t nCpus);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  uint32_t size() const { return nWorkers; }

  using Job = void (*)(void *context, uint32_t worker, uint32_t nWorkers);
  /// Runs the job in all workers and returns when all have ended. Callers from several threads queue.
  void run(Job job, void *context);

  /// Only inside a job: all workers meet.
  void barrier(uint32_t worker);

private:
  void work(uint32_t worker);
  /// A number that workers wait to see changed. A cache line of its own: those who spin on it must not be
  /// disturbed by what others write.
  struct alignas(64) Signal {
    std::atomic<uint32_t> word{0};
    std::atomic<uint32_t> sleepers{0};
    std::atomic<int64_t> changedAt{0}; ///< nanoseconds; tells a sleeper if spinning on would have been enough
  };
  static void wait(Signal &signal, uint32_t value, SpinLimit &spin);
  static void change(Signal &signal);
  void stop();

  struct alignas(64) Waits { ///< of one worker, written by nobody else
    SpinLimit job, barrier;
  };

  uint32_t nWorkers;
  std::vector<Waits> waits;
  std::vector<std::thread> threads;
  std::mutex runMutex;

  Job job = nullptr;
  void *context = nullptr;
  bool stopping = false;
  Signal jobs, meetings;
  alignas(64) std::atomic<uint32_t> arrived{0};
};

} // namespace llmc

struct llmc_pool {
  llmc::ThreadPool threads;
};
