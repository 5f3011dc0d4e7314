#include "runtime/device/PageTables.h"

#include <cstring>

namespace llmc {

/// Entries that did not change and are sent to save another copy; a guess: README.md.
constexpr uint64_t mostUnchanged = 8192;

llmc_status PageTables::create(Device &newDevice, const DevicePlan &plan, const KVCache &cache) {
  device = &newDevice;
  uint64_t offset = 0;
  cache.eachTable([&](std::span<const int32_t> table) {
    tables.push_back({table, offset});
    offset = nextTable(offset, table.size());
  });
  if (llmc_status status = there.allocate(*device, plan.tables, "page tables"))
    return status;
  if (llmc_status status = staging.allocate(*device, plan.tables))
    return status;
  for (const Table &table : tables)
    if (llmc_status status = send(table, 0, table.here.size()))
      return status;
  return device->synchronize();
}

llmc_status PageTables::send(const Table &table, uint64_t begin, uint64_t end) {
  const std::span<const int32_t> entries = table.here.subspan(begin, end - begin);
  const uint64_t at = table.offset + begin * sizeof(int32_t);
  memcpy(staging.data() + at, entries.data(), entries.size_bytes());
  return device->copyIn(there.address() + at, staging.data() + at, entries.size_bytes());
}

/// Where a step is under way these copies wait behind it, and nothing changes of what it reads.
llmc_status PageTables::send(KVCache &cache) {
  for (const KVCache::TableChange &change : cache.tableChanges(mostUnchanged))
    if (llmc_status status = send(tables[change.table], change.begin, change.end))
      return status;
  cache.forgetTableChanges();
  return LLMC_OK;
}

DeviceAddress PageTables::addressOf(const int32_t *table) const {
  const auto found = std::ranges::find_if(tables, [&](const Table &t) { return t.here.data() == table; });
  return found == tables.end() ? 0 : there.address() + found->offset;
}

} // namespace llmc
