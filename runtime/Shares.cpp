// Dealing and taking the shares of dispatches.
#include "runtime/Shares.h"

#include <algorithm>

namespace llmc {

namespace {

// A share should last far longer than taking it and what a kernel does before its first weight (together
// below 1 us), and there should be no more of them than even out a late worker.
const uint64_t shareBytes = 256 << 10; // about 20 us of a core's memory bandwidth
const uint64_t shareFlops = 16 << 20;  // about 60 us of its arithmetic
const uint64_t maxSharesOfWorker = 32;

const uint64_t one = 1, half = 32;
uint64_t makeRun(uint64_t first, uint64_t end) { return first | end << half; }
uint32_t firstOf(uint64_t run) { return uint32_t(run); }
uint32_t endOf(uint64_t run) { return uint32_t(run >> half); }

} // namespace

void Shares::create(uint32_t dispatches, uint32_t workers) {
  nDispatches = dispatches, nWorkers = workers;
  counts = std::make_unique<uint32_t[]>(nDispatches);
  linesOfWorker = (uint64_t(nDispatches) + 7) / 8;
  lines = std::make_unique<Line[]>(linesOfWorker * nWorkers);
}

void Shares::deal(const llmc_module &tables, const llmc_step &step) {
  if (nWorkers == 1) // counts stay 0
    return;
  for (uint32_t i = 0; i < nDispatches; ++i) {
    const llmc_dispatch &dispatch = tables.dispatches[i];
    const uint64_t units = tables.kernels[dispatch.kernel].run_units;
    const uint64_t flops = dispatch.flops_per_row * step.rows[dispatch.rows];
    const uint64_t wanted =
        std::clamp<uint64_t>(std::max(dispatch.weight_bytes / shareBytes, flops / shareFlops), nWorkers,
                             maxSharesOfWorker * nWorkers);
    counts[i] = uint32_t(std::min(units, wanted));
    for (uint64_t w = 0; w < nWorkers && counts[i]; ++w)
      run(i, w).store(makeRun(counts[i] * w / nWorkers, counts[i] * (w + 1) / nWorkers),
                      std::memory_order_relaxed);
  }
}

bool Shares::take(uint32_t dispatch, uint32_t worker, uint32_t &share) {
  Run &own = run(dispatch, worker);
  for (uint64_t left = own.load(std::memory_order_relaxed); firstOf(left) < endOf(left);)
    if (own.compare_exchange_weak(left, left + one, std::memory_order_relaxed)) {
      share = firstOf(left);
      return true;
    }
  for (uint32_t i = 1; i < nWorkers; ++i) {
    Run &other = run(dispatch, (worker + i) % nWorkers);
    for (uint64_t left = other.load(std::memory_order_relaxed); firstOf(left) < endOf(left);)
      if (other.compare_exchange_weak(left, left - (one << half), std::memory_order_relaxed)) {
        share = endOf(left) - 1;
        return true;
      }
  }
  return false;
}

} // namespace llmc
