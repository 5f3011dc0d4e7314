// What kernels are told of a step: one small copy, the llmc_step with device addresses in it, its tokens and
// which of them are asked. What stays the same from step to step stands there already.
#pragma once

#include "runtime/device/PageTables.h"

namespace llmc {

class StepHead {
public:
  /// Of a step of so many tokens.
  static uint64_t mostBytes(uint64_t tokens);
  llmc_status create(Device &device, const llmc_module &module, const DevicePlan &plan, const KVCache &cache);

  struct Places {
    DeviceAddress scratch; ///< of the list of addresses
    DeviceAddress candidates;
  };
  /// `step` with addresses of the host. What its turn has told before is nobody's any more. A step whose one
  /// token has the id -1 is of the token that the step before chooses.
  llmc_status upload(KVCache &cache, const llmc_step &step, const Places &places, uint32_t turn);
  /// Of kernels that did not come to their end.
  llmc_status clearCounters() { return device->clear(counters.address(), counters.size()); }
  DeviceAddress address() const { return head.address() + sizeof(llmc_token_row); }

private:
  Device *device = nullptr;
  PageTables tables;
  DeviceMemory pools, keys, counters;
  /// The row of a step's token that the step before chooses, which writes its id there; then the llmc_step.
  DeviceMemory head;
  StagingMemory staging[turns]; ///< as `head`
};

} // namespace llmc
