// The session, evaluation and cache functions of the C API.
#include "runtime/Batch.h"
#include "runtime/Sampler.h"
#include "runtime/SizedStruct.h"

using namespace llmc;

void llmc_session_params_init(llmc_session_params *params, size_t struct_size) {
  initSized(params, struct_size, llmc_session_params{});
}

static llmc_status planOnDevice(const llmc_model &model, const WorkspacePlan &workspace,
                                llmc_memory_plan &out, bool &fits) {
  DevicePlan plan;
  if (llmc_status status = planDevice(*model.programOnDevice(), workspace, "llmc_plan", plan))
    return status;
  out.weights = model.contents.weights.size();
  out.kv = plan.kv;
  out.workspace = plan.device - plan.kv;
  out.pinned = plan.pinned;
  fits = Region::rounded(workspace.arenaBytes, out.host) && mulAdd(model.copyBytes(), 1, out.host, out.host);
  return LLMC_OK;
}

static bool planOnCpu(const llmc_model &model, const WorkspacePlan &workspace, llmc_memory_plan &out) {
  const uint64_t copied = model.copyBytes();
  out.weights = copied ? copied : model.contents.weights.size();
  out.kv = workspace.cacheBytes;
  uint64_t arena, scratch;
  return Region::rounded(workspace.arenaBytes, arena) &&
         mulAdd(workspace.scratchBytes, model.threads(), 0, scratch) && Region::rounded(scratch, scratch) &&
         mulAdd(arena, 1, scratch, out.workspace);
}

llmc_status llmc_plan(const llmc_model *model, const llmc_session_params *params, llmc_memory_plan *out) {
  LLMC_CHECK_ARG(model);
  LLMC_CHECK_ARG(out);
  return guarded([&]() -> llmc_status {
    WorkspacePlan workspace;
    llmc_session_params resolved;
    if (llmc_status status = planWorkspace(model->tables(), params, "llmc_plan", workspace, resolved))
      return status;
    llmc_memory_plan plan = {};
    bool fits = true;
    if (!model->programOnDevice())
      fits = planOnCpu(*model, workspace, plan);
    else if (llmc_status status = planOnDevice(*model, workspace, plan, fits))
      return status;
    uint64_t sum = 0;
    for (uint64_t bytes : {plan.weights, plan.kv, plan.workspace, plan.pinned, plan.host})
      fits = fits && mulAdd(bytes, 1, sum, sum);
    if (!fits)
      return setError(LLMC_ENOMEM, "llmc_plan: the sizes of this session do not fit in 64 bits");
    return writeSized("llmc_plan", plan, out);
  });
}

llmc_status llmc_session_new(llmc_model *model, const llmc_session_params *params, llmc_session **out) {
  LLMC_CHECK_ARG(model);
  LLMC_CHECK_ARG(out);
  if (model->isPlanOnly())
    return setError(LLMC_ESTATE, "llmc_session_new: the model was loaded to be planned only "
                                 "(LLMC_LOAD_PLAN_ONLY)");
  return guarded([&]() -> llmc_status {
    auto session = std::make_unique<llmc_session>();
    if (llmc_status status = session->create(model, params))
      return status;
    *out = session.release();
    return LLMC_OK;
  });
}

void llmc_session_free(llmc_session *session) { delete session; }

void llmc_session_interrupt(llmc_session *session) {
  if (session)
    session->interrupted.store(true, std::memory_order_relaxed);
}

llmc_status llmc_session_observe(llmc_session *session, llmc_observer_fn observer, void *ud) {
  LLMC_CHECK_ARG(session);
  LLMC_ENTER(session, session);
  session->observer = observer;
  session->observerData = ud;
  return LLMC_OK;
}

llmc_status llmc_seq_new(llmc_session *session, llmc_seq *out) {
  LLMC_CHECK_ARG(session);
  LLMC_CHECK_ARG(out);
  LLMC_ENTER(session, session);
  return session->cache.newSequence(*out);
}

llmc_status llmc_seq_free(llmc_session *session, llmc_seq seq) {
  LLMC_CHECK_ARG(session);
  LLMC_ENTER(session, session);
  if (llmc_status status = session->checkSequence(seq, __func__))
    return status;
  session->truncate(seq, 0);
  session->cache.freeSequence(seq);
  return LLMC_OK;
}

llmc_pos llmc_seq_len(const llmc_session *session, llmc_seq seq) {
  llmc_pos next = -1;
  llmc_seq_range(session, seq, nullptr, &next);
  return next;
}

llmc_status llmc_seq_range(const llmc_session *session, llmc_seq seq, llmc_pos *out_min, llmc_pos *out_next) {
  LLMC_CHECK_ARG(session);
  LLMC_ENTER(session, session);
  if (llmc_status status = session->checkSequence(seq, __func__))
    return status;
  if (out_min)
    *out_min = 0;
  if (out_next)
    *out_next = llmc_pos(session->cache.length(seq));
  return LLMC_OK;
}

llmc_status llmc_eval(llmc_session *session, const llmc_batch *batch) {
  LLMC_CHECK_ARG(session);
  LLMC_CHECK_ARG(batch);
  LLMC_ENTER(session, session);
  LLMC_ENTER(batch, batch);
  return guarded([&] { return session->eval(batch->tokens(), "llmc_eval"); });
}

llmc_status llmc_prefill(llmc_session *session, llmc_seq seq, const llmc_token *tokens, size_t n) {
  LLMC_CHECK_ARG(session);
  if (n)
    LLMC_CHECK_ARG(tokens);
  LLMC_ENTER(session, session);
  return guarded([&] { return session->prefill(seq, {tokens, n}, "llmc_prefill"); });
}

llmc_status llmc_decode(llmc_session *session, llmc_seq seq, llmc_token token) {
  LLMC_CHECK_ARG(session);
  LLMC_ENTER(session, session);
  return guarded([&] { return session->prefill(seq, {&token, 1}, "llmc_decode"); });
}

llmc_status llmc_logits(const llmc_session *session, int32_t row, const float **out, size_t *n_vocab) {
  LLMC_CHECK_ARG(session);
  LLMC_CHECK_ARG(out);
  LLMC_ENTER(session, session);
  if (llmc_status status = session->logits(row, __func__, *out))
    return status;
  if (n_vocab)
    *n_vocab = session->vocab();
  return LLMC_OK;
}

llmc_status llmc_logprobs(const llmc_session *session, int32_t row, size_t k, llmc_token *out_tok,
                          float *out_logprob) {
  LLMC_CHECK_ARG(session);
  LLMC_CHECK_ARG(out_tok);
  LLMC_ENTER(session, session);
  if (k == 0 || k > session->vocab())
    return setError(LLMC_EARG, "llmc_logprobs: k is %zu, expected 1 to %u", k, session->vocab());
  const float *logits;
  if (llmc_status status = session->logits(row, __func__, logits))
    return status;
  return guarded([&] {
    topLogprobs({logits, session->vocab()}, k, out_tok, out_logprob);
    return LLMC_OK;
  });
}

llmc_status llmc_hidden(const llmc_session *session, int32_t row, const float **out, size_t *n) {
  LLMC_CHECK_ARG(session);
  LLMC_CHECK_ARG(out);
  LLMC_ENTER(session, session);
  if (llmc_status status = session->hiddenRow(row, __func__, *out))
    return status;
  if (n)
    *n = session->model().tables().hidden;
  return LLMC_OK;
}

llmc_status llmc_embedding(const llmc_session *session, llmc_seq seq, int32_t pooling, const float **out,
                           size_t *n) {
  LLMC_CHECK_ARG(session);
  LLMC_CHECK_ARG(out);
  LLMC_ENTER(session, session);
  if (llmc_status status = session->checkSequence(seq, __func__))
    return status;
  return guarded([&] {
    llmc_status status = session->embedding(seq, pooling, *out);
    if (status == LLMC_OK && n)
      *n = session->model().tables().hidden;
    return status;
  });
}

llmc_status llmc_sampled(const llmc_session *session, int32_t row, llmc_token *out, float *out_logprob) {
  LLMC_CHECK_ARG(session);
  LLMC_CHECK_ARG(out);
  LLMC_ENTER(session, session);
  float logprob = 0;
  if (llmc_status status = session->sampled(row, __func__, *out, logprob))
    return status;
  if (out_logprob)
    *out_logprob = logprob;
  return LLMC_OK;
}

llmc_status llmc_kv_remove(llmc_session *session, llmc_seq seq, llmc_pos p0, llmc_pos p1) {
  LLMC_CHECK_ARG(session);
  LLMC_ENTER(session, session);
  if (llmc_status status = session->checkSequence(seq, __func__))
    return status;
  const llmc_pos length = llmc_pos(session->cache.length(seq));
  const llmc_pos end = p1 == -1 ? length : p1;
  if (p0 < 0 || end < p0 || end > length)
    return setError(LLMC_EARG, "llmc_kv_remove: positions %d to %d are not within the %d of sequence %d", p0,
                    p1, length, seq);
  if (p0 == end)
    return LLMC_OK;
  if (end != length)
    return setError(
        LLMC_EUNSUPPORTED,
        "llmc_kv_remove: positions %d to %d leave a gap: this build removes only the end of a sequence "
        "(p1 = -1 or %d)",
        p0, p1, length);
  session->truncate(seq, uint32_t(p0));
  return LLMC_OK;
}

llmc_status llmc_kv_get_stats(const llmc_session *session, llmc_kv_stats *out) {
  LLMC_CHECK_ARG(session);
  LLMC_CHECK_ARG(out);
  LLMC_ENTER(session, session);
  llmc_kv_stats stats = {};
  session->cache.stats(stats);
  return writeSized(__func__, stats, out);
}

llmc_status llmc_kv_save(llmc_session *session, llmc_seq seq, llmc_write_fn write, void *ud) {
  LLMC_CHECK_ARG(session);
  LLMC_CHECK_ARG(write);
  LLMC_ENTER(session, session);
  return guarded([&] { return session->save(seq, write, ud); });
}

llmc_status llmc_kv_load(llmc_session *session, llmc_read_fn read, void *ud, llmc_seq *out) {
  LLMC_CHECK_ARG(session);
  LLMC_CHECK_ARG(read);
  LLMC_CHECK_ARG(out);
  LLMC_ENTER(session, session);
  return guarded([&] { return session->load(read, ud, *out); });
}

// What this build cannot do yet. Each message names what can.

llmc_status llmc_encode(llmc_session *session, llmc_seq, const llmc_token *, size_t) {
  LLMC_CHECK_ARG(session);
  return setError(LLMC_EUNSUPPORTED, "llmc_encode: this model has no encoder: use llmc_prefill");
}

llmc_status llmc_encode_batch(llmc_session *session, const llmc_batch *batch) {
  LLMC_CHECK_ARG(session);
  LLMC_CHECK_ARG(batch);
  return setError(LLMC_EUNSUPPORTED, "llmc_encode_batch: this model has no encoder: use llmc_eval");
}

llmc_status llmc_kv_fork(llmc_session *session, llmc_seq, llmc_pos, llmc_seq *dst) {
  LLMC_CHECK_ARG(session);
  LLMC_CHECK_ARG(dst);
  return setError(LLMC_EUNSUPPORTED, "llmc_kv_fork: forks are not in this build: prefill a new sequence");
}

llmc_status llmc_kv_shift(llmc_session *session, llmc_seq, llmc_pos, llmc_pos, llmc_pos) {
  LLMC_CHECK_ARG(session);
  return setError(LLMC_EUNSUPPORTED,
                  "llmc_kv_shift: shifting is not in this build: llmc_kv_remove the end and prefill again");
}
