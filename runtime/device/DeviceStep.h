// A session's steps on a device: its buffers there, and each step from what it is told to what it leaves.
#pragma once

#include "runtime/device/RecordedSteps.h"
#include "runtime/device/StepResults.h"
#include "runtime/device/StepScratch.h"

namespace llmc {

class Session;
struct RowSummary;
class StepRun;

class DeviceStep {
public:
  ~DeviceStep();
  /// Memory for the session's largest step.
  llmc_status create(DeviceModel &model, const WorkspacePlan &plan, const KVCache &cache);
  /// Takes what only a step of this size needs, before anything of the cache changes.
  llmc_status reserve(const llmc_step &step, uint64_t nKeys, const char *function);
  /// Runs the step; what it leaves that can be read stands in the session's arena afterwards, but where
  /// candidates are wanted, these stand in its rowSummaries, and the logits stay here.
  llmc_status run(Session &session, StepRun &walk, const llmc_step &step, const char *function);

  /// How many candidates of a row can be asked for (llmc_step.n_best).
  uint32_t mostCandidates() const { return model->program().sampling.most; }
  /// One row of the session's rowSummaries.
  RowSummary summaryOf(std::span<const uint8_t> summaries, size_t row, uint64_t nBest) const;
  /// The logits that the last step has left here.
  llmc_status bringLogits(uint64_t rows, uint8_t *to);

private:
  llmc_status createBuffers(const uint64_t (&mostRows)[LLMC_ROW_SPACES]);
  StepShape shapeOf(const llmc_step &step, uint32_t turn) const;
  llmc_status begin(Session &session, StepRun *walk, const llmc_step &step, const StepShape &shape,
                    const char *function);
  void forget(uint32_t turn);
  llmc_status launchAll(Session &session, StepRun *walk, const StepShape &shape, const char *function);
  llmc_status observe(StepRun &walk, uint32_t dispatch, uint32_t turn, const char *function);
  llmc_status runEntered(Session &session, StepRun &walk, const llmc_step &step, const char *function);

  DeviceModel *model = nullptr;
  const WorkspacePlan *plan = nullptr;
  std::vector<DeviceMemory> buffers; ///< each by itself: so a device that checks sees where one ends
  std::vector<DeviceAddress> addresses[turns]; ///< of them
  StepHead head;
  StepScratch scratch;
  StepLaunches launches;
  StepResults results;
  RecordedSteps recorded;
};

} // namespace llmc
