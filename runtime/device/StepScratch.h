// Memory that kernels work in on a device, and the list of where each block's begins (llmc_step.scratch).
#pragma once

#include "runtime/Workspace.h"
#include "runtime/device/DeviceModel.h"

namespace llmc {

class StepScratch {
public:
  /// `blocks`: how many work at a time, each in its own.
  llmc_status create(DeviceModel &model, uint64_t blocks);
  /// Takes what a step of this size needs, for it and all later ones.
  llmc_status reserve(const llmc_step &step, uint64_t nKeys, const char *function);
  DeviceAddress list() const { return starts.address(); }

private:
  llmc_status grow(uint64_t bytes);
  /// Raises `out` to what kernels want in common; false if it does not fit in 64 bits.
  bool commonNeeded(uint64_t nKeys, uint64_t &out) const;

  DeviceModel *model = nullptr;
  DeviceMemory memory, starts;
  uint64_t blocks = 0, blockBytes = 0;
};

} // namespace llmc
