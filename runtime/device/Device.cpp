#include "runtime/device/Device.h"

namespace llmc {

llmc_status Device::atRest(const std::function<llmc_status()> &work) {
  DeviceUse use(*this);
  if (llmc_status status = use.status())
    return status;
  if (llmc_status status = synchronize())
    return status;
  return work();
}

DeviceMemory &DeviceMemory::operator=(DeviceMemory &&other) noexcept {
  if (this != &other) {
    reset();
    owner = std::exchange(other.owner, nullptr);
    start = std::exchange(other.start, 0);
    bytes = std::exchange(other.bytes, 0);
  }
  return *this;
}

llmc_status DeviceMemory::allocate(Device &device, uint64_t size, const char *what) {
  reset();
  if (llmc_status status = device.allocate(size, what, start))
    return status;
  owner = &device;
  bytes = size;
  return LLMC_OK;
}

void DeviceMemory::reset() {
  if (owner) {
    DeviceUse use(*owner);
    owner->free(start);
  }
  owner = nullptr;
  start = bytes = 0;
}

void StagingMemory::reset() {
  if (owner) {
    DeviceUse use(*owner);
    owner->freeHost(start);
  }
  owner = nullptr;
  start = nullptr;
  mapped = bytes = 0;
}

llmc_status StagingMemory::allocateMapped(Device &device, uint64_t size, const char *what) {
  if (llmc_status status = allocate(device, size))
    return status;
  return device.map(start, size, what, mapped);
}

llmc_status StagingMemory::allocate(Device &device, uint64_t size) {
  reset();
  if (llmc_status status = device.allocateHost(size, start))
    return status;
  owner = &device;
  bytes = size;
  return LLMC_OK;
}

} // namespace llmc
