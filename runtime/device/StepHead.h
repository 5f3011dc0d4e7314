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
    DeviceAddress candidates, chosen;
  };
  /// `step` with addresses of the host. What its turn has told before is nobody's any more.
  llmc_status upload(KVCache &cache, const llmc_step &step, const Places &places, uint32_t turn);
  DeviceAddress address() const { return head.address(); }

private:
  Device *device = nullptr;
  PageTables tables;
  DeviceMemory pools, head, keys;
  StagingMemory staging[turns]; ///< as `head`
};

} // namespace llmc
