// What kernels are told of a step: one small copy, the llmc_step with device addresses in it, its tokens and
// which of them are asked. What stays the same from step to step stands there already.
#pragma once

#include "runtime/Workspace.h"
#include "runtime/device/PageTables.h"

namespace llmc {

/// Of two steps in a row one may still be under way while the other is told: each has its own turn, 0 or 1.
constexpr uint32_t turns = 2;

class StepHead {
public:
  llmc_status create(Device &device, const llmc_module &module, const WorkspacePlan &plan,
                     const KVCache &cache);

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
