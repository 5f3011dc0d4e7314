// Session sizes from the module's tables and the caller's limits.
#include "runtime/Workspace.h"

#include "runtime/SizedStruct.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace llmc {

std::vector<uint64_t> weightOffsets(const llmc_module &module) {
  std::vector<uint64_t> offsets;
  for (uint32_t i = 0; i < module.n_args; ++i)
    if (module.args[i].kind == LLMC_ARG_WEIGHT)
      offsets.push_back(module.args[i].value);
  std::ranges::sort(offsets);
  offsets.erase(std::ranges::unique(offsets).begin(), offsets.end());
  return offsets;
}

bool hasScratch(const llmc_kernel &kernel) {
  return kernel.scratch_constant || kernel.scratch_per_row || kernel.scratch_per_key ||
         kernel.scratch_per_row_key;
}

bool scratchNeeded(const llmc_module &module, const uint64_t (&rows)[LLMC_ROW_SPACES], uint64_t keys,
                   bool withRowKeys, uint64_t &out) {
  out = 0;
  for (uint32_t i = 0; i < module.n_dispatches; ++i) {
    const llmc_dispatch &dispatch = module.dispatches[i];
    const llmc_kernel &kernel = module.kernels[dispatch.kernel];
    if (kernel.scratch_per_row_key && !withRowKeys)
      continue;
    uint64_t n = rows[dispatch.rows], rowKeys, bytes;
    if (n == 0)
      continue;
    if (!mulAdd(n, keys, 0, rowKeys) || !mulAdd(kernel.scratch_per_row, n, kernel.scratch_constant, bytes) ||
        !mulAdd(kernel.scratch_per_key, keys, bytes, bytes) ||
        !mulAdd(kernel.scratch_per_row_key, rowKeys, bytes, bytes) || !alignUp(bytes, 64, bytes))
      return false;
    out = std::max(out, bytes);
  }
  return true;
}

constexpr const char *typeNames[] = {"auto", "f32", "f16", "bf16", "q8", "q4"};

const char *storageName(uint32_t type) {
  return type < std::size(typeNames) ? typeNames[type] : "another type";
}

llmc_status chooseStorage(const llmc_module &module, llmc_kv_type typeK, llmc_kv_type typeV,
                          const char *function, std::vector<uint8_t> &out) {
  for (auto [type, letter] : {std::pair(typeK, 'k'), {typeV, 'v'}})
    if (type < LLMC_KV_AUTO || type > LLMC_KV_Q4)
      return setError(LLMC_EARG, "%s: type_%c is %d, which is no storage type", function, letter, type);
  llmc_kv_type wanted = typeK != LLMC_KV_AUTO ? typeK : typeV;
  if (typeV != LLMC_KV_AUTO && typeV != wanted)
    return setError(LLMC_EUNSUPPORTED, "%s: type_k is %s and type_v is %s: keys and values have one type",
                    function, storageName(uint32_t(typeK)), storageName(uint32_t(typeV)));
  out.assign(module.n_caches, 0);
  auto isSame = [&](uint32_t a, uint32_t b) {
    return a == b ||
           (module.caches[a].name != LLMC_NONE && module.caches[b].name != LLMC_NONE &&
            strcmp(module.strings + module.caches[a].name, module.strings + module.caches[b].name) == 0);
  };
  for (uint32_t i = 0; i < module.n_caches; ++i) {
    bool isFirst = true, isChosen = false;
    std::string compiled;
    for (uint32_t j = 0; j < module.n_caches; ++j) {
      if (!isSame(i, j))
        continue;
      isFirst &= j >= i;
      uint32_t type = module.caches[j].type_k;
      if (wanted == LLMC_KV_AUTO ? j == i : type == uint32_t(wanted)) {
        isChosen = true;
        if (isFirst)
          out[j] = 1;
      }
      compiled += std::string(compiled.empty() ? "" : ", ") + storageName(type);
    }
    if (!isChosen)
      return setError(LLMC_EUNSUPPORTED, "%s: type_k is %s, but the model was compiled with a cache in %s",
                      function, storageName(uint32_t(wanted)), compiled.c_str());
  }
  return LLMC_OK;
}

llmc_status planWorkspace(const llmc_module &module, const llmc_session_params *params, const char *function,
                          WorkspacePlan &out, llmc_session_params &resolved) {
  llmc_session_params_init(&resolved, sizeof(resolved));
  if (llmc_status status = readSized(function, params, resolved))
    return status;
  if (resolved.flags & ~uint32_t(LLMC_SESSION_PREFIX_REUSE | LLMC_SESSION_KV_CONVERT))
    return setError(LLMC_EARG, "%s: flags is 0x%x, which has unknown bits", function, resolved.flags);
  if (resolved.flags)
    return setError(LLMC_EUNSUPPORTED,
                    "%s: this build has neither prefix reuse nor cache conversion: set flags to 0", function);
  if (llmc_status status = chooseStorage(module, resolved.type_k, resolved.type_v, function, out.usesCache))
    return status;
  if (resolved.allocator && (resolved.allocator->struct_size < sizeof(llmc_allocator) ||
                             !resolved.allocator->alloc || !resolved.allocator->free))
    return setError(LLMC_EARG, "%s: the allocator lacks struct_size, alloc or free", function);
  if (resolved.n_ctx == 0)
    resolved.n_ctx = std::min(module.context ? module.context : 4096u, 4096u);
  if (resolved.n_seq_max == 0)
    resolved.n_seq_max = 1;
  if (resolved.n_batch == 0)
    resolved.n_batch = 512;
  const uint32_t maxCtx = 1u << 30, maxSeqs = 1u << 16, maxBatch = 1u << 20;
  if (resolved.n_ctx > maxCtx || resolved.n_seq_max > maxSeqs || resolved.n_batch > maxBatch)
    return setError(LLMC_EARG,
                    "%s: n_ctx = %u, n_seq_max = %u, n_batch = %u: at most %u, %u, %u are possible", function,
                    resolved.n_ctx, resolved.n_seq_max, resolved.n_batch, maxCtx, maxSeqs, maxBatch);
  uint64_t everything = uint64_t(resolved.n_ctx) * resolved.n_seq_max;
  out.cache = {resolved.n_seq_max, resolved.n_ctx,
               resolved.n_kv_tokens ? std::min<uint64_t>(resolved.n_kv_tokens, everything) : everything};
  out.nBatch = resolved.n_batch;

  const uint64_t rowsMax[LLMC_ROW_SPACES] = {out.nBatch, out.nBatch, module.uses_keys ? out.cache.nTokens : 0,
                                             out.nBatch};
  out.arenaBytes = 0;
  out.bufferOffsets.resize(module.n_buffers);
  bool fits = true;
  for (uint32_t i = 0; fits && i < module.n_buffers; ++i) {
    const llmc_buffer &buffer = module.buffers[i];
    out.bufferOffsets[i] = out.arenaBytes;
    fits = mulAdd(rowsMax[buffer.rows], buffer.row_bytes, out.arenaBytes, out.arenaBytes) &&
           alignUp(out.arenaBytes, 64, out.arenaBytes);
  }
  fits = fits && scratchNeeded(module, rowsMax, out.cache.nTokens, false, out.scratchBytes);
  std::vector<PageTableSize> tables;
  std::vector<uint64_t> cacheBytes;
  if (llmc_status status =
          cacheSizes({module.caches, module.n_caches}, out.usesCache, out.cache, tables, cacheBytes))
    return status;
  out.cacheBytes = 0;
  for (uint64_t bytes : cacheBytes)
    fits = fits &&
           (!bytes || (Region::rounded(bytes, bytes) && mulAdd(bytes, 1, out.cacheBytes, out.cacheBytes)));
  if (!fits)
    return setError(LLMC_ENOMEM, "%s: the sizes of this session do not fit in 64 bits", function);
  return LLMC_OK;
}

} // namespace llmc
