#include "runtime/device/RecordedSteps.h"

namespace llmc {

constexpr size_t mostRecorded = 64;

static llmc_status record(Device &device, const std::function<llmc_status()> &work,
                          std::unique_ptr<DeviceGraph> &out) {
  if (llmc_status status = device.beginCapture())
    return status;
  llmc_status status;
  std::string sentence;
  try {
    status = work();
    sentence = status ? lastError() : "";
  } catch (...) { // a stream that goes on recording can do nothing else
    device.endCapture(out);
    throw;
  }
  const llmc_status ended = device.endCapture(out);
  return status ? setError(status, "%s", sentence.c_str()) : ended;
}

llmc_status RecordedSteps::run(Device &device, const StepShape &shape,
                               const std::function<llmc_status()> &work) {
  if (entries.size() >= mostRecorded && !entries.contains(shape)) {
    if (llmc_status status = device.synchronize()) // one of them may be under way, as a step ahead is
      return status;
    entries.clear();
  }
  Entry &entry = entries[shape];
  if (!std::exchange(entry.wasSeen, true))
    return work();
  if (!entry.graph) {
    std::unique_ptr<DeviceGraph> graph;
    if (llmc_status status = record(device, work, graph))
      return status;
    entry.graph = std::move(graph);
  }
  return device.replay(*entry.graph);
}

} // namespace llmc
