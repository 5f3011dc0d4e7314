// Sizes of a session, computed before anything is allocated, so that llmc_plan and llmc_session_new agree.
#pragma once

#include "runtime/KVCache.h"
#include "runtime/Module.h"

namespace llmc {

struct WorkspacePlan {
  CacheLimits cache;
  uint32_t nBatch;
  std::vector<uint64_t> bufferOffsets; ///< in the arena
  uint64_t arenaBytes, scratchBytes;   ///< scratch of one worker
  uint64_t cacheBytes;                 ///< of all caches, in whole pages of memory
  std::vector<uint8_t> usesCache; ///< for each of the module's caches, whether it is the type that was chosen
  bool runs(const llmc_dispatch &dispatch) const {
    return dispatch.cache == LLMC_NONE || usesCache[dispatch.cache];
  }
};

/// "f16": the name of an LLMC_KV_* or LLMC_STORE_*.
const char *storageName(uint32_t type);

/// Chooses the layout of each cache, for WorkspacePlan::usesCache: caches of one name are one cache in
/// several types. Without a wish (LLMC_KV_AUTO) the first is taken.
llmc_status chooseStorage(const llmc_module &module, llmc_kv_type typeK, llmc_kv_type typeV,
                          const char *function, std::vector<uint8_t> &out);

/// Fills in defaults and checks the parameters; `function` stands before messages.
llmc_status planWorkspace(const llmc_module &module, const llmc_session_params *params, const char *function,
                          WorkspacePlan &out, llmc_session_params &resolved);

/// Where in the file weights begin, ascending, each once.
std::vector<uint64_t> weightOffsets(const llmc_module &module);

/// Whether the kernel wants scratch at any size.
bool hasScratch(const llmc_kernel &kernel);
/// Scratch of one worker for this many rows and keys. Kernels whose scratch grows with rows * keys are
/// counted only when `withRowKeys` is set: at most sizes they would need far more than any step does. False:
/// beyond 64 bits.
bool scratchNeeded(const llmc_module &module, const uint64_t (&rows)[LLMC_ROW_SPACES], uint64_t keys,
                   bool withRowKeys, uint64_t &out);

} // namespace llmc
