// Page tables on a device: all of them once, and from then on what changed.
#pragma once

#include "runtime/KVCache.h"
#include "runtime/device/DevicePlan.h"

namespace llmc {

class PageTables {
public:
  llmc_status create(Device &device, const DevicePlan &plan, const KVCache &cache);
  /// Before a step.
  llmc_status send(KVCache &cache);
  /// Where the table that stands here stands there.
  DeviceAddress addressOf(const int32_t *table) const;

private:
  struct Table {
    std::span<const int32_t> here;
    uint64_t offset; ///< of it in `there` and `staging`
  };
  llmc_status send(const Table &table, uint64_t begin, uint64_t end);

  Device *device = nullptr;
  std::vector<Table> tables;
  DeviceMemory there;
  StagingMemory staging;
};

} // namespace llmc
