// What a step leaves for the host. Candidates are written by their kernel straight into pinned memory, each
// turn into a slot of its own; rows of logits and hidden rows are copied there behind the launches. So one
// wait for the device is enough to have them all.
#pragma once

#include "runtime/device/StepLaunches.h"

namespace llmc {

class StepResults {
public:
  /// `buffers`: where those of the module are, for each turn.
  llmc_status create(DeviceModel &model, const WorkspacePlan &workspace, const DevicePlan &plan,
                     const std::vector<DeviceAddress> (&buffers)[turns]);
  /// Takes memory for so many rows of candidates, when they are first wanted. Where it stands is told to the
  /// kernel in memory, since launches may be recorded.
  llmc_status reserveCandidates(uint64_t rows, StepLaunches &launches);
  DeviceAddress candidates(uint32_t turn) const { return slots[turn].address(); }
  void forget(uint32_t turn);

  /// Behind the launches of a step: the copies that are wanted of it. These may be recorded.
  llmc_status queueCopies(const StepShape &shape);
  /// When all that is done: the rows go to the arena, the candidates to `summaries`. The caller need not use
  /// the device.
  llmc_status read(const StepShape &shape, uint8_t *arena, std::vector<uint8_t> &summaries);
  /// What stands in a buffer now, in parts; in a use of its own.
  llmc_status fetch(uint32_t buffer, uint32_t turn, uint64_t rows, uint8_t *to);

private:
  struct Wanted {
    uint32_t buffer;
    uint64_t rows, bytes;
  };
  /// Logits and hidden rows.
  std::vector<Wanted> wantedOf(const StepShape &shape) const;
  bool fits(std::span<const Wanted> wanted) const;

  DeviceModel *model = nullptr;
  const WorkspacePlan *workspace = nullptr;
  const std::vector<DeviceAddress> *buffers = nullptr;
  StagingMemory slots[turns], rows;
  DeviceMemory work;
};

} // namespace llmc
