// What may stand behind the colon of a device's name, for the runtime and its tools: "cuda:1",
// "simt:seed=3,checks=bounds".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace llmc {

struct DeviceOptions {
  int ordinal = 0; ///< of cuda
  // Of simt:
  std::string code, counts; ///< files; empty: not given
  uint32_t seed = 0;
  bool checksBounds = true, checksRaces = true; ///< where the code can be checked
  bool needsChecks = false;                     ///< something is asked for that only such code can do
};

/// Empty, or what was expected, without a subject: "expected a number behind the colon".
std::string readDeviceOptions(std::string_view name, DeviceOptions &out);

} // namespace llmc
