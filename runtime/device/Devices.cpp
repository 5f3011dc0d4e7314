#include "runtime/device/Devices.h"

namespace llmc {

static uint32_t one() { return 1; }

static const DeviceKind kinds[] = {
    {cpuDevice, deviceTarget(cpuDevice), false, false, one, nullptr, nullptr},
    {cudaDevice, deviceTarget(cudaDevice), true, true, countCuda, checkCuda, openCuda},
    {simtDevice, deviceTarget(simtDevice), false, false, one, nullptr, openSimt},
};

std::span<const DeviceKind> deviceKinds() { return kinds; }

std::vector<std::string> deviceNames() {
  std::vector<std::string> names;
  for (const DeviceKind &kind : kinds) {
    const uint32_t count = kind.count();
    for (uint32_t i = 0; i < count; ++i)
      names.push_back(kind.isNumbered ? kind.name + (":" + std::to_string(i)) : kind.name);
  }
  return names;
}

llmc_status findDeviceKind(const char *function, const char *name, const DeviceKind *&kind,
                           DeviceOptions &options) {
  const std::string_view word = deviceWord(name);
  std::string listed;
  for (const DeviceKind &candidate : kinds) {
    if (word == candidate.name) {
      const std::string words = readDeviceOptions(name, options);
      if (!words.empty())
        return setError(LLMC_EARG, "%s: device is '%s', %s", function, name, words.c_str());
      kind = &candidate;
      return LLMC_OK;
    }
    listed += std::string(listed.empty() ? "'" : ", '") + candidate.name + "'";
  }
  return setError(LLMC_EARG, "%s: device is '%s', this build has %s", function, name, listed.c_str());
}

} // namespace llmc
