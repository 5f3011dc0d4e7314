// A session's steps on a device: its buffers there, what kernels are told of a step, and the launches,
// recorded once for steps of a few tokens and repeated from then on.
#pragma once

#include "runtime/Workspace.h"
#include "runtime/device/DeviceModel.h"

#include <functional>
#include <map>
#include <vector>

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
  /// Steps that are alike in this share one graph.
  struct Shape {
    uint64_t rows[LLMC_ROW_SPACES], keys;
    bool chooses; ///< candidates are wanted
    auto operator<=>(const Shape &) const = default;
  };
  struct Recorded {
    uint64_t timesSeen = 0;
    std::unique_ptr<DeviceGraph> graph;
  };
  llmc_status
  eachLaunch(uint32_t kernel,
             const std::function<llmc_status(uint32_t number, const llmc_device_launch &)> &visit) const;
  Device::Grid gridOf(const llmc_device_launch &launch, uint64_t rows, uint64_t keys) const;
  /// Raises `out` to what kernels want in common; false if it does not fit in 64 bits.
  bool commonNeeded(uint64_t nKeys, uint64_t &out) const;
  llmc_status upload(const llmc_step &step);
  llmc_status clearPages(KVCache &cache);
  llmc_status launchAll(Session &session, StepRun *walk, const Shape &shape, const char *function);
  llmc_status repeat(Session &session, const Shape &shape, const char *function);
  llmc_status reserveCandidates(uint64_t rows);
  llmc_status launchKernel(uint32_t kernel, uint64_t rows, uint64_t keys, DeviceAddress kernelArgs);
  llmc_status fetch(uint32_t buffer, uint64_t rows, uint8_t *to);
  llmc_status fetch(DeviceAddress from, uint64_t bytes, uint8_t *to);
  llmc_status fetchResults(Session &session, const llmc_step &step);
  llmc_status runEntered(Session &session, StepRun &walk, const llmc_step &step, const char *function);

  DeviceModel *model = nullptr;
  const WorkspacePlan *plan = nullptr;
  std::vector<DeviceMemory> buffers; ///< each by itself: so a device that checks sees where one ends
  DeviceMemory args, head, keys, scratch;
  DeviceMemory choiceArgs, choices, choiceWork; ///< of the kernel that finds candidates
  StagingMemory staging;                        ///< as `head`
  StagingMemory results;
  /// In `head`: the step, then what it points to.
  struct {
    uint64_t tokens, asked, pools, tables, scratch, bytes;
  } offsets = {};
  std::vector<std::pair<const int32_t *, uint64_t>> tables; ///< of pages: where they stand here, bytes
  uint64_t scratchBlocks = 1, scratchBytes = 0;             ///< of one block
  std::map<Shape, Recorded> recorded;
};

} // namespace llmc
