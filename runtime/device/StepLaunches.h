// The launches of kernels in a step, their grids, and the arguments of all dispatches on a device.
#pragma once

#include "runtime/device/DeviceModel.h"
#include "runtime/device/StepHead.h"

#include <functional>
#include <span>

namespace llmc {

/// Launches of steps that are alike in this are the same.
struct StepShape {
  uint64_t rows[LLMC_ROW_SPACES], keys; ///< of the longest sequence
  bool chooses;                         ///< candidates are wanted
  uint32_t turn;
  auto operator<=>(const StepShape &) const = default;
};

class StepLaunches {
public:
  /// `buffers`: where those of the module are, for each turn.
  llmc_status create(DeviceModel &model, const DevicePlan &plan,
                     const std::vector<DeviceAddress> (&buffers)[turns]);
  static uint64_t argumentsPerTurn(const llmc_module &module) { return module.n_args + uint64_t(2); }
  /// The most blocks that work in scratch at a time.
  static uint64_t scratchBlocks(const llmc_device &program, const uint64_t (&mostRows)[LLMC_ROW_SPACES]);
  llmc_status dispatch(const llmc_dispatch &dispatch, const StepShape &shape, DeviceAddress head) const;
  /// The kernel that finds candidates, which works in memory of its own.
  llmc_status choose(const StepShape &shape, DeviceAddress head) const;
  llmc_status setChoiceWork(DeviceAddress work);

private:
  llmc_status launch(uint32_t kernel, uint64_t rows, const StepShape &shape, DeviceAddress head,
                     DeviceAddress kernelArgs) const;
  /// Of a turn; those of the kernel that finds candidates stand behind all others.
  DeviceAddress argsOf(uint32_t turn, uint64_t first) const {
    return args.address() + (turn * perTurn + first) * sizeof(DeviceAddress);
  }

  DeviceModel *model = nullptr;
  DeviceMemory args;
  uint64_t perTurn = 0;
};

} // namespace llmc
