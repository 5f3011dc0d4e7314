//===- KernelBench.cpp - time one kernel against the roofline -------------===//
//
//   kernels_bench [--tiny] [--benchmark_filter=REGEX] [--benchmark_format=json] …
//
// One thread, and its own time: what else runs on the machine disturbs little. Nothing is asserted.
//
//===----------------------------------------------------------------------===//
#include "tests/bench/kernels/KernelBench.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <string_view>

namespace llmc::bench {

bool isTiny = false;

bool LazyKernel::compile() {
  if (kernel || failed)
    return !failed;
  auto emitted = emit(jit.module(), "kernel");
  failed = mlir::failed(emitted) || !jit.compile();
  if (!failed)
    kernel = *emitted;
  return !failed;
}

void LazyKernel::prepareCall(Call &call, uint64_t rows, uint64_t keys) {
  call.run = jit.kernel("kernel");
  call.prepare =
      kernel->hasPrepare && rows >= kernel->prepareMinRows ? jit.kernel("kernel.prepare") : nullptr;
  call.scratch = std::make_unique<Buffer>(kernel->scratchConstant + kernel->scratchPerRow * rows +
                                          kernel->scratchPerKey * keys);
  call.scratchPointer = call.scratch->data();
  call.step.rows[LLMC_ROWS_TOKENS] = rows;
  call.step.scratch = &call.scratchPointer;
}

void LazyKernel::Call::operator()(const void *const *args) const {
  const llmc_share all = {0, 1, 0, 0};
  if (prepare)
    prepare(&step, args, &all);
  run(&step, args, &all);
}

namespace {

/// Seconds that this thread ran.
double secondsOf(const std::function<void()> &work) {
  const auto now = [] {
    timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return double(time.tv_sec) + double(time.tv_nsec) * 1e-9;
  };
  const double start = now();
  work();
  return now() - start;
}

double bestOfThree(const std::function<void()> &work) {
  double best = INFINITY;
  for (int turn = 0; turn < 3; ++turn)
    best = std::min(best, secondsOf(work));
  return best;
}

/// Bytes a second.
double readLimit(const Work &work) {
  const size_t words = work.memoryBytes / 8;
  double best = INFINITY;
  for (cli::ReadLoop loop : cli::readLoops)
    best = std::min(best, bestOfThree([&] {
                      benchmark::DoNotOptimize(loop(reinterpret_cast<const uint64_t *>(work.memory), words));
                    }));
  return double(words) * 8 / best;
}

/// Operations a second; 0 if there is no unit.
double arithmeticLimit(const cli::PeakLoop &loop) {
  if (!loop.run)
    return 0;
  uint64_t rounds = 1000;
  double operations = 0;
  while (secondsOf([&] { operations = loop.run(rounds); }) < 0.02)
    rounds *= 2;
  return operations / bestOfThree([&] { loop.run(rounds); });
}

/// Half precision may be multiplied as such or as f32; on some CPUs the latter is quicker.
double arithmeticLimit(const Work &work) {
  const double own = arithmeticLimit(cli::kernelLoop(work.arithmetic, work.variant));
  return work.arithmetic == cli::Arithmetic::BF16
             ? std::max(own, arithmeticLimit(cli::peakLoop(cli::Arithmetic::F32, work.variant)))
             : own;
}

} // namespace

void measure(benchmark::State &state, const Work &work, const std::function<void()> &call) {
  const double read = readLimit(work), peak = arithmeticLimit(work);
  call(); // warms caches up
  std::vector<double> seconds;
  for (auto _ : state) {
    seconds.push_back(secondsOf(call));
    state.SetIterationTime(seconds.back());
  }
  std::nth_element(seconds.begin(), seconds.begin() + seconds.size() / 2, seconds.end());
  const double median = seconds[seconds.size() / 2];
  const double reading = work.bytes / read, computing = peak ? work.operations / peak : 0;
  state.counters["GB/s"] = work.bytes / median / 1e9;
  state.counters["GOPS"] = work.operations / median / 1e9;
  state.counters["read"] = read / 1e9;
  state.counters["peak"] = peak / 1e9;
  state.counters["%roof"] = 100 * std::max(reading, computing) / median;
  state.SetLabel(reading > computing ? "limit: memory" : "limit: arithmetic");
}

} // namespace llmc::bench

int main(int argc, char **argv) {
  auto *end = std::remove_if(argv + 1, argv + argc,
                             [](const char *word) { return std::string_view(word) == "--tiny"; });
  llmc::bench::isTiny = end != argv + argc;
  argc = int(end - argv);
  llmc::bench::registerLinear();
  llmc::bench::registerAttention();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv))
    return 2;
  return benchmark::RunSpecifiedBenchmarks() ? 0 : 1; // 1: the filter fits none
}
