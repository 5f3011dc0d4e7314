// The kinds of devices that this build knows, in one table: what they are called, how many there are, how one
// is opened.
#pragma once

#include "runtime/device/Device.h"
#include "runtime/device/DeviceNames.h"
#include "runtime/device/DeviceOptions.h"

#include <span>
#include <string>
#include <vector>

namespace llmc {

struct DeviceKind {
  const char *name;
  /// What an llmc_device that it can run is called; null: the CPU's own code.
  const char *program;
  bool isNumbered; ///< "cuda:0", "cuda:1"; else there is one
  bool isForAuto;  ///< taken without being asked for, if it is here and the model has code for it
  /// Those that are here; without a driver none, and no error.
  uint32_t (*count)();
  /// Fails with the words of `open` if there is no such device; opens none. Null: it is always here.
  llmc_status (*check)(const DeviceOptions &options);
  /// Opens one. `modelPath`: of the model that it is for. Null: steps are run by the CPU's workers.
  llmc_status (*open)(const DeviceOptions &options, const char *modelPath, std::unique_ptr<Device> &out);
};

std::span<const DeviceKind> deviceKinds();

/// "cpu", "cuda:0", "simt": of all that are here.
std::vector<std::string> deviceNames();

/// The kind that a name ("cuda:1") is of, and what stands behind the colon. A sentence lists what there is,
/// and begins with the C function that was called.
llmc_status findDeviceKind(const char *function, const char *name, const DeviceKind *&kind,
                           DeviceOptions &options);

llmc_status openCuda(const DeviceOptions &options, const char *modelPath, std::unique_ptr<Device> &out);
uint32_t countCuda();
llmc_status checkCuda(const DeviceOptions &options);
llmc_status openSimt(const DeviceOptions &options, const char *modelPath, std::unique_ptr<Device> &out);

} // namespace llmc
