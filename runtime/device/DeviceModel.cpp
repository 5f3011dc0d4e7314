#include "runtime/device/DeviceModel.h"

#include "runtime/Workspace.h"

#include <algorithm>
#include <cstring>

namespace llmc {

constexpr uint64_t chunkBytes = 16 << 20;

DeviceModel::~DeviceModel() {
  if (!ownDevice)
    return;
  DeviceUse use(*ownDevice);
  ownCode.reset();
  ownWeights.reset();
}

llmc_status DeviceModel::load(std::unique_ptr<Device> opened, const llmc_device &program,
                              std::span<const uint8_t> bytes, const char *path, llmc_progress_fn progress,
                              void *progressData) {
  ownDevice = std::move(opened);
  table = &program;
  DeviceUse use(*ownDevice);
  if (llmc_status status = use.status())
    return status;
  auto compiled = [&](uint64_t done, uint64_t total) {
    return !progress || progress("kernels", done, total, progressData);
  };
  if (llmc_status status = ownDevice->load(program, path, compiled, ownCode))
    return status;
  return upload(bytes, path, progress, progressData);
}

/// From the mapped file through two buffers in turn: while one is on its way the other is filled.
llmc_status DeviceModel::upload(std::span<const uint8_t> bytes, const char *path, llmc_progress_fn progress,
                                void *progressData) {
  if (bytes.empty())
    return LLMC_OK;
  if (llmc_status status = ownWeights.allocate(*ownDevice, bytes.size(), "the weights"))
    return status;
  ownDevice->setConstant(ownWeights.address(), weightOffsets(*table->program));
  const uint64_t chunk = std::min<uint64_t>(chunkBytes, bytes.size());
  StagingMemory staging[2];
  for (StagingMemory &buffer : staging)
    if (llmc_status status = buffer.allocate(*ownDevice, chunk))
      return status;
  llmc_status status = LLMC_OK;
  for (uint64_t done = 0, turn = 0; done < bytes.size() && status == LLMC_OK; turn ^= 1) {
    const uint64_t n = std::min<uint64_t>(chunk, bytes.size() - done);
    memcpy(staging[turn].data(), bytes.data() + done, n);
    status = ownDevice->synchronize(); // the copy before this one
    if (status == LLMC_OK)
      status = ownDevice->copyIn(ownWeights.address() + done, staging[turn].data(), n);
    done += n;
    if (status == LLMC_OK && progress && !progress("weights", done, bytes.size(), progressData))
      status = setError(LLMC_ECANCELLED, "%s: cancelled while the weights were copied", path);
  }
  const llmc_status last = ownDevice->synchronize(); // before the buffers go
  return status != LLMC_OK ? status : last;
}

} // namespace llmc
