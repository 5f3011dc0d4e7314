// The SPMD pool: every worker runs the same function with its own number, and they meet at barriers.
// Waiting spins for about as long as the serial part of a token, then sleeps on a futex.
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
  void barrier();

private:
  void work(uint32_t worker);
  void waitWhileEqual(std::atomic<uint32_t> &word, uint32_t value, std::atomic<uint32_t> &sleepers,
                      uint32_t spinMicros);
  void wake(std::atomic<uint32_t> &word, std::atomic<uint32_t> &sleepers);
  void stop();

  uint32_t nWorkers;
  bool isOversubscribed;
  std::vector<std::thread> threads;
  std::mutex runMutex;

  Job job = nullptr;
  void *context = nullptr;
  bool stopping = false;
  // A cache line each: the words that everybody spins on must not share one with those that everybody writes.
  alignas(64) std::atomic<uint32_t> jobNumber{0};
  std::atomic<uint32_t> jobSleepers{0};
  alignas(64) std::atomic<uint32_t> arrived{0};
  alignas(64) std::atomic<uint32_t> generation{0};
  std::atomic<uint32_t> barrierSleepers{0};
};

} // namespace llmc

struct llmc_pool {
  llmc::ThreadPool threads;
};
