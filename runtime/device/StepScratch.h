// Memory that kernels work in on a device, and the list of where each block's begins (llmc_step.scratch).
#pragma once

#include "runtime/device/DeviceModel.h"
#include "runtime/device/DevicePlan.h"

namespace llmc {

class StepScratch {
public:
  llmc_status create(DeviceModel &model, const DevicePlan &plan);
  /// Takes what a step of this size needs, for it and all later ones.
  llmc_status reserve(const llmc_step &step, uint64_t nKeys, uint64_t longest, const char *function);
  DeviceAddress list() const { return starts.address(); }

private:
  llmc_status grow(uint64_t bytes);

  DeviceModel *model = nullptr;
  DeviceMemory memory, starts;
  uint64_t blocks = 0, blockBytes = 0;
  uint64_t most = 0; ///< of the largest step
};

} // namespace llmc
