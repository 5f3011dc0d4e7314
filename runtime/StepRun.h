// The walk of all workers over the dispatch table: one step.
#pragma once

#include "runtime/Results.h"
#include "runtime/Session.h"

namespace llmc {

/// Every worker decides alike whether to go on: worker 0 names the meeting at which all stop before it
/// arrives there, and nobody looks further ahead than the meeting just left.
class StepRun {
public:
  /// Takes all the memory that the walk will need. The step's rows, tokens, asked tokens and keys are set.
  StepRun(Session &session, const llmc_step &step, uint64_t nKeys);

  /// False: cancelled.
  bool run();

  /// Shows the observer what a dispatch wrote. False: it says stop.
  bool observe(uint32_t dispatch);
  /// Calls each(buffer, rows, address in the arena) for the values that a dispatch wrote.
  template <typename Each> void eachResult(uint32_t index, Each each) const {
    const llmc_module &tables = model.tables();
    forEachResult(tables, tables.dispatches[index], [&](const DispatchResult &result) {
      each(result.buffer, step.rows[tables.buffers[result.buffer].rows],
           session.arena.data() + session.plan.bufferOffsets[result.buffer]);
    });
  }

private:
  static constexpr uint32_t never = UINT32_MAX;

  bool meet(uint32_t worker, uint32_t &meetings);
  void work(uint32_t worker, uint32_t nWorkers);
  void runShares(uint32_t dispatch, uint32_t worker, uint32_t nWorkers);

  Session &session;
  const llmc_step &step;
  const llmc_model &model;
  const uint64_t nKeys;
  std::atomic<uint32_t> stopAt{never};
  std::vector<llmc_row_token> rowTokens[LLMC_ROW_SPACES]; ///< for an observer
};

} // namespace llmc
