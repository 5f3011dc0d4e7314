// A model on a device: its code there, and its weights, once for all sessions.
#pragma once

#include "runtime/device/Device.h"

#include <span>

namespace llmc {

class DeviceModel {
public:
  ~DeviceModel();
  /// `progress` (may be null) hears of kernels that are compiled and of weights; false from it cancels.
  llmc_status load(std::unique_ptr<Device> device, const llmc_device &program,
                   std::span<const uint8_t> weights, const char *path, llmc_progress_fn progress,
                   void *progressData);

  Device &device() const { return *ownDevice; }
  const DeviceCode &code() const { return *ownCode; }
  const llmc_device &program() const { return *table; }
  DeviceAddress weights() const { return ownWeights.address(); }

private:
  llmc_status upload(std::span<const uint8_t> bytes, const char *path, llmc_progress_fn progress,
                     void *progressData);

  std::unique_ptr<Device> ownDevice;
  const llmc_device *table = nullptr;
  std::unique_ptr<DeviceCode> ownCode;
  DeviceMemory ownWeights;
};

} // namespace llmc
