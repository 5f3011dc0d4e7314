// Which worker runs which share of a dispatch, decided while the step runs.
#pragma once

#include "llmc/module_abi.h"

#include <atomic>
#include <memory>

namespace llmc {

/// Cores are not equally fast: another program takes one away for a while, a neighbour its memory. Work that
/// may be cut finely is dealt to the workers in equal runs of shares, and who has ended its own run takes
/// shares from the far end of another's. Runs are contiguous, so that each worker reads one stream of
/// weights.
class Shares {
public:
  /// Takes memory for all dispatches.
  void create(uint32_t nDispatches, uint32_t nWorkers);

  /// Before a step, by one thread.
  void deal(const llmc_module &tables, const llmc_step &step);

  /// Shares of a dispatch in this step; 0: one for each worker, not dealt.
  uint32_t count(uint32_t dispatch) const { return counts[dispatch]; }
  /// The next share for the worker; false if none is left. Any thread.
  bool take(uint32_t dispatch, uint32_t worker, uint32_t &share);

private:
  /// What is left of a worker's run: its first share, and one behind its last in the upper half.
  using Run = std::atomic<uint64_t>;

  Run &run(uint32_t dispatch, uint32_t worker) { return runs[uint64_t(dispatch) * nWorkers + worker]; }

  uint32_t nDispatches = 0, nWorkers = 1;
  std::unique_ptr<uint32_t[]> counts;
  std::unique_ptr<Run[]> runs;
};

} // namespace llmc
