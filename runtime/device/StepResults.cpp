#include "runtime/device/StepResults.h"

#include <algorithm>
#include <cstring>

namespace llmc {

llmc_status StepResults::create(DeviceModel &newModel, const WorkspacePlan &newWorkspace,
                                const DevicePlan &plan,
                                const std::vector<DeviceAddress> (&newBuffers)[turns]) {
  model = &newModel;
  workspace = &newWorkspace;
  buffers = newBuffers;
  return rows.allocate(model->device(), plan.pinnedRows);
}

llmc_status StepResults::reserveCandidates(uint64_t nRows, StepLaunches &launches) {
  const CandidateBytes bytes = candidateBytes(model->program().sampling, nRows);
  if (bytes.slot <= slots[turns - 1].size())
    return LLMC_OK;
  Device &device = model->device();
  auto take = [&]() -> llmc_status {
    for (StagingMemory &slot : slots)
      if (llmc_status status = slot.allocateMapped(device, bytes.slot, "candidates"))
        return status;
    if (llmc_status status = work.allocate(device, bytes.work, "finding candidates"))
      return status;
    device.setScratch(work.address());
    return launches.setChoiceWork(work.address());
  };
  return device.atRest([&] { // a step ahead may be under way
    const llmc_status status = take();
    if (status != LLMC_OK)
      slots[turns - 1].reset(); // the next time anew
    return status;
  });
}

void StepResults::forget(uint32_t turn) { model->device().forget(candidates(turn), slots[turn].size()); }

std::vector<StepResults::Wanted> StepResults::wantedOf(const StepShape &shape) const {
  const llmc_module &module = *model->program().program;
  std::vector<Wanted> wanted;
  auto add = [&](uint32_t buffer) {
    const uint64_t n = shape.rows[module.buffers[buffer].rows];
    wanted.push_back({buffer, n, n * module.buffers[buffer].row_bytes});
  };
  if (!shape.chooses)
    add(module.logits_buffer);
  if (module.hidden_buffer != LLMC_NONE && shape.rows[LLMC_ROWS_HIDDEN])
    add(module.hidden_buffer);
  return wanted;
}

/// Others are fetched in parts, one after the other.
bool StepResults::fits(std::span<const Wanted> wanted) const {
  uint64_t bytes = 0;
  for (const Wanted &each : wanted)
    bytes += each.bytes;
  return bytes <= rows.size();
}

llmc_status StepResults::queueCopies(const StepShape &shape) {
  const std::vector<Wanted> wanted = wantedOf(shape);
  if (!fits(wanted))
    return LLMC_OK;
  uint64_t at = 0;
  for (const auto &[buffer, n, bytes] : wanted) {
    if (bytes)
      if (llmc_status status = model->device().copyOut(rows.data() + at, buffers[shape.turn][buffer], bytes))
        return status;
    at += bytes;
  }
  return LLMC_OK;
}

llmc_status StepResults::read(const StepShape &shape, uint8_t *arena, std::vector<uint8_t> &summaries) {
  if (shape.chooses) {
    const uint8_t *slot = slots[shape.turn].data();
    summaries.assign(slot, slot + shape.rows[LLMC_ROWS_ASKED] * model->program().sampling.row_bytes);
  }
  const std::vector<Wanted> wanted = wantedOf(shape);
  const bool isCopied = fits(wanted);
  uint64_t at = 0;
  for (const auto &[buffer, n, bytes] : wanted) {
    uint8_t *to = arena + workspace->bufferOffsets[buffer];
    if (isCopied)
      memcpy(to, rows.data() + at, bytes);
    else if (llmc_status status = fetch(buffer, shape.turn, n, to))
      return status;
    at += bytes;
  }
  return LLMC_OK;
}

llmc_status StepResults::fetch(uint32_t buffer, uint32_t turn, uint64_t nRows, uint8_t *to) {
  DeviceUse use(model->device());
  if (llmc_status status = use.status())
    return status;
  const uint64_t bytes = nRows * model->program().program->buffers[buffer].row_bytes;
  for (uint64_t done = 0; done < bytes;) {
    const uint64_t n = std::min(bytes - done, rows.size());
    if (llmc_status status = model->device().copyOut(rows.data(), buffers[turn][buffer] + done, n))
      return status;
    if (llmc_status status = model->device().synchronize())
      return status;
    memcpy(to + done, rows.data(), n);
    done += n;
  }
  return LLMC_OK;
}

} // namespace llmc
