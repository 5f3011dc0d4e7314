// When each worker began and ended each dispatch of the last steps. All memory is there before a step begins,
// and each worker writes to a part of its own.
#pragma once

#include "llmc/llmc.h"
#include "llmc/module_abi.h"

#include <chrono>
#include <memory>
#include <vector>

namespace llmc {

class Profile {
public:
  /// One worker in one dispatch, in nanoseconds of the clock; end 0: the dispatch did not run.
  struct Slot {
    uint64_t begin, end, waited;
  };
  static uint64_t now() {
    return uint64_t(std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
  }
  /// As many steps as fit, at least one. Throws std::bad_alloc.
  Profile(uint32_t nDispatches, uint32_t nWorkers, uint64_t maxBytes);

  void beginStep(const llmc_step &step, uint64_t nKeys);
  /// A step that did not end well leaves nothing.
  void endStep(bool isDone);
  /// A worker's slots in the running step, one a dispatch, all empty.
  Slot *take(uint32_t worker);

  uint64_t firstStep() const;
  uint64_t nextStep() const { return next; }
  bool has(uint64_t step) const { return step < next && steps[step % steps.size()].number == step; }
  void get(uint64_t step, llmc_profile_step &out) const;
  /// Calls each(event) for all events of a step.
  template <typename Each> void events(uint64_t step, Each each) const {
    for (uint32_t worker = 0; worker < nWorkers; ++worker) {
      const Slot *row = slotsOf(step, worker);
      for (uint32_t i = 0; i < nDispatches; ++i)
        if (row[i].end)
          each(llmc_profile_event{row[i].begin - origin, row[i].end - origin, row[i].waited, i, worker});
    }
  }

private:
  static constexpr uint64_t none = UINT64_MAX;
  struct Step {
    uint64_t number = none, begin = 0, end = 0, nKeys = 0, nTokenKeys = 0, rows[LLMC_ROW_SPACES] = {};
  };
  /// Workers lie far apart: a worker fills a line of the CPU's cache alone.
  Slot *slotsOf(uint64_t step, uint32_t worker) const {
    return slots.get() + (worker * steps.size() + step % steps.size()) * nDispatches;
  }

  uint32_t nDispatches, nWorkers;
  uint64_t origin = now(), next = 0;
  std::vector<Step> steps;
  std::unique_ptr<Slot[]> slots;
};

} // namespace llmc
