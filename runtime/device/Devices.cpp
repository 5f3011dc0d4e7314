#include "runtime/device/Devices.h"

#include <cstring>

namespace llmc {

static uint32_t one() { return 1; }

static llmc_status openCpu(const std::string &options, const char *, std::unique_ptr<Device> &) {
  if (!options.empty())
    return setError(LLMC_EARG, "llmc_model_load: device is 'cpu:%s', but there is only one 'cpu'",
                    options.c_str());
  return LLMC_OK;
}

static const DeviceKind kinds[] = {
    {cpuDevice, deviceTarget(cpuDevice), false, false, one, openCpu},
    {cudaDevice, deviceTarget(cudaDevice), true, true, countCuda, openCuda},
    {simtDevice, deviceTarget(simtDevice), false, false, one, openSimt},
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

llmc_status findDeviceKind(const char *name, const DeviceKind *&kind, std::string &options) {
  const char *colon = strchr(name, ':');
  const std::string_view word = deviceWord(name);
  std::string listed;
  for (const DeviceKind &candidate : kinds) {
    if (word == candidate.name) {
      kind = &candidate;
      options = colon ? colon + 1 : "";
      return LLMC_OK;
    }
    listed += std::string(listed.empty() ? "'" : ", '") + candidate.name + "'";
  }
  return setError(LLMC_EARG, "llmc_model_load: device is '%s', this build has %s", name, listed.c_str());
}

} // namespace llmc
