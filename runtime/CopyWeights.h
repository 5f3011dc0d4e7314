// Weights on their way from the mapped file to private memory. Each part is written first by the worker that
// will read it in most steps: on a machine with several memories it then lies in the nearest one.
#pragma once

#include "runtime/Threads.h"

#include "llmc/module_abi.h"

#include <cstdint>
#include <span>
#include <vector>

namespace llmc {

class CopyWeights {
public:
  /// `to` has room for all of `from`; both outlive this object.
  CopyWeights(const llmc_module &tables, std::span<const uint8_t> from, uint8_t *to, uint32_t nWorkers);
  /// Copies about `bytes` more, in all workers. How many are copied by now: all of them, in the end.
  uint64_t copyMore(ThreadPool &pool, uint64_t bytes);

private:
  /// What a worker has still to copy begins in its share of a weight.
  struct alignas(64) Cursor {
    size_t weight = 0;
    uint64_t done = 0; ///< of that share
    uint64_t total = 0;
  };
  void work(uint32_t worker, uint64_t bytes);

  std::span<const uint8_t> from;
  uint8_t *to;
  std::vector<uint64_t> ends; ///< of the weights in the file, ascending; the first is 0
  std::vector<Cursor> cursors;
};

} // namespace llmc
