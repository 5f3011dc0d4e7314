#include "runtime/device/DeviceStep.h"

#include "runtime/Sampler.h"
#include "runtime/StepRun.h"

#include <algorithm>
#include <bit>

namespace llmc {

constexpr uint64_t mostRecordedTokens = 16; // a longer step takes longer than its launches

DeviceStep::~DeviceStep() {
  if (!model)
    return;
  std::lock_guard lock(model->device().mutex);
  model->device().enter();
  recorded.clear();
}

llmc_status DeviceStep::create(DeviceModel &newModel, const WorkspacePlan &newPlan, const KVCache &cache) {
  model = &newModel;
  plan = &newPlan;
  Device &device = model->device();
  std::lock_guard lock(device.mutex);
  if (llmc_status status = device.enter())
    return status;
  const llmc_module &module = *model->program().program;
  const uint64_t nKeys = module.uses_keys ? plan->cache.nTokens : 0;
  const uint64_t mostRows[LLMC_ROW_SPACES] = {plan->nBatch, plan->nBatch, nKeys, plan->nBatch};
  if (llmc_status status = createBuffers(mostRows))
    return status;
  if (llmc_status status = launches.create(*model, addresses))
    return status;
  if (llmc_status status = scratch.create(*model, launches.scratchBlocks(mostRows)))
    return status;
  if (llmc_status status = head.create(device, module, *plan, cache))
    return status;
  return results.create(*model, *plan, addresses);
}

llmc_status DeviceStep::createBuffers(const uint64_t (&mostRows)[LLMC_ROW_SPACES]) {
  const llmc_module &module = *model->program().program;
  buffers.resize(module.n_buffers);
  for (uint32_t i = 0; i < module.n_buffers; ++i) {
    const llmc_buffer &buffer = module.buffers[i];
    const char *name = buffer.name == LLMC_NONE ? "a buffer" : module.strings + buffer.name;
    if (llmc_status status =
            buffers[i].allocate(model->device(), mostRows[buffer.rows] * buffer.row_bytes, name))
      return status;
    for (std::vector<DeviceAddress> &of : addresses)
      of.push_back(buffers[i].address());
  }
  return LLMC_OK;
}

llmc_status DeviceStep::reserve(const llmc_step &step, uint64_t nKeys, const char *function) {
  if (step.n_best)
    if (llmc_status status = results.reserveCandidates(step.rows[LLMC_ROWS_ASKED], launches))
      return status;
  return scratch.reserve(step, nKeys, function);
}

StepShape DeviceStep::shapeOf(const llmc_step &step, uint32_t turn) const {
  StepShape shape = {};
  std::copy_n(step.rows, LLMC_ROW_SPACES, shape.rows);
  for (uint64_t i = 0; i < step.rows[LLMC_ROWS_TOKENS]; ++i)
    shape.keys = std::max<uint64_t>(shape.keys, uint64_t(step.tokens[i].pos) + 1);
  shape.chooses = step.n_best != 0;
  shape.turn = turn;
  return shape;
}

/// What the step before has computed counts no more.
void DeviceStep::forget(uint32_t turn) {
  for (const DeviceMemory &buffer : buffers)
    model->device().forget(buffer.address(), buffer.size());
  results.forget(turn);
}

/// Asks the device for all of the step. With `walk`, for an observer or a profile, it rests after each
/// dispatch.
llmc_status DeviceStep::begin(Session &session, StepRun *walk, const llmc_step &step, const StepShape &shape,
                              const char *function) {
  Device &device = model->device();
  auto clear = [&](const uint8_t *page, uint64_t bytes) { return device.clear(DeviceAddress(page), bytes); };
  if (llmc_status status = session.cache.takeDirtyPages(clear))
    return status;
  forget(shape.turn);
  const StepHead::Places places{scratch.list(), results.candidates(shape.turn), results.chosen()};
  if (llmc_status status = head.upload(session.cache, step, places, shape.turn))
    return status;
  if (walk || step.rows[LLMC_ROWS_TOKENS] > mostRecordedTokens)
    return launchAll(session, walk, shape, function);
  // More blocks than rows and keys ask for do no harm.
  StepShape alike = shape;
  alike.keys = std::bit_ceil(shape.keys);
  alike.rows[LLMC_ROWS_KEYS] = std::bit_ceil(shape.rows[LLMC_ROWS_KEYS]) * (shape.rows[LLMC_ROWS_KEYS] > 0);
  return recorded.run(device, alike, [&] { return launchAll(session, nullptr, alike, function); });
}

llmc_status DeviceStep::launchAll(Session &session, StepRun *walk, const StepShape &shape,
                                  const char *function) {
  const llmc_module &module = *model->program().program;
  Profile::Slot *slots = session.profile && walk ? session.profile->take(0) : nullptr;
  for (uint32_t i = 0; i < module.n_dispatches; ++i) {
    const llmc_dispatch &dispatch = module.dispatches[i];
    if (!plan->runs(dispatch) || shape.rows[dispatch.rows] == 0)
      continue;
    if (session.takeInterrupt())
      return setError(LLMC_ECANCELLED, "%s: cancelled; the cache is as before", function);
    if (slots)
      slots[i].begin = Profile::now();
    if (llmc_status status = launches.dispatch(dispatch, shape, head.address()))
      return status;
    if (!walk)
      continue;
    if (llmc_status status = model->device().synchronize())
      return status;
    if (slots)
      slots[i].end = Profile::now();
    if (session.observer)
      if (llmc_status status = observe(*walk, i, shape.turn, function))
        return status;
  }
  if (shape.chooses)
    if (llmc_status status = launches.choose(shape, head.address()))
      return status;
  return results.queueCopies(shape);
}

llmc_status DeviceStep::observe(StepRun &walk, uint32_t dispatch, uint32_t turn, const char *function) {
  llmc_status status = LLMC_OK;
  walk.eachResult(dispatch, [&](uint32_t buffer, uint64_t rows, uint8_t *to) {
    if (status == LLMC_OK)
      status = results.fetch(buffer, turn, rows, to);
  });
  if (status == LLMC_OK && !walk.observe(dispatch))
    status = setError(LLMC_ECANCELLED, "%s: cancelled; the cache is as before", function);
  return status;
}

llmc_status DeviceStep::bringLogits(uint64_t rows, uint8_t *to) {
  Device &device = model->device();
  std::lock_guard lock(device.mutex);
  if (llmc_status status = device.enter())
    return status;
  return results.fetch(model->program().program->logits_buffer, 0, rows, to);
}

RowSummary DeviceStep::summaryOf(std::span<const uint8_t> summaries, size_t row, uint64_t nBest) const {
  const llmc_device_sampling &sampling = model->program().sampling;
  const uint8_t *start = summaries.data() + row * sampling.row_bytes;
  return {{reinterpret_cast<const llmc_candidate *>(start), nBest},
          {reinterpret_cast<const float *>(start + sampling.most * sizeof(llmc_candidate)), sampling.n_sums}};
}

llmc_status DeviceStep::runEntered(Session &session, StepRun &walk, const llmc_step &step,
                                   const char *function) {
  const StepShape shape = shapeOf(step, 0);
  const bool isWatched = session.observer || session.profile;
  if (llmc_status status = begin(session, isWatched ? &walk : nullptr, step, shape, function))
    return status;
  if (llmc_status status = model->device().synchronize())
    return status;
  return results.read(shape, session.arena.data(), session.rowSummaries);
}

llmc_status DeviceStep::run(Session &session, StepRun &walk, const llmc_step &step, const char *function) {
  Device &device = model->device();
  std::lock_guard lock(device.mutex);
  if (llmc_status status = device.enter())
    return status;
  llmc_status status;
  try {
    status = runEntered(session, walk, step, function);
  } catch (...) { // nothing of the step is under way when its pages are given back
    device.synchronize();
    throw;
  }
  if (status == LLMC_OK)
    return LLMC_OK;
  const std::string sentence = lastError();
  device.synchronize(); // as above
  return setError(status, "%s", sentence.c_str());
}

} // namespace llmc
