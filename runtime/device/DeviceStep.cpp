#include "runtime/device/DeviceStep.h"

#include "runtime/Sampler.h"
#include "runtime/StepRun.h"

#include <algorithm>
#include <bit>

namespace llmc {

constexpr uint64_t mostRecordedTokens = 16; // a guess: README.md

DeviceStep::~DeviceStep() {
  if (!model)
    return;
  DeviceUse use(model->device());
  if (ahead || isSurplusUnderWay)
    model->device().synchronize();
  for (std::unique_ptr<DeviceMark> &mark : marks)
    mark.reset();
  recorded.clear();
}

llmc_status DeviceStep::create(DeviceModel &newModel, const WorkspacePlan &newWorkspace,
                               const KVCache &cache) {
  if (llmc_status status = planDevice(newModel.program(), newWorkspace, "llmc_session_new", plan))
    return status;
  model = &newModel;
  workspace = &newWorkspace;
  Device &device = model->device();
  DeviceUse use(device);
  if (llmc_status status = use.status())
    return status;
  for (std::unique_ptr<DeviceMark> &mark : marks)
    if (llmc_status status = device.newMark(mark))
      return status;
  if (llmc_status status = createBuffers())
    return status;
  if (llmc_status status = launches.create(*model, plan, addresses))
    return status;
  if (llmc_status status = scratch.create(*model, plan))
    return status;
  if (llmc_status status = head.create(device, *model->program().program, plan, cache))
    return status;
  return results.create(*model, *workspace, plan, addresses);
}

llmc_status DeviceStep::createBuffers() {
  const llmc_module &module = *model->program().program;
  buffers.resize(module.n_buffers);
  for (uint32_t i = 0; i < module.n_buffers; ++i) {
    const llmc_buffer &buffer = module.buffers[i];
    const char *name = buffer.name == LLMC_NONE ? "a buffer" : module.strings + buffer.name;
    if (llmc_status status = buffers[i].allocate(model->device(), plan.buffers[i], name))
      return status;
    for (std::vector<DeviceAddress> &of : addresses)
      of.push_back(buffers[i].address());
  }
  if (!plan.otherLogits)
    return LLMC_OK;
  if (llmc_status status = otherLogits.allocate(model->device(), plan.otherLogits, "logits of a step ahead"))
    return status;
  addresses[1][module.logits_buffer] = otherLogits.address();
  return LLMC_OK;
}

/// Keys of the longest sequence, after the step's appends.
static uint64_t longestOf(const llmc_step &step) {
  uint64_t keys = 0;
  for (uint64_t i = 0; i < step.rows[LLMC_ROWS_TOKENS]; ++i)
    keys = std::max<uint64_t>(keys, uint64_t(step.tokens[i].pos) + 1);
  return keys;
}

llmc_status DeviceStep::reserve(const llmc_step &step, uint64_t nKeys, uint32_t ahead, const char *function) {
  if (step.n_best)
    if (llmc_status status = results.reserveCandidates(step.rows[LLMC_ROWS_ASKED], launches))
      return status;
  return scratch.reserve(step, nKeys + ahead, longestOf(step) + ahead, function);
}

StepShape DeviceStep::shapeOf(const llmc_step &step, uint32_t turn) const {
  StepShape shape = {};
  std::copy_n(step.rows, LLMC_ROW_SPACES, shape.rows);
  shape.keys = longestOf(step);
  shape.chooses = step.n_best != 0;
  shape.turn = turn;
  return shape;
}

/// What the step before has computed counts no more, but for logits of the other turn.
void DeviceStep::forget(uint32_t turn) {
  for (size_t i = 0; i < buffers.size(); ++i) {
    const DeviceMemory &memory = addresses[turn][i] == buffers[i].address() ? buffers[i] : otherLogits;
    model->device().forget(memory.address(), memory.size());
  }
  results.forget(turn);
}

/// Asks the device for all of the step. With `walk`, for an observer or a profile, it rests after each
/// dispatch. `function` is null for a step ahead, which no interrupt is for.
llmc_status DeviceStep::begin(Session &session, StepRun *walk, const llmc_step &step, const StepShape &shape,
                              const char *function) {
  Device &device = model->device();
  if (isSurplusUnderWay) { // it reads what is to be told now
    if (llmc_status status = device.synchronize())
      return status;
    if (llmc_status status = head.clearCounters()) // it may have failed
      return status;
    isSurplusUnderWay = false;
  }
  auto clear = [&](const uint8_t *page, uint64_t bytes) { return device.clear(DeviceAddress(page), bytes); };
  if (llmc_status status = session.cache.takeDirtyPages(clear))
    return status;
  forget(shape.turn);
  const StepHead::Places places{scratch.list(), results.candidates(shape.turn)};
  if (llmc_status status = head.upload(session.cache, step, places, shape.turn))
    return status;
  const bool isRecorded = !walk && step.rows[LLMC_ROWS_TOKENS] <= mostRecordedTokens;
  if (llmc_status status =
          isRecorded ? repeat(session, shape, function) : launchAll(session, walk, shape, function))
    return status;
  return device.set(*marks[shape.turn]);
}

/// What is alike is recorded as one: more blocks than rows and keys ask for do no harm.
llmc_status DeviceStep::repeat(Session &session, StepShape shape, const char *function) {
  uint64_t &keyRows = shape.rows[LLMC_ROWS_KEYS];
  shape.keys = std::bit_ceil(shape.keys);
  keyRows = std::bit_ceil(keyRows) * (keyRows > 0);
  return recorded.run(model->device(), shape, [&] { return launchAll(session, nullptr, shape, function); });
}

llmc_status DeviceStep::launchAll(Session &session, StepRun *walk, const StepShape &shape,
                                  const char *function) {
  const llmc_module &module = *model->program().program;
  Profile::Slot *slots = session.profile && walk ? session.profile->take(0) : nullptr;
  for (uint32_t i = 0; i < module.n_dispatches; ++i) {
    const llmc_dispatch &dispatch = module.dispatches[i];
    if (!workspace->runs(dispatch) || shape.rows[dispatch.rows] == 0)
      continue;
    if (function && session.takeInterrupt())
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
  return results.fetch(model->program().program->logits_buffer, lastTurn, rows, to);
}

RowSummary DeviceStep::summaryOf(std::span<const uint8_t> summaries, size_t row, uint64_t nBest) const {
  const llmc_device_sampling &sampling = model->program().sampling;
  const uint8_t *start = summaries.data() + row * sampling.row_bytes;
  return {{reinterpret_cast<const llmc_candidate *>(start), nBest},
          {reinterpret_cast<const float *>(start + sampling.most * sizeof(llmc_candidate)), sampling.n_sums}};
}

bool DeviceStep::isAhead(llmc_token token, llmc_seq seq, llmc_pos pos) const {
  return ahead && ahead->token == token && ahead->seq == seq && ahead->pos == pos;
}

llmc_seq DeviceStep::dropAhead() {
  if (!ahead)
    return -1;
  isSurplusUnderWay = true;
  return std::exchange(ahead, std::nullopt)->seq;
}

/// If it fails there is none, and what is wrong will be found by the step in its place.
void DeviceStep::beginAhead(Session &session, const llmc_step &step, uint32_t turn) {
  llmc_token_row row = *step.tokens;
  row.id = -1;
  ++row.pos;
  llmc_step next = step;
  next.tokens = &row;
  if (begin(session, nullptr, next, shapeOf(next, turn), nullptr) == LLMC_OK)
    ahead = {row.seq, row.pos, turn};
  else
    isSurplusUnderWay = true;
}

llmc_status DeviceStep::runIn(DeviceUse &use, Session &session, StepRun &walk, const llmc_step &step,
                              bool isFollowed, const char *function) {
  const StepShape shape = shapeOf(step, ahead ? ahead->turn : 0);
  const bool isWatched = session.observer || session.profile;
  if (!std::exchange(ahead, std::nullopt))
    if (llmc_status status = begin(session, isWatched ? &walk : nullptr, step, shape, function))
      return status;
  if (isFollowed)
    beginAhead(session, step, 1 - shape.turn);
  use.unlock(); // other sessions ask for their steps while this one is under way
  if (llmc_status status = model->device().wait(*marks[shape.turn]))
    return status;
  lastTurn = shape.turn;
  if (llmc_status status = results.read(shape, session.arena.data(), session.rowSummaries))
    return status;
  if (ahead)
    ahead->token = summaryOf(session.rowSummaries, 0, 1).best.front().token;
  return LLMC_OK;
}

/// So that nothing of a step that failed is under way when its pages are given back, and no counter is as a
/// kernel that failed has left it.
void DeviceStep::settle() {
  DeviceUse use(model->device());
  model->device().synchronize();
  head.clearCounters();
}

llmc_status DeviceStep::run(Session &session, StepRun &walk, const llmc_step &step, bool isFollowed,
                            const char *function) {
  DeviceUse use(model->device());
  if (llmc_status status = use.status())
    return status;
  llmc_status status;
  try {
    status = runIn(use, session, walk, step, isFollowed, function);
  } catch (...) {
    settle();
    throw;
  }
  if (status == LLMC_OK)
    return LLMC_OK;
  const std::string sentence = lastError();
  settle();
  return setError(status, "%s", sentence.c_str());
}

} // namespace llmc
