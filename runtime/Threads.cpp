// Workers, barrier and the count of usable cores.
#include "runtime/Threads.h"

#include "runtime/Error.h"
#include "runtime/Log.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <linux/futex.h>
#include <memory>
#include <pthread.h>
#include <sched.h>
#include <set>
#include <string>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>

namespace llmc {

namespace {

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

int64_t nanoseconds() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

/// The first line of a small file of /sys or /proc; empty if it cannot be read.
std::string readLine(const char *path) {
  char line[256] = "";
  if (FILE *file = fopen(path, "re")) {
    if (!fgets(line, sizeof(line), file))
      line[0] = 0;
    fclose(file);
  }
  return line;
}

const uint32_t jobSpinMicros = 500; // the sampler and the caller's code between two tokens
const uint32_t barrierSpinMicros =
    100; // workers with a little more to do; about what sleeping and waking costs

} // namespace

uint32_t availableCores() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof(mask), &mask) != 0)
    return std::max(1u, std::thread::hardware_concurrency());
  std::set<std::string> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &mask))
      continue;
    char path[128];
    snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
    std::string siblings = readLine(path);
    cores.insert(siblings.empty() ? std::to_string(cpu) : siblings);
  }
  uint32_t count = std::max<size_t>(1, cores.size());
  // A container's quota: more spinning threads than that would be throttled together.
  unsigned long long quota = 0, period = 0;
  if (sscanf(readLine("/sys/fs/cgroup/cpu.max").c_str(), "%llu %llu", &quota, &period) == 2 && period > 0)
    count = std::min<uint64_t>(count, std::max<uint64_t>(1, (quota + period - 1) / period));
  return count;
}

ThreadPool::ThreadPool(uint32_t nThreads, const int32_t *cpus, size_t nCpus)
    : nWorkers(std::max(1u, nThreads)) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  // More workers than cpus never meet by spinning.
  const bool isOversubscribed =
      sched_getaffinity(0, sizeof(mask), &mask) == 0 && nWorkers > uint32_t(CPU_COUNT(&mask));
  if (isOversubscribed)
    log(LogWarning, "%u threads on %d cpus: more threads than cpus make a step slower", nWorkers,
        CPU_COUNT(&mask));
  waits.resize(nWorkers, isOversubscribed ? Waits{SpinLimit(1), SpinLimit(1)}
                                          : Waits{SpinLimit(jobSpinMicros), SpinLimit(barrierSpinMicros)});
  // Workers inherit a full signal mask: the program's signals stay with the program's threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    threads.reserve(nWorkers - 1);
    for (uint32_t worker = 1; worker < nWorkers; ++worker) {
      threads.emplace_back([this, worker] { work(worker); });
      pthread_setname_np(threads.back().native_handle(), "llmc-worker");
      if (nCpus) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpus[worker % nCpus], &one);
        // Where pinning is not allowed the worker runs unpinned.
        if (int error = pthread_setaffinity_np(threads.back().native_handle(), sizeof(one), &one))
          log(LogWarning, "thread %u could not be pinned to cpu %d: %s", worker, cpus[worker % nCpus],
              strerror(error));
      }
    }
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    stop();
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
  stopping = true;
  change(jobs);
  for (std::thread &thread : threads)
    thread.join();
  threads.clear();
}

void ThreadPool::wait(Signal &signal, uint32_t value, SpinLimit &spin) {
  for (int i = 0; i < 32; ++i) { // below the price of looking at the clock
    if (signal.word.load(std::memory_order_acquire) != value)
      return;
    pause();
  }
  const int64_t start = nanoseconds();
  int64_t waited = 0;
  do {
    for (int i = 0; i < 16; ++i) {
      if (signal.word.load(std::memory_order_acquire) != value) {
        spin.came(uint64_t(waited));
        return;
      }
      pause();
    }
    waited = nanoseconds() - start;
  } while (waited < int64_t(spin.nanos()));
  // Announced before the kernel compares the word, so that change() cannot miss this sleeper.
  signal.sleepers.fetch_add(1);
  while (signal.word.load() == value)
    syscall(SYS_futex, reinterpret_cast<uint32_t *>(&signal.word), FUTEX_WAIT_PRIVATE, value, nullptr,
            nullptr, 0);
  signal.sleepers.fetch_sub(1);
  spin.slept(uint64_t(std::max<int64_t>(0, signal.changedAt.load(std::memory_order_relaxed) - start)));
}

void ThreadPool::change(Signal &signal) {
  signal.changedAt.store(nanoseconds(), std::memory_order_relaxed);
  signal.word.fetch_add(1); // sequentially consistent: ordered before the look at the sleepers
  if (signal.sleepers.load())
    syscall(SYS_futex, reinterpret_cast<uint32_t *>(&signal.word), FUTEX_WAKE_PRIVATE, INT32_MAX, nullptr,
            nullptr, 0);
}

void ThreadPool::barrier(uint32_t worker) {
  if (nWorkers == 1)
    return;
  uint32_t current = meetings.word.load(std::memory_order_relaxed);
  if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == nWorkers) {
    arrived.store(0, std::memory_order_relaxed);
    change(meetings);
  } else {
    wait(meetings, current, waits[worker].barrier);
  }
}

void ThreadPool::work(uint32_t worker) {
  for (uint32_t seen = 0;; ++seen) {
    wait(jobs, seen, waits[worker].job);
    if (stopping)
      return;
    job(context, worker, nWorkers);
    barrier(worker);
  }
}

void ThreadPool::run(Job newJob, void *newContext) {
  std::lock_guard lock(runMutex);
  if (nWorkers > 1) {
    job = newJob;
    context = newContext;
    change(jobs); // publishes job and context
  }
  newJob(newContext, 0, nWorkers);
  barrier(0);
}

} // namespace llmc

llmc_status llmc_pool_new(uint32_t n_threads, const int32_t *cpus, size_t n_cpus, llmc_pool **out) {
  LLMC_CHECK_ARG(out);
  if (n_cpus)
    LLMC_CHECK_ARG(cpus);
  if (n_threads > 1024)
    return llmc::setError(LLMC_EARG, "llmc_pool_new: n_threads is %u, at most 1024 are possible", n_threads);
  for (size_t i = 0; i < n_cpus; ++i)
    if (cpus[i] < 0 || cpus[i] >= CPU_SETSIZE)
      return llmc::setError(LLMC_EARG, "llmc_pool_new: cpus[%zu] is %d, which is no cpu number", i, cpus[i]);
  return llmc::guarded([&]() -> llmc_status {
    try {
      *out = new llmc_pool{{n_threads ? n_threads : llmc::availableCores(), cpus, n_cpus}};
    } catch (const std::system_error &error) {
      return llmc::setError(LLMC_ENOMEM, "llmc_pool_new: cannot start a worker thread: %s", error.what());
    }
    return LLMC_OK;
  });
}

void llmc_pool_free(llmc_pool *pool) { delete pool; }
