// Making a session, and reading what its last step left.
#include "runtime/Session.h"

#include "runtime/Log.h"
#include "runtime/Sampler.h"

#include <algorithm>

namespace llmc {

Session::~Session() {
  onDevice.reset(); // memory of a device goes before the device
  cache = KVCache();
  llmc_model_release(owner);
}

const llmc_module &Session::module() const { return owner->tables(); }

llmc_status Session::create(llmc_model *model, const llmc_session_params *params) {
  llmc_session_params resolved;
  if (llmc_status status = planWorkspace(model->tables(), params, "llmc_session_new", plan, resolved))
    return status;
  owner = llmc_model_retain(model);
  const llmc_module &tables = module();
  if (llmc_status status =
          model->onDevice() ? createOnDevice(*model->onDevice(), resolved) : createOnCpu(resolved))
    return status;
  newTokens.resize(plan.cache.nSeqs);
  pooling.create(plan.cache.nSeqs, tables.hidden);
  if (resolved.allocator)
    allocator = *resolved.allocator;
  log(LogDebug,
      "a session of %u sequences, %u tokens each: %llu MB of cache, %llu MB of workspace, %u threads",
      plan.cache.nSeqs, plan.cache.nCtx, (unsigned long long)plan.cacheBytes >> 20,
      (unsigned long long)(plan.arenaBytes + scratch.size()) >> 20, model->threads());
  return LLMC_OK;
}

/// The arena is only where results are read, and address space beyond that.
llmc_status Session::createOnDevice(DeviceModel &device, const llmc_session_params &params) {
  if (params.allocator)
    return setError(LLMC_EUNSUPPORTED,
                    "llmc_session_new: on %s memory comes from the device, not from an allocator",
                    device.device().name());
  const llmc_module &tables = module();
  if (llmc_status status = cache.create({tables.caches, tables.n_caches}, plan.usesCache, plan.cache, nullptr,
                                        &device.device()))
    return status;
  if (!arena.allocate(plan.arenaBytes))
    return setError(LLMC_ENOMEM, "llmc_session_new: no address space for a workspace of %llu bytes",
                    (unsigned long long)plan.arenaBytes);
  onDevice = std::make_unique<DeviceStep>();
  return onDevice->create(device, plan, cache);
}

llmc_status Session::createOnCpu(const llmc_session_params &resolved) {
  if (llmc_status status = owner->pool(pool))
    return status;
  const llmc_module &tables = module();
  if (llmc_status status =
          cache.create({tables.caches, tables.n_caches}, plan.usesCache, plan.cache, resolved.allocator))
    return status;
  uint64_t scratchBytes;
  if (!mulAdd(plan.scratchBytes, pool->size(), 0, scratchBytes) ||
      !arena.allocate(plan.arenaBytes, Region::Commit::Lazy, resolved.allocator) ||
      !scratch.allocate(scratchBytes, Region::Commit::Lazy, resolved.allocator))
    return setError(LLMC_ENOMEM, "llmc_session_new: no memory for a workspace of %llu bytes",
                    (unsigned long long)plan.arenaBytes);
  args.resize(tables.n_args);
  for (uint32_t i = 0; i < tables.n_args; ++i) {
    const llmc_arg &arg = tables.args[i];
    if (arg.kind == LLMC_ARG_BUFFER)
      args[i] = arena.data() + plan.bufferOffsets[arg.value];
    else if (arg.kind == LLMC_ARG_WEIGHT)
      args[i] = owner->weights() + arg.value;
    else
      args[i] = reinterpret_cast<const void *>(uintptr_t(arg.value));
  }
  scratchOf.resize(pool->size());
  shares.create(tables.n_dispatches, pool->size());
  return LLMC_OK;
}

std::unique_ptr<Profile> Session::newProfile(uint64_t maxBytes) const {
  return std::make_unique<Profile>(module().n_dispatches, pool ? pool->size() : 1, maxBytes);
}

llmc_status Session::checkSequence(llmc_seq seq, const char *function) const {
  if (!cache.isSequence(seq))
    return setError(LLMC_ENOTFOUND, "%s: there is no sequence %d", function, seq);
  return LLMC_OK;
}

llmc_status Session::resolveRow(int32_t row, const char *function, size_t &out) const {
  if (!hasOutputs)
    return setError(LLMC_ESTATE, "%s: there are no outputs: run llmc_eval, llmc_prefill or llmc_decode first",
                    function);
  int64_t index = row < 0 ? int64_t(outputRows.size()) + row : row;
  if (index < 0 || index >= int64_t(outputRows.size()))
    return setError(LLMC_EARG, "%s: row is %d, but the last step kept %zu rows", function, row,
                    outputRows.size());
  out = size_t(index);
  return LLMC_OK;
}

llmc_status Session::logits(int32_t row, const char *function, const float *&out) const {
  size_t index;
  if (llmc_status status = resolveRow(row, function, index))
    return status;
  if (llmc_status status = bringLogits())
    return status;
  out = logitsAt(index);
  return LLMC_OK;
}

/// Logits that a step has left on the device, since nobody was known to read them.
llmc_status Session::bringLogits() const {
  if (hasLogits)
    return LLMC_OK;
  if (llmc_status status =
          onDevice->bringLogits(asked.size(), arena.data() + plan.bufferOffsets[module().logits_buffer]))
    return status;
  hasLogits = true;
  return LLMC_OK;
}

llmc_status Session::sample(int32_t row, Sampler &sampler, const char *function, llmc_token &token,
                            float *logprob) const {
  size_t index;
  if (llmc_status status = resolveRow(row, function, index))
    return status;
  return sampleFrom(index, sampler, token, logprob);
}

llmc_status Session::sampleFrom(size_t row, Sampler &sampler, llmc_token &token, float *logprob) const {
  if (const uint32_t wanted = sampler.wanted(); wanted && wanted <= nBest)
    return sampler.sample(onDevice->summaryOf(rowSummaries, row, nBest), token, logprob);
  if (llmc_status status = bringLogits())
    return status;
  return sampler.sample({logitsAt(row), vocab()}, token, logprob);
}

/// How many of each row's best logits are enough for those who will read them; 0: they need all.
uint32_t Session::wantedCandidates(const StepTokens &tokens) const {
  const uint32_t most = onDevice ? onDevice->mostCandidates() : 0;
  uint32_t result = tokens.reader ? tokens.reader->wanted() : 0;
  if (tokens.reader && !result)
    return 0;
  for (const RowSampler &entry : tokens.samplers) {
    const uint32_t wanted = entry.sampler->wanted();
    if (!wanted)
      return 0;
    result = std::max(result, wanted);
  }
  return result <= most ? result : 0;
}

const float *Session::logitsAt(size_t row) const {
  uint32_t buffer = module().logits_buffer;
  return reinterpret_cast<const float *>(arena.data() + plan.bufferOffsets[buffer] +
                                         row * module().buffers[buffer].row_bytes);
}

const float *Session::hiddenAt(size_t row) const {
  uint32_t buffer = module().hidden_buffer;
  if (module().buffers[buffer].rows == LLMC_ROWS_TOKENS)
    row = size_t(asked[row]);
  return reinterpret_cast<const float *>(arena.data() + plan.bufferOffsets[buffer] +
                                         row * module().buffers[buffer].row_bytes);
}

llmc_status Session::hiddenRow(int32_t row, const char *function, const float *&out) const {
  uint32_t buffer = module().hidden_buffer;
  if (buffer == LLMC_NONE)
    return setError(LLMC_EUNSUPPORTED, "%s: this model keeps no hidden rows, only logits (llmc_logits)",
                    function);
  size_t index;
  if (llmc_status status = resolveRow(row, function, index))
    return status;
  if (!outputRows[index].hasHidden)
    return setError(LLMC_ESTATE, "%s: the hidden row of row %d was not asked for (LLMC_OUT_HIDDEN)", function,
                    row);
  out = hiddenAt(index);
  return LLMC_OK;
}

llmc_status Session::embedding(llmc_seq seq, int32_t kind, const float *&out) const {
  if (module().hidden_buffer == LLMC_NONE)
    return setError(LLMC_EUNSUPPORTED,
                    "llmc_embedding: this model keeps no hidden rows, only logits (llmc_logits)");
  if (llmc_status status = pooling.pool(seq, cache.length(seq), kind, pooled))
    return status;
  out = pooled.data();
  return LLMC_OK;
}

llmc_status Session::sampled(int32_t row, const char *function, llmc_token &token, float &logprob) const {
  size_t index;
  if (llmc_status status = resolveRow(row, function, index))
    return status;
  if (outputRows[index].sampled < 0)
    return setError(LLMC_EARG, "%s: row %d had no sampler in the last step: name one with llmc_batch_sample",
                    function, row);
  token = outputRows[index].sampled;
  logprob = outputRows[index].logprob;
  return LLMC_OK;
}

int32_t Session::lastRow(llmc_seq seq) const {
  llmc_pos last = llmc_pos(cache.length(seq)) - 1;
  for (size_t i = outputRows.size(); hasOutputs && i > 0; --i)
    if (outputRows[i - 1].seq == seq && outputRows[i - 1].pos == last)
      return int32_t(i - 1);
  return -1;
}

void Session::dropAhead() {
  if (const llmc_seq seq = onDevice ? onDevice->dropAhead() : -1; seq >= 0)
    cache.truncate(seq, cache.length(seq));
}

void Session::truncate(llmc_seq seq, uint32_t length) {
  dropAhead();
  cache.truncate(seq, length);
  pooling.truncate(seq, length);
  for (OutputRow &row : outputRows)
    if (row.seq == seq && row.pos >= llmc_pos(length))
      row.seq = -1;
}

} // namespace llmc
