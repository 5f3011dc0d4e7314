// What meetings of workers cost: a step of many small pieces of work with a meeting after each, as a token's
// dispatches are, for several numbers of threads. Run it once on an idle machine and once beside other work:
//
//     bin/barrier_bench [pieces per step] [microseconds of work per piece] [seconds]
#include "runtime/Threads.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

volatile double sink;

void compute(uint64_t iterations) {
  double x = 1;
  for (uint64_t i = 0; i < iterations; ++i)
    x = x * 1.0000001 + 1e-9;
  sink = x;
}

/// Iterations of compute() in a microsecond, the best of some tries.
double calibrate() {
  double best = 0;
  for (int i = 0; i < 50; ++i) {
    const auto start = Clock::now();
    compute(200'000);
    best = std::max(best, 200'000 / (since(start) * 1e6));
  }
  return best;
}

struct Step {
  llmc::ThreadPool &pool;
  int pieces;
  uint64_t iterations;
  static void job(void *self, uint32_t worker, uint32_t n) {
    auto &step = *static_cast<Step *>(self);
    for (int i = 0; i < step.pieces; ++i) {
      compute(step.iterations / n);
      step.pool.barrier(worker);
    }
  }
};

} // namespace

int main(int argc, char **argv) {
  const int pieces = argc > 1 ? atoi(argv[1]) : 180;
  const double micros = argc > 2 ? atof(argv[2]) : 80, limit = argc > 3 ? atof(argv[3]) : 3;
  const double perMicro = calibrate();
  printf("%d pieces of %.0f us\n", pieces, micros);
  for (uint32_t n : {1u, 2u, 4u}) {
    if (n > 2 * llmc::availableCores())
      break;
    llmc::ThreadPool pool(n, nullptr, 0);
    Step step{pool, pieces, uint64_t(micros * perMicro)};
    int steps = 0;
    const std::clock_t cpu = std::clock();
    const auto start = Clock::now();
    while (since(start) < limit) {
      pool.run(Step::job, &step);
      ++steps;
    }
    const double wall = since(start), used = double(std::clock() - cpu) / CLOCKS_PER_SEC;
    printf("%u threads: %6.1f steps/s, %5.2f ms a step, %4.2f cpus used\n", n, steps / wall,
           1e3 * wall / steps, used / wall);
  }
}
