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

  /// A worker's runs lie together, eight dispatches a cache line, and no other worker's lie in its lines:
  /// only who takes shares of another fetches its line. Dealing writes as many lines as if they were packed.
  struct alignas(64) Line {
    Run runs[8];
  };
  Run &run(uint32_t dispatch, uint32_t worker) {
    return lines[uint64_t(worker) * linesOfWorker + dispatch / 8].runs[dispatch % 8];
  }

  uint32_t nDispatches = 0, nWorkers = 1;
  std::unique_ptr<uint32_t[]> counts;
  uint64_t linesOfWorker = 0;
  std::unique_ptr<Line[]> lines;
};

} // namespace llmc
