//===- Roofline.cpp - what this machine can do at most --------------------===//
#include "tools/llmc/Roofline.h"
#include "tools/llmc/Common.h"

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstring>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>

namespace llmc::cli {
namespace {

constexpr double secondsEach = 0.15;
constexpr uint64_t mostMemory = uint64_t(1) << 30;

/// Calls work(thread) on all threads at once; the seconds from the first that begins to the last that is
/// done. They look at the clock themselves: who waits for them may wake up late.
template <typename Work> double together(uint32_t threads, Work work) {
  using Clock = std::chrono::steady_clock;
  std::barrier start(threads);
  std::vector<Clock::time_point> begun(threads), done(threads);
  {
    std::vector<std::jthread> running;
    for (uint32_t i = 0; i < threads; ++i)
      running.emplace_back([&, i] {
        start.arrive_and_wait();
        begun[i] = Clock::now();
        work(i);
        done[i] = Clock::now();
      });
  }
  return std::chrono::duration<double>(*std::max_element(done.begin(), done.end()) -
                                       *std::min_element(begun.begin(), begun.end()))
      .count();
}

/// Adds up words; written so that the compiler turns it into wide loads.
uint64_t addWords(const uint64_t *words, size_t n) {
  uint64_t sum[32] = {};
  for (size_t i = 0; i + 32 <= n; i += 32)
    for (size_t k = 0; k < 32; ++k)
      sum[k] += words[i + k];
  uint64_t total = 0;
  for (uint64_t part : sum)
    total += part;
  return total;
}

/// The same over four pages side by side, the next four fetched ahead: one core of some CPUs has too few
/// reads under way in a single stream.
uint64_t addPages(const uint64_t *words, size_t n) {
  constexpr size_t page = 4096 / 8, line = 64 / 8, streams = 4;
  uint64_t sum[streams][line] = {};
  size_t i = 0;
  for (; i + streams * page <= n; i += streams * page)
    for (size_t at = 0; at < page; at += line)
      for (size_t stream = 0; stream < streams; ++stream) {
        const uint64_t *from = words + i + stream * page + at;
        __builtin_prefetch(from + streams * page);
        for (size_t k = 0; k < line; ++k)
          sum[stream][k] += from[k];
      }
  uint64_t total = addWords(words + i, n - i);
  for (const auto &part : sum)
    for (uint64_t word : part)
      total += word;
  return total;
}

uint64_t lastLevelCache() {
  return uint64_t(std::max(sysconf(_SC_LEVEL3_CACHE_SIZE), sysconf(_SC_LEVEL2_CACHE_SIZE)));
}

} // namespace

const ReadLoop readLoops[2] = {addWords, addPages};

double measurePeak(const PeakLoop &loop, uint32_t threads) {
  if (!loop.run)
    return 0;
  uint64_t rounds = 1000;
  for (;; rounds *= 2) { // how many fill the time
    Stopwatch watch;
    loop.run(rounds);
    if (watch.seconds() > secondsEach / 8)
      break;
  }
  rounds *= 4;
  double best = 0; // neighbours only take away
  for (int turn = 0; turn < 2; ++turn) {
    std::vector<double> done(threads);
    double seconds = together(threads, [&](uint32_t i) { done[i] = loop.run(rounds); });
    double sum = 0;
    for (double operations : done)
      sum += operations;
    best = std::max(best, sum / seconds);
  }
  return best / 1e9;
}

double measureRead(uint32_t threads) {
  uint64_t free = uint64_t(sysconf(_SC_AVPHYS_PAGES)) * uint64_t(sysconf(_SC_PAGESIZE));
  uint64_t bytes =
      std::min({std::max<uint64_t>(4 * lastLevelCache(), uint64_t(256) << 20), mostMemory, free / 4});
  bytes = bytes / threads / 4096 * 4096 * threads;
  void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (!bytes || memory == MAP_FAILED)
    return 0;
  madvise(memory, bytes, MADV_HUGEPAGE);
  size_t share = bytes / threads;
  auto *start = static_cast<uint8_t *>(memory);
  together(threads, [&](uint32_t i) { std::memset(start + i * share, int(i + 1), share); });
  double best = 0;
  for (int turn = 0; turn < 4; ++turn) {
    double seconds = together(threads, [&](uint32_t i) {
      volatile uint64_t sink =
          readLoops[turn % 2](reinterpret_cast<const uint64_t *>(start + i * share), share / 8);
      (void)sink;
    });
    best = std::max(best, double(bytes) / seconds);
  }
  munmap(memory, bytes);
  return best / 1e9;
}

Roofline measureRoofline(uint32_t threads, std::string_view variant) {
  Roofline roofline;
  roofline.cacheBytes = lastLevelCache();
  roofline.readGBs = measureRead(threads);
  for (Arithmetic arithmetic : allArithmetic) {
    const PeakLoop loop = kernelLoop(arithmetic, variant);
    roofline.of(arithmetic) = {loop.unit, measurePeak(loop, threads)};
  }
  return roofline;
}

} // namespace llmc::cli
