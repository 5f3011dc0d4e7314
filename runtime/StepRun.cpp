// Dispatches, barriers, what an observer sees and what a profile notes.
#include "runtime/StepRun.h"

namespace llmc {

StepRun::StepRun(Session &session, const llmc_step &step, uint64_t nKeys)
    : session(session), step(step), model(*session.owner), nKeys(nKeys) {
  if (!session.observer)
    return;
  auto tokenOf = [&](uint64_t i) {
    return llmc_row_token{step.tokens[i].id, step.tokens[i].seq, step.tokens[i].pos};
  };
  for (uint64_t i = 0; i < step.rows[LLMC_ROWS_TOKENS]; ++i)
    rowTokens[LLMC_ROWS_TOKENS].push_back(tokenOf(i));
  for (uint64_t i = 0; i < step.rows[LLMC_ROWS_ASKED]; ++i)
    rowTokens[LLMC_ROWS_ASKED].push_back(tokenOf(uint64_t(step.asked[i])));
  if (step.rows[LLMC_ROWS_HIDDEN])
    rowTokens[LLMC_ROWS_HIDDEN] = rowTokens[LLMC_ROWS_ASKED];
  for (uint64_t i = 0; i < step.rows[LLMC_ROWS_KEYS]; ++i)
    rowTokens[LLMC_ROWS_KEYS].push_back({-1, step.keys[2 * i], step.keys[2 * i + 1]});
}

bool StepRun::run() {
  if (session.profile)
    session.profile->beginStep(step, nKeys);
  session.shares.deal(model.tables(), step);
  session.pool->run(
      [](void *self, uint32_t worker, uint32_t n) { static_cast<StepRun *>(self)->work(worker, n); }, this);
  const bool isDone = stopAt.load(std::memory_order_relaxed) == never;
  if (session.profile)
    session.profile->endStep(isDone);
  return isDone;
}

bool StepRun::meet(uint32_t worker, uint32_t &meetings) {
  uint32_t here = meetings++;
  if (worker == 0 && stopAt.load(std::memory_order_relaxed) == never && session.takeInterrupt())
    stopAt.store(here, std::memory_order_relaxed);
  session.pool->barrier(worker);
  return stopAt.load(std::memory_order_relaxed) > here;
}

void StepRun::work(uint32_t worker, uint32_t nWorkers) {
  const llmc_module &tables = model.tables();
  Profile::Slot *slots = session.profile ? session.profile->take(worker) : nullptr;
  uint32_t meetings = 0;
  for (uint32_t i = 0; i < tables.n_dispatches; ++i) {
    const llmc_dispatch &dispatch = tables.dispatches[i];
    if (!session.plan.runs(dispatch))
      continue; // another row does its work
    // Also before a row that is skipped: later rows may rely on its barrier.
    if (dispatch.barrier && !meet(worker, meetings))
      return;
    uint64_t rows = step.rows[dispatch.rows];
    if (rows == 0)
      continue;
    const llmc_kernel_entry &kernel = model.kernel(dispatch.kernel);
    const void *const *args = session.args.data() + dispatch.first_arg;
    if (slots)
      slots[i].begin = Profile::now();
    if (kernel.prepare && rows >= tables.kernels[dispatch.kernel].prepare_min_rows) {
      const llmc_share share = {worker, nWorkers, worker, 0};
      kernel.prepare(&step, args, &share);
      const uint64_t arrived = slots ? Profile::now() : 0;
      if (!meet(worker, meetings))
        return;
      if (slots)
        slots[i].waited = Profile::now() - arrived;
    }
    runShares(i, worker, nWorkers);
    if (slots)
      slots[i].end = Profile::now();
    if (session.observer) {
      if (!meet(worker, meetings))
        return;
      if (worker == 0 && !observe(i))
        stopAt.store(meetings, std::memory_order_relaxed);
      if (!meet(worker, meetings))
        return;
    }
  }
}

void StepRun::runShares(uint32_t index, uint32_t worker, uint32_t nWorkers) {
  const llmc_dispatch &dispatch = model.tables().dispatches[index];
  const llmc_kernel_entry &kernel = model.kernel(dispatch.kernel);
  const void *const *args = session.args.data() + dispatch.first_arg;
  llmc_share share = {worker, nWorkers, worker, 0};
  if (uint32_t count = session.shares.count(index)) {
    share.count = count;
    for (; session.shares.take(index, worker, share.number); share.is_again = 1)
      kernel.run(&step, args, &share);
  } else {
    kernel.run(&step, args, &share);
  }
}

bool StepRun::observe(uint32_t index) {
  const llmc_module &tables = model.tables();
  const llmc_dispatch &dispatch = tables.dispatches[index];
  llmc_dispatch_info info = {};
  info.struct_size = sizeof(info);
  info.kernel = model.string(tables.kernels[dispatch.kernel].name);
  info.location = model.string(dispatch.location);
  info.dispatch = index;
  info.layer = dispatch.layer;
  info.step = session.nSteps;
  if (dispatch.output == LLMC_NONE)
    return session.observer(&info, session.observerData);
  bool goesOn = true;
  forEachResult(tables, dispatch, [&](const DispatchResult &result) {
    const llmc_buffer &buffer = tables.buffers[result.buffer];
    const int64_t shape[2] = {int64_t(step.rows[buffer.rows]), int64_t(buffer.row_bytes / 4)};
    info.value = result.name;
    info.columns = result.columns;
    info.buffer = model.string(buffer.name);
    info.data = session.arena.data() + session.plan.bufferOffsets[result.buffer];
    info.shape = shape;
    info.rank = 2;
    info.dtype = LLMC_KV_F32;
    info.row_space = buffer.rows;
    info.row_tokens = rowTokens[buffer.rows].data();
    goesOn = goesOn && session.observer(&info, session.observerData);
    ++info.result;
  });
  return goesOn;
}

} // namespace llmc
