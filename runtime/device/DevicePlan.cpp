#include "runtime/device/DevicePlan.h"

#include "runtime/device/StepLaunches.h"

namespace llmc {

constexpr uint64_t rowsAtATime = 4 << 20; // bytes of logits and hidden rows; a guess: README.md

/// No allocation is empty.
static uint64_t atLeastOne(uint64_t bytes) { return std::max<uint64_t>(bytes, 1); }

bool deviceScratch(const llmc_device &program, const uint64_t (&rows)[LLMC_ROW_SPACES], uint64_t keys,
                   uint64_t longest, uint64_t blocks, bool withRowKeys, uint64_t &each, uint64_t &total) {
  const llmc_module &module = *program.program;
  if (!scratchNeeded(module, rows, keys, withRowKeys, each) || !mulAdd(each, blocks, 0, total))
    return false;
  for (uint32_t i = 0; i < module.n_kernels; ++i) {
    const llmc_device_kernel &kernel = program.kernels[i];
    uint64_t ofRow, common;
    if (!mulAdd(kernel.common_per_row_key, longest, kernel.common_per_row, ofRow) ||
        !mulAdd(ofRow, std::min(rows[LLMC_ROWS_TOKENS], kernel.common_rows), 0, common))
      return false;
    total = std::max(total, common);
  }
  return true;
}

/// The sums; false: beyond 64 bits.
static bool addUp(const llmc_device &program, DevicePlan &plan) {
  bool fits = true;
  auto add = [&](uint64_t &sum, uint64_t bytes, uint64_t times = 1) {
    fits = fits && mulAdd(bytes, times, sum, sum);
  };
  plan.device = plan.pinned = 0;
  for (uint64_t bytes : plan.buffers)
    add(plan.device, bytes);
  for (uint64_t bytes : {plan.otherLogits, plan.arguments, plan.pools, plan.head, plan.keys, plan.counters,
                         plan.tables, plan.scratchList, plan.mostScratch, plan.kv})
    add(plan.device, bytes);
  add(plan.pinned, plan.head, turns);
  add(plan.pinned, plan.tables);
  add(plan.pinned, plan.pinnedRows);
  if (program.sampling.most) {
    const CandidateBytes candidates = candidateBytes(program.sampling, plan.mostRows[LLMC_ROWS_ASKED]);
    add(plan.pinned, candidates.slot, turns);
    add(plan.device, candidates.work);
  }
  return fits;
}

llmc_status planDevice(const llmc_device &program, const WorkspacePlan &workspace, const char *function,
                       DevicePlan &out) {
  const llmc_module &module = *program.program;
  const uint64_t nBatch = workspace.nBatch, nTokens = workspace.cache.nTokens;
  out = {};
  for (uint64_t &rows : out.mostRows)
    rows = nBatch;
  out.mostRows[LLMC_ROWS_KEYS] = module.uses_keys ? nTokens : 0;
  for (uint32_t i = 0; i < module.n_buffers; ++i) // fits, since the workspace holds them all
    out.buffers.push_back(atLeastOne(out.mostRows[module.buffers[i].rows] * module.buffers[i].row_bytes));
  if (program.sampling.most)
    out.otherLogits = module.buffers[module.logits_buffer].row_bytes;
  out.arguments = turns * StepLaunches::argumentsPerTurn(module) * sizeof(uint64_t);
  out.counters = LLMC_DEVICE_COUNTERS * sizeof(uint32_t);
  out.pools = atLeastOne(module.n_caches * sizeof(llmc_kv_pool));
  out.head = StepHead::mostBytes(nBatch);
  out.keys = module.uses_keys ? nTokens * 2 * sizeof(int32_t) : 0;
  out.scratchBlocks = StepLaunches::scratchBlocks(program, out.mostRows);
  out.scratchList = out.scratchBlocks * sizeof(uint64_t);
  out.pinnedRows = rowsAtATime;

  std::vector<PageTableSize> tables;
  std::vector<uint64_t> cacheBytes;
  if (llmc_status status = cacheSizes({module.caches, module.n_caches}, workspace.usesCache, workspace.cache,
                                      tables, cacheBytes))
    return status;
  for (const PageTableSize &table : tables)
    out.tables = nextTable(out.tables, table.entries);
  out.tables = atLeastOne(out.tables);
  for (uint64_t bytes : cacheBytes) // fits, since the workspace's sum does
    out.kv += bytes;
  uint64_t each;
  if (!deviceScratch(program, out.mostRows, nTokens, workspace.cache.nCtx, out.scratchBlocks, false, each,
                     out.mostScratch) ||
      !addUp(program, out))
    return setError(LLMC_ENOMEM, "%s: the sizes of this session do not fit in 64 bits", function);
  return LLMC_OK;
}

} // namespace llmc
