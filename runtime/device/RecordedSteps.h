// Steps of a shape that comes again: then all their work is one.
#pragma once

#include "runtime/device/StepLaunches.h"

#include <map>

namespace llmc {

class RecordedSteps {
public:
  /// Asks the device for `work`, which is the same for steps of one shape, or repeats it.
  llmc_status run(Device &device, const StepShape &shape, const std::function<llmc_status()> &work);
  void clear() { entries.clear(); }

private:
  struct Entry {
    bool wasSeen = false;
    std::unique_ptr<DeviceGraph> graph;
  };
  std::map<StepShape, Entry> entries;
};

} // namespace llmc
