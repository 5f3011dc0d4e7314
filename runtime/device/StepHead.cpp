#include "runtime/device/StepHead.h"

#include <algorithm>
#include <cstring>

namespace llmc {

constexpr uint64_t alignment = 16;

uint64_t StepHead::mostBytes(uint64_t tokens) {
  return sizeof(llmc_token_row) + sizeof(llmc_step) + tokens * (sizeof(llmc_token_row) + sizeof(int32_t)) +
         2 * alignment;
}

llmc_status StepHead::create(Device &newDevice, const llmc_module &module, const DevicePlan &plan,
                             const KVCache &cache) {
  device = &newDevice;
  if (llmc_status status = tables.create(*device, plan, cache))
    return status;
  std::vector<llmc_kv_pool> there(cache.pools(), cache.pools() + module.n_caches);
  for (llmc_kv_pool &pool : there)
    pool.table = reinterpret_cast<const int32_t *>(tables.addressOf(pool.table));
  if (llmc_status status = pools.allocate(*device, plan.pools, "the step"))
    return status;
  const uint64_t poolBytes = there.size() * sizeof(llmc_kv_pool);
  if (llmc_status status = device->copyIn(pools.address(), there.data(), poolBytes))
    return status;
  if (llmc_status status = device->synchronize()) // before `there` goes
    return status;
  if (llmc_status status = head.allocate(*device, plan.head, "the step"))
    return status;
  for (StagingMemory &each : staging)
    if (llmc_status status = each.allocate(*device, plan.head))
      return status;
  if (llmc_status status = counters.allocate(*device, plan.counters, "the counters of blocks"))
    return status;
  if (llmc_status status = clearCounters())
    return status;
  if (module.uses_keys)
    if (llmc_status status = keys.allocate(*device, plan.keys, "the keys of a step"))
      return status;
  return LLMC_OK;
}

llmc_status StepHead::upload(KVCache &cache, const llmc_step &step, const Places &places, uint32_t turn) {
  if (llmc_status status = tables.send(cache))
    return status;
  uint8_t *const start = staging[turn].data();
  uint64_t from = sizeof(llmc_token_row), bytes = from + sizeof(llmc_step);
  auto put = [&](const auto *values, uint64_t n) {
    alignUp(bytes, alignment, bytes);
    const uint64_t at = bytes;
    if (n)
      memcpy(start + at, values, n * sizeof *values);
    bytes += n * sizeof *values;
    return reinterpret_cast<decltype(values)>(head.address() + at);
  };
  llmc_step there = {};
  std::copy_n(step.rows, LLMC_ROW_SPACES, there.rows);
  device->forget(address(), head.size() - from);
  if (step.tokens->id < 0) { // all of its row but the id
    static_assert(offsetof(llmc_token_row, id) == 0);
    memcpy(start, step.tokens, sizeof(llmc_token_row));
    from = sizeof step.tokens->id;
    there.tokens = reinterpret_cast<const llmc_token_row *>(head.address());
  } else {
    there.tokens = put(step.tokens, step.rows[LLMC_ROWS_TOKENS]);
  }
  there.asked = put(step.asked, step.rows[LLMC_ROWS_ASKED]);
  there.keys = reinterpret_cast<const int32_t *>(keys.address());
  there.kv = reinterpret_cast<const llmc_kv_pool *>(pools.address());
  there.scratch = reinterpret_cast<uint8_t *const *>(places.scratch);
  there.n_best = step.n_best;
  there.candidates = reinterpret_cast<uint8_t *>(places.candidates);
  there.counters = reinterpret_cast<uint32_t *>(counters.address());
  there.chosen = reinterpret_cast<int32_t *>(head.address());
  memcpy(start + sizeof(llmc_token_row), &there, sizeof there);
  if (step.rows[LLMC_ROWS_KEYS])
    if (llmc_status status =
            device->copyIn(keys.address(), step.keys, step.rows[LLMC_ROWS_KEYS] * 2 * sizeof(int32_t)))
      return status;
  return device->copyIn(head.address() + from, start + from, bytes - from);
}

} // namespace llmc
