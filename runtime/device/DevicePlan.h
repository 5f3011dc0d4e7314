// Sizes of what a session takes for its steps on a device, computed before anything is allocated: whoever
// allocates takes them from here, and so does llmc_plan.
#pragma once

#include "runtime/Workspace.h"

#include <algorithm>

namespace llmc {

/// Of two steps in a row one may still be under way while the other is told: each has its own turn, 0 or 1.
constexpr uint32_t turns = 2;

struct DevicePlan {
  uint64_t mostRows[LLMC_ROW_SPACES];  ///< of a step
  std::vector<uint64_t> buffers;       ///< each of the module's
  uint64_t otherLogits;                ///< one row; 0: there are no steps ahead
  uint64_t arguments;                  ///< of all dispatches, in both turns
  uint64_t pools, head, keys;          ///< what kernels are told; `head` also pinned, for each turn
  uint64_t counters;                   ///< by which blocks of a launch know of each other
  uint64_t tables;                     ///< page tables, also pinned
  uint64_t scratchBlocks, scratchList; ///< how many work in scratch at a time; the list of their addresses
  uint64_t pinnedRows;                 ///< logits and hidden rows come through there
  uint64_t mostScratch;                ///< of the largest step: steps take what they need, in time
  uint64_t kv;
  uint64_t device, pinned; ///< all of a session
};

/// LLMC_ENOMEM: beyond 64 bits.
llmc_status planDevice(const llmc_device &program, const WorkspacePlan &workspace, const char *function,
                       DevicePlan &out);

/// Scratch of a step over so many keys, `longest` of them of one sequence: of each block, and in all with
/// what the blocks of one kernel have in common. False: beyond 64 bits. `withRowKeys`: as in scratchNeeded().
bool deviceScratch(const llmc_device &program, const uint64_t (&rows)[LLMC_ROW_SPACES], uint64_t keys,
                   uint64_t longest, uint64_t blocks, bool withRowKeys, uint64_t &each, uint64_t &total);

/// Candidates of so many rows: pinned, of one turn, and on the device to find them.
struct CandidateBytes {
  uint64_t slot, work;
};
inline CandidateBytes candidateBytes(const llmc_device_sampling &sampling, uint64_t rows) {
  return {rows * sampling.row_bytes, std::max<uint64_t>(rows * sampling.work_bytes, 1)};
}

/// Where the tables begin that stand one behind another.
inline uint64_t nextTable(uint64_t offset, uint64_t entries) {
  alignUp(offset + entries * sizeof(int32_t), 256, offset);
  return offset;
}

} // namespace llmc
