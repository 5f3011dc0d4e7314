// Workers, barrier and the count of usable cores.
#include "runtime/Threads.h"

#include "runtime/Error.h"

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

const uint32_t jobSpinMicros = 1000;    // the sampler and the caller's code between two tokens
const uint32_t barrierSpinMicros = 500; // workers that the system has put aside for a moment
const uint32_t oversubscribedSpinMicros = 2;

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
  isOversubscribed = sched_getaffinity(0, sizeof(mask), &mask) == 0 && nWorkers > uint32_t(CPU_COUNT(&mask));
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
        (void)pthread_setaffinity_np(threads.back().native_handle(), sizeof(one), &one);
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
  jobNumber.fetch_add(1);
  wake(jobNumber, jobSleepers);
  for (std::thread &thread : threads)
    thread.join();
  threads.clear();
}

void ThreadPool::waitWhileEqual(std::atomic<uint32_t> &word, uint32_t value, std::atomic<uint32_t> &sleepers,
                                uint32_t spinMicros) {
  using Clock = std::chrono::steady_clock;
  for (int i = 0; i < 200; ++i) {
    if (word.load(std::memory_order_acquire) != value)
      return;
    pause();
  }
  auto deadline =
      Clock::now() + std::chrono::microseconds(isOversubscribed ? oversubscribedSpinMicros : spinMicros);
  do {
    for (int i = 0; i < 32; ++i) {
      if (word.load(std::memory_order_acquire) != value)
        return;
      pause();
    }
  } while (Clock::now() < deadline);
  // Announced before the kernel compares the word, so that wake() cannot miss this sleeper.
  sleepers.fetch_add(1);
  while (word.load() == value)
    syscall(SYS_futex, reinterpret_cast<uint32_t *>(&word), FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
  sleepers.fetch_sub(1);
}

void ThreadPool::wake(std::atomic<uint32_t> &word, std::atomic<uint32_t> &sleepers) {
  if (sleepers.load())
    syscall(SYS_futex, reinterpret_cast<uint32_t *>(&word), FUTEX_WAKE_PRIVATE, INT32_MAX, nullptr, nullptr,
            0);
}

void ThreadPool::barrier() {
  if (nWorkers == 1)
    return;
  uint32_t current = generation.load(std::memory_order_relaxed);
  if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == nWorkers) {
    arrived.store(0, std::memory_order_relaxed);
    generation.store(current + 1); // sequentially consistent: ordered before the look at the sleepers
    wake(generation, barrierSleepers);
  } else {
    waitWhileEqual(generation, current, barrierSleepers, barrierSpinMicros);
  }
}

void ThreadPool::work(uint32_t worker) {
  for (uint32_t seen = 0;; ++seen) {
    waitWhileEqual(jobNumber, seen, jobSleepers, jobSpinMicros);
    if (stopping)
      return;
    job(context, worker, nWorkers);
    barrier();
  }
}

void ThreadPool::run(Job newJob, void *newContext) {
  std::lock_guard lock(runMutex);
  if (nWorkers > 1) {
    job = newJob;
    context = newContext;
    jobNumber.fetch_add(1); // publishes job and context
    wake(jobNumber, jobSleepers);
  }
  newJob(newContext, 0, nWorkers);
  barrier();
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
