#include "runtime/device/StepScratch.h"

#include <algorithm>

namespace llmc {

llmc_status StepScratch::create(DeviceModel &newModel, const DevicePlan &plan) {
  model = &newModel;
  blocks = plan.scratchBlocks;
  most = plan.mostScratch;
  return starts.allocate(model->device(), plan.scratchList, "scratch");
}

llmc_status StepScratch::reserve(const llmc_step &step, uint64_t nKeys, uint64_t longest,
                                 const char *function) {
  uint64_t each, total;
  if (!deviceScratch(model->program(), step.rows, nKeys, longest, blocks, true, each, total))
    return setError(LLMC_ENOMEM, "%s: the scratch memory of this step does not fit in 64 bits", function);
  if (each <= blockBytes && total <= memory.size())
    return LLMC_OK;
  return model->device().atRest([&] { // a step ahead may be under way
    // The next steps have a few keys more.
    const uint64_t roomy = std::min(memory.size() + memory.size() / 4, most);
    const llmc_status status = grow(std::max(total, roomy));
    return status == LLMC_ENOMEM && total < roomy ? grow(total) : status;
  });
}

llmc_status StepScratch::grow(uint64_t bytes) {
  Device &device = model->device();
  blockBytes = 0;
  memory.reset();
  if (llmc_status status = memory.allocate(device, bytes, "scratch"))
    return status;
  device.setScratch(memory.address());
  const uint64_t stride = bytes / blocks / 64 * 64;
  std::vector<DeviceAddress> addresses(blocks);
  for (uint64_t i = 0; i < blocks; ++i)
    addresses[i] = memory.address() + i * stride;
  if (llmc_status status = device.copyIn(starts.address(), addresses.data(), starts.size()))
    return status;
  if (llmc_status status = device.synchronize())
    return status;
  blockBytes = stride;
  return LLMC_OK;
}

} // namespace llmc
