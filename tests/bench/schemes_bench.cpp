//===- schemes_bench.cpp - how fast a decode step reads each scheme -------===//
//
// One row of activations times a matrix larger than the caches, on one thread. GB/s are those of packed
// weights; `ratio` is to a plain read loop over the same bytes, measured right before. Nothing is asserted:
// machines are shared.
//
//===----------------------------------------------------------------------===//
#include "tests/codegen/KernelJit.h"
#include "tests/codegen/TestData.h"

#include <benchmark/benchmark.h>

#include <chrono>
#include <memory>

using namespace llmc;
using namespace llmc::test;

namespace {

constexpr int64_t k = 2048, matrixBytes = int64_t(96) << 20;

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// GB/s of reading the bytes once, the best of three.
double readLoop(const uint8_t *data, int64_t bytes) {
  double best = 0;
  for (int round = 0; round < 3; ++round) {
    const double start = seconds();
    uint64_t sums[8] = {};
    for (int64_t i = 0; i + 64 <= bytes; i += 64)
      for (int j = 0; j < 8; ++j) {
        uint64_t word;
        std::memcpy(&word, data + i + 8 * j, 8);
        sums[j] += word;
      }
    benchmark::DoNotOptimize(sums);
    best = std::max(best, double(bytes) / (seconds() - start) / 1e9);
  }
  return best;
}

/// The same random panel again and again.
std::vector<uint8_t> matrix(const quant::QuantScheme &scheme, int64_t panels, uint8_t *&aligned) {
  Random random(1);
  std::vector<std::vector<uint8_t>> rows;
  const uint8_t *sources[quant::panelRows];
  for (const uint8_t *&source : sources)
    source = rows.emplace_back(randomRow(scheme, k, random)).data();
  const int64_t bytes = scheme.panelBytes(k);
  std::vector<uint8_t> storage(panels * bytes + 64);
  aligned = storage.data() + (64 - reinterpret_cast<uintptr_t>(storage.data()) % 64);
  scheme.packPanel(sources, k, aligned);
  for (int64_t p = 1; p < panels; ++p)
    std::memcpy(aligned + p * bytes, aligned, bytes);
  return storage;
}

void decode(benchmark::State &state, const quant::QuantScheme &scheme, const cpu::Isa &isa,
            cpu::ActivationType activations) {
  const int64_t panels = matrixBytes / scheme.panelBytes(k), bytes = panels * scheme.panelBytes(k);
  cpu::LinearSpec spec;
  spec.k = k;
  spec.weights = {{&scheme, panels * quant::panelRows}};
  spec.activations = activations;
  KernelJit jit;
  auto kernel = cpu::emitLinear(jit.module(), "linear", spec, isa);
  if (mlir::failed(kernel) || !jit.compile())
    return state.SkipWithError("the kernel does not compile");
  uint8_t *weights;
  std::vector<uint8_t> storage = matrix(scheme, panels, weights);
  Random random(2);
  Matrix x(1, k), y(1, panels * quant::panelRows);
  x.fill(random, -1, 1);
  std::vector<uint8_t> packed(spec.packedRowBytes() + 1);
  StepRunner runner;
  runner.step.rows[LLMC_ROWS_TOKENS] = 1;
  const std::vector<const void *> args = {x.data, weights, y.data, packed.data()};
  const double limit = readLoop(weights, bytes);
  double best = 0;
  for (auto _ : state) {
    const double start = seconds();
    runner.run(jit, "linear", *kernel, 1, args, 1);
    best = std::max(best, double(bytes) / (seconds() - start) / 1e9);
  }
  state.counters["GB/s"] = best;
  state.counters["read"] = limit;
  state.counters["ratio"] = best / limit;
}

} // namespace

int main(int argc, char **argv) {
  for (const cpu::Isa *isa : runnableIsas())
    for (const quant::QuantScheme &scheme : quant::allSchemes())
      for (auto activations : {cpu::ActivationType::Int8, cpu::ActivationType::F32}) {
        const bool isInt8 = activations == cpu::ActivationType::Int8;
        if (isInt8 && !scheme.isInteger())
          continue;
        const std::string name =
            isa->name.str() + "/" + std::string(scheme.name) + (isInt8 ? "/int8" : "/f32");
        benchmark::RegisterBenchmark(
            name.c_str(), [=, &scheme](benchmark::State &state) { decode(state, scheme, *isa, activations); })
            ->Iterations(5)
            ->Unit(benchmark::kMillisecond);
      }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
