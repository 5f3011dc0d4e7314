// Making a session, and reading what its last step left.
#include "runtime/Session.h"

namespace llmc {

Session::~Session() { llmc_model_release(owner); }

const llmc_module &Session::module() const { return owner->tables(); }

llmc_status Session::create(llmc_model *model, const llmc_session_params *params) {
  llmc_session_params resolved;
  if (llmc_status status = planWorkspace(*model, params, "llmc_session_new", plan, resolved))
    return status;
  if (llmc_status status = model->pool(pool))
    return status;
  const llmc_module &tables = model->tables();
  if (llmc_status status = cache.create({tables.caches, tables.n_caches}, plan.cache, resolved.allocator))
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
      args[i] = model->weights() + arg.value;
    else
      args[i] = reinterpret_cast<const void *>(uintptr_t(arg.value));
  }
  scratchOf.resize(pool->size());
  newTokens.resize(plan.cache.nSeqs);
  owner = llmc_model_retain(model);
  return LLMC_OK;
}

llmc_status Session::checkSequence(llmc_seq seq, const char *function) const {
  if (!cache.isSequence(seq))
    return setError(LLMC_ENOTFOUND, "%s: there is no sequence %d", function, seq);
  return LLMC_OK;
}

bool Session::hasRoom(llmc_seq seq, uint32_t n) const {
  std::vector<uint32_t> counts(plan.cache.nSeqs);
  counts[seq] = n;
  return cache.checkRoom(counts) == LLMC_OK;
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
  uint32_t buffer = module().logits_buffer;
  out = reinterpret_cast<const float *>(arena.data() + plan.bufferOffsets[buffer] +
                                        index * module().buffers[buffer].row_bytes);
  return LLMC_OK;
}

llmc_status Session::hiddenRow(int32_t row, const char *function, const float *&out) const {
  uint32_t buffer = module().hidden_buffer;
  if (buffer == LLMC_NONE)
    return setError(LLMC_EUNSUPPORTED, "%s: this model keeps no hidden rows, only logits (llmc_logits)",
                    function);
  size_t index;
  if (llmc_status status = resolveRow(row, function, index))
    return status;
  if (module().buffers[buffer].rows == LLMC_ROWS_TOKENS)
    index = size_t(asked[index]);
  out = reinterpret_cast<const float *>(arena.data() + plan.bufferOffsets[buffer] +
                                        index * module().buffers[buffer].row_bytes);
  return LLMC_OK;
}

int32_t Session::lastRow(llmc_seq seq) const {
  llmc_pos last = llmc_pos(cache.length(seq)) - 1;
  for (size_t i = outputRows.size(); hasOutputs && i > 0; --i)
    if (outputRows[i - 1].seq == seq && outputRows[i - 1].pos == last)
      return int32_t(i - 1);
  return -1;
}

void Session::forgetRows(llmc_seq seq, uint32_t length) {
  for (OutputRow &row : outputRows)
    if (row.seq == seq && row.pos >= llmc_pos(length))
      row.seq = -1;
}

} // namespace llmc
