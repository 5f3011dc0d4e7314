// One step: check everything, take the pages, walk the dispatch table with all workers, then commit or undo.
#include "runtime/Sampler.h"
#include "runtime/StepRun.h"

#include <algorithm>
#include <deque>

namespace llmc {

llmc_status Session::checkTokens(std::span<const llmc_token> ids, const char *function) const {
  for (size_t i = 0; i < ids.size(); ++i)
    if (ids[i] < 0 || uint32_t(ids[i]) >= vocab())
      return setError(LLMC_EARG, "%s: token %zu is %d, the vocabulary has ids 0 to %u", function, i, ids[i],
                      vocab() - 1);
  return LLMC_OK;
}

llmc_status Session::reserveScratch(const uint64_t (&rows)[LLMC_ROW_SPACES], uint64_t nKeys,
                                    const char *function) {
  stepScratch.reset();
  uint64_t bytes = plan.scratchBytes, need, total;
  if (!scratchNeeded(module(), rows, nKeys, true, need))
    return setError(LLMC_ENOMEM, "%s: the scratch memory of this step does not fit in 64 bits", function);
  uint8_t *start = scratch.data();
  if (need > bytes) {
    bytes = need;
    if (!mulAdd(bytes, pool->size(), 0, total) ||
        !stepScratch.allocate(total, Region::Commit::Accounted, &allocator))
      return setError(
          LLMC_ENOMEM, "%s: no scratch memory for %llu tokens over %llu keys (%llu bytes a worker)", function,
          (unsigned long long)rows[LLMC_ROWS_TOKENS], (unsigned long long)nKeys, (unsigned long long)bytes);
    start = stepScratch.data();
  }
  for (size_t i = 0; i < scratchOf.size(); ++i)
    scratchOf[i] = start + i * bytes;
  return LLMC_OK;
}

/// Token rows with their positions, the asked list, and the keys if the module reads them.
void Session::buildRows(const StepTokens &tokens) {
  tokenRows.clear();
  asked.clear();
  std::vector<uint32_t> next(newTokens.size());
  for (size_t i = 0; i < tokens.ids.size(); ++i) {
    llmc_seq seq = tokens.seqs[i];
    bool isAsked = tokens.outputs[i] != 0;
    tokenRows.push_back({tokens.ids[i], seq, int32_t(cache.length(seq) + next[seq]++), isAsked});
    if (isAsked)
      asked.push_back(int32_t(i));
  }
  keys.clear();
  for (size_t seq = 0; module().uses_keys && seq < newTokens.size(); ++seq)
    for (uint32_t pos = 0; newTokens[seq] && pos < cache.length(llmc_seq(seq)) + newTokens[seq]; ++pos) {
      keys.push_back(int32_t(seq));
      keys.push_back(int32_t(pos));
    }
}

llmc_status Session::checkSamplers(const StepTokens &tokens, const char *function) const {
  for (const RowSampler &entry : tokens.samplers)
    if (entry.sampler->vocabulary() != vocab())
      return setError(LLMC_EARG, "%s: the sampler of row %d is for %u tokens, the session's model has %u",
                      function, entry.row, entry.sampler->vocabulary(), vocab());
  return LLMC_OK;
}

/// The tokens of the rows that have a sampler. On failure or interrupt all samplers stand where they stood.
llmc_status Session::chooseTokens(std::span<const RowSampler> samplers, std::vector<OutputRow> &rows,
                                  const char *function) {
  std::vector<uint64_t> before;
  for (const RowSampler &entry : samplers)
    before.push_back(entry.sampler->drawState());
  llmc_status status = LLMC_OK;
  for (size_t i = 0; status == LLMC_OK && i < samplers.size(); ++i) {
    OutputRow &row = rows[samplers[i].row];
    status = guarded(
        [&] { return sampleFrom(size_t(samplers[i].row), *samplers[i].sampler, row.sampled, &row.logprob); });
  }
  // An interrupt that came after the last meeting still belongs to this call.
  if (status == LLMC_OK && takeInterrupt())
    status = setError(LLMC_ECANCELLED, "%s: cancelled; the cache is as before", function);
  for (size_t i = 0; status != LLMC_OK && i < samplers.size(); ++i)
    samplers[i].sampler->setDrawState(before[i]);
  return status;
}

/// All that can be said of the tokens before anything is touched; counts those of each sequence.
llmc_status Session::checkStep(const StepTokens &tokens, const char *function) {
  const size_t n = tokens.ids.size();
  if (n == 0)
    return setError(LLMC_EARG, "%s: no tokens to evaluate", function);
  if (n > plan.nBatch)
    return setError(LLMC_EARG, "%s: %zu tokens exceed n_batch = %u", function, n, plan.nBatch);
  if (llmc_status status = checkTokens(tokens.ids, function))
    return status;
  std::fill(newTokens.begin(), newTokens.end(), 0);
  for (size_t i = 0; i < n; ++i) {
    if (llmc_status status = checkSequence(tokens.seqs[i], function))
      return status;
    ++newTokens[tokens.seqs[i]];
    if ((tokens.outputs[i] & LLMC_OUT_HIDDEN) && module().hidden_buffer == LLMC_NONE)
      return setError(LLMC_EUNSUPPORTED, "%s: this model keeps no hidden rows, only logits", function);
  }
  return checkSamplers(tokens, function);
}

/// Each sampler once, however many rows it has.
static llmc_status holdSamplers(std::span<const RowSampler> samplers, std::deque<BusyGuard> &held,
                                const char *function) {
  for (size_t i = 0; i < samplers.size(); ++i) {
    const Sampler *sampler = samplers[i].sampler;
    if (std::any_of(samplers.begin(), samplers.begin() + i,
                    [&](const RowSampler &entry) { return entry.sampler == sampler; }))
      continue;
    if (!held.emplace_back(sampler->busy))
      return setError(LLMC_EBUSY, "%s: the sampler of row %d is in use by another call", function,
                      samplers[i].row);
  }
  return LLMC_OK;
}

/// Whether this very step is what a device has begun ahead.
bool Session::isUnderWay(const StepTokens &tokens) const {
  return onDevice && tokens.reader && tokens.ids.size() == 1 &&
         onDevice->isAhead(tokens.ids[0], tokens.seqs[0], llmc_pos(cache.length(tokens.seqs[0])));
}

/// Whether a device may begin with the step behind this one: the reader will take the first candidate in any
/// case, there is room, and nobody looks at the steps one by one.
bool Session::mayBeFollowed(const StepTokens &tokens, const llmc_step &step) const {
  return tokens.isFollowed && step.rows[LLMC_ROWS_TOKENS] == 1 && step.n_best == 1 && !module().uses_keys &&
         !observer && !profile && hasRoom(tokens.seqs[0], 2);
}

/// What the kernels are told. Everything that can run out of memory is here, before the first page is taken.
llmc_status Session::prepareStep(const StepTokens &tokens, llmc_step &step, uint64_t &nKeys, bool &isFollowed,
                                 std::vector<OutputRow> &rows, const char *function) {
  buildRows(tokens);
  bool anyHidden = false;
  for (int32_t index : asked) {
    const bool hasHidden = tokens.outputs[index] & LLMC_OUT_HIDDEN;
    rows.push_back({tokenRows[index].seq, tokenRows[index].pos, hasHidden});
    anyHidden |= hasHidden;
    if (hasHidden)
      pooling.prepare(tokenRows[index].seq);
  }
  nKeys = 0;
  for (size_t seq = 0; seq < newTokens.size(); ++seq)
    if (newTokens[seq])
      nKeys += cache.length(llmc_seq(seq)) + newTokens[seq];
  step = {};
  step.rows[LLMC_ROWS_TOKENS] = tokens.ids.size();
  step.rows[LLMC_ROWS_ASKED] = asked.size();
  step.rows[LLMC_ROWS_KEYS] = module().uses_keys ? nKeys : 0;
  step.rows[LLMC_ROWS_HIDDEN] = anyHidden ? asked.size() : 0;
  step.n_best = asked.empty() ? 0 : wantedCandidates(tokens);
  step.tokens = tokenRows.data();
  step.asked = asked.data();
  step.keys = keys.data();
  step.kv = cache.pools();
  isFollowed = onDevice && mayBeFollowed(tokens, step) &&
               onDevice->reserve(step, nKeys, /*ahead=*/1, function) == LLMC_OK; // else without
  if (llmc_status status = onDevice ? onDevice->reserve(step, nKeys, /*ahead=*/0, function)
                                    : reserveScratch(step.rows, nKeys, function))
    return status;
  step.scratch = scratchOf.data();
  step.count_load = countLoad;
  step.count_load_data = countLoadData;
  return LLMC_OK;
}

/// The pages of a step, kept or given back.
void Session::settlePages(bool isKept) {
  if (!isKept)
    dropAhead();
  for (size_t seq = 0; seq < newTokens.size(); ++seq) {
    if (!newTokens[seq])
      continue;
    if (isKept)
      cache.commit(llmc_seq(seq), newTokens[seq]);
    if (!isKept || (onDevice && !onDevice->hasAhead())) // one that did not begin may have a page, too
      cache.truncate(llmc_seq(seq), cache.length(llmc_seq(seq)));
  }
}

llmc_status Session::runStep(StepRun &run, const llmc_step &step, uint64_t nKeys, bool isFollowed,
                             const char *function) {
  if (onDevice) {
    if (profile)
      profile->beginStep(step, nKeys);
    const llmc_status status = guarded([&] { return onDevice->run(*this, run, step, isFollowed, function); });
    if (profile)
      profile->endStep(status == LLMC_OK);
    return status;
  }
  return run.run() ? LLMC_OK : setError(LLMC_ECANCELLED, "%s: cancelled; the cache is as before", function);
}

llmc_status Session::eval(const StepTokens &tokens, const char *function) {
  if (llmc_status status = checkStep(tokens, function))
    return status;
  std::deque<BusyGuard> samplersInUse;
  if (llmc_status status = holdSamplers(tokens.samplers, samplersInUse, function))
    return status;
  if (!isUnderWay(tokens))
    dropAhead();
  if (llmc_status status = cache.checkRoom(newTokens))
    return status;
  if (takeInterrupt())
    return setError(LLMC_ECANCELLED, "%s: interrupted", function);
  llmc_step step;
  uint64_t nKeys;
  bool isFollowed;
  std::vector<OutputRow> rows;
  hasOutputs = false; // their rows are found through what is overwritten now
  if (llmc_status status = prepareStep(tokens, step, nKeys, isFollowed, rows, function))
    return status;
  StepRun run(*this, step, nKeys);

  for (size_t seq = 0; seq < newTokens.size(); ++seq)
    if (newTokens[seq])
      cache.extend(llmc_seq(seq), newTokens[seq] + isFollowed);
  nBest = step.n_best;
  hasLogits = nBest == 0;
  llmc_status status = runStep(run, step, nKeys, isFollowed, function);
  stepScratch.reset();
  ++nSteps;
  if (status == LLMC_OK)
    status = guarded([&] { return chooseTokens(tokens.samplers, rows, function); });
  settlePages(status == LLMC_OK);
  if (status != LLMC_OK)
    return status;
  outputRows = std::move(rows);
  for (size_t i = 0; i < outputRows.size(); ++i)
    if (outputRows[i].hasHidden)
      pooling.add(outputRows[i].seq, outputRows[i].pos, hiddenAt(i));
  hasOutputs = true;
  return LLMC_OK;
}

llmc_status Session::prefill(llmc_seq seq, std::span<const llmc_token> ids, const char *function) {
  if (llmc_status status = checkSequence(seq, function))
    return status;
  if (ids.empty())
    return setError(LLMC_EARG, "%s: no tokens to evaluate", function);
  if (llmc_status status = checkTokens(ids, function))
    return status;
  std::fill(newTokens.begin(), newTokens.end(), 0);
  newTokens[seq] = uint32_t(std::min<size_t>(ids.size(), UINT32_MAX));
  if (llmc_status status = cache.checkRoom(newTokens))
    return status;
  std::vector<llmc_seq> seqs(std::min<size_t>(ids.size(), plan.nBatch), seq);
  std::vector<uint8_t> outputs(seqs.size(), LLMC_OUT_NONE);
  for (size_t done = 0; done < ids.size();) {
    size_t n = std::min<size_t>(ids.size() - done, plan.nBatch);
    if (done + n == ids.size())
      outputs[n - 1] = LLMC_OUT_LAST;
    if (llmc_status status = eval({ids.subspan(done, n), {seqs.data(), n}, {outputs.data(), n}}, function))
      return status;
    done += n;
  }
  return LLMC_OK;
}

} // namespace llmc
