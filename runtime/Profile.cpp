// The profile's memory, and the functions of the C API that read it.
#include "runtime/Profile.h"

#include "runtime/Results.h"
#include "runtime/Session.h"
#include "runtime/SizedStruct.h"

#include <algorithm>

namespace llmc {

constexpr uint64_t mostSteps = 1u << 20; // beyond that a few bytes a step would add up

Profile::Profile(uint32_t nDispatches, uint32_t nWorkers, uint64_t maxBytes)
    : nDispatches(nDispatches), nWorkers(nWorkers) {
  const uint64_t stepBytes = sizeof(Step) + uint64_t(nDispatches) * nWorkers * sizeof(Slot);
  const uint64_t count = std::clamp<uint64_t>(maxBytes / stepBytes, 1, mostSteps);
  steps.resize(count);
  slots =
      std::make_unique<Slot[]>(count * nDispatches * nWorkers); // touched, so that no step waits for pages
}

void Profile::beginStep(const llmc_step &step, uint64_t nKeys) {
  Step &entry = steps[next % steps.size()];
  entry = {};
  entry.nKeys = nKeys;
  std::copy_n(step.rows, LLMC_ROW_SPACES, entry.rows);
  for (uint64_t i = 0; i < step.rows[LLMC_ROWS_TOKENS]; ++i)
    entry.nTokenKeys += uint64_t(step.tokens[i].pos) + 1;
  entry.begin = now();
}

void Profile::endStep(bool isDone) {
  Step &entry = steps[next % steps.size()];
  entry.end = now();
  if (isDone)
    entry.number = next++;
}

Profile::Slot *Profile::take(uint32_t worker) {
  Slot *row = slotsOf(next, worker);
  std::fill_n(row, nDispatches, Slot{});
  return row;
}

uint64_t Profile::firstStep() const {
  uint64_t first = next - std::min<uint64_t>(next, steps.size());
  return first < next && !has(first) ? first + 1 : first; // a step that was cancelled has taken its place
}

void Profile::get(uint64_t step, llmc_profile_step &out) const {
  const Step &entry = steps[step % steps.size()];
  out.begin = entry.begin - origin;
  out.end = entry.end - origin;
  out.n_keys = entry.nKeys;
  out.n_token_keys = entry.nTokenKeys;
  std::copy_n(entry.rows, LLMC_ROW_SPACES, out.rows);
  out.n_workers = nWorkers;
}

} // namespace llmc

using namespace llmc;

static llmc_status findProfile(const llmc_session *session, const char *function, const Profile *&out) {
  out = session->profile.get();
  return out ? LLMC_OK
             : setError(LLMC_ESTATE, "%s: nothing is being noted: call llmc_session_profile first", function);
}

static llmc_status findStep(const llmc_session *session, uint64_t step, const char *function,
                            const Profile *&out) {
  if (llmc_status status = findProfile(session, function, out))
    return status;
  if (!out->has(step))
    return setError(LLMC_ENOTFOUND, "%s: step %llu is not among those kept, %llu to %llu", function,
                    (unsigned long long)step, (unsigned long long)out->firstStep(),
                    (unsigned long long)out->nextStep());
  return LLMC_OK;
}

llmc_status llmc_session_profile(llmc_session *session, uint64_t max_bytes) {
  LLMC_CHECK_ARG(session);
  LLMC_ENTER(session, session);
  return guarded([&]() -> llmc_status {
    session->profile = max_bytes ? session->newProfile(max_bytes) : nullptr;
    return LLMC_OK;
  });
}

llmc_status llmc_profile_range(const llmc_session *session, uint64_t *first, uint64_t *next) {
  LLMC_CHECK_ARG(session);
  LLMC_CHECK_ARG(first);
  LLMC_CHECK_ARG(next);
  LLMC_ENTER(session, session);
  const Profile *profile;
  if (llmc_status status = findProfile(session, __func__, profile))
    return status;
  *first = profile->firstStep();
  *next = profile->nextStep();
  return LLMC_OK;
}

llmc_status llmc_profile_get_step(const llmc_session *session, uint64_t step, llmc_profile_step *out) {
  LLMC_CHECK_ARG(session);
  LLMC_CHECK_ARG(out);
  LLMC_ENTER(session, session);
  const Profile *profile;
  if (llmc_status status = findStep(session, step, __func__, profile))
    return status;
  llmc_profile_step result = {};
  profile->get(step, result);
  return writeSized(__func__, result, out);
}

llmc_status llmc_profile_get_events(const llmc_session *session, uint64_t step, llmc_profile_event *buf,
                                    size_t cap, size_t *n_needed) {
  LLMC_CHECK_ARG(session);
  LLMC_ENTER(session, session);
  const Profile *profile;
  if (llmc_status status = findStep(session, step, __func__, profile))
    return status;
  size_t n = 0;
  profile->events(step, [&](const llmc_profile_event &) { ++n; });
  if (n_needed)
    *n_needed = n;
  if (!buf && !cap)
    return LLMC_OK;
  LLMC_CHECK_ARG(buf);
  if (cap < n)
    return setError(LLMC_EARG, "%s: cap is %zu, the step has %zu events", __func__, cap, n);
  profile->events(step, [&](const llmc_profile_event &event) { *buf++ = event; });
  return LLMC_OK;
}

llmc_status llmc_model_dispatch(const llmc_model *model, uint32_t dispatch, llmc_dispatch_cost *out) {
  LLMC_CHECK_ARG(model);
  LLMC_CHECK_ARG(out);
  const llmc_module &module = model->tables();
  if (dispatch >= module.n_dispatches)
    return setError(LLMC_ENOTFOUND, "%s: there is no dispatch %u, the model has %u", __func__, dispatch,
                    module.n_dispatches);
  const llmc_dispatch &row = module.dispatches[dispatch];
  llmc_dispatch_cost cost = {};
  cost.kernel = model->string(module.kernels[row.kernel].name);
  cost.location = model->string(row.location);
  forEachResult(module, row,
                [&](const DispatchResult &result) { cost.value = cost.value ? cost.value : result.name; });
  cost.layer = row.layer;
  cost.row_space = row.rows;
  cost.weight_bytes = row.weight_bytes;
  cost.row_bytes = row.row_bytes;
  cost.key_bytes = row.key_bytes;
  cost.flops_per_row = row.flops_per_row;
  cost.flops_per_key = row.flops_per_key;
  const uint32_t arithmetic = module.kernels[row.kernel].arithmetic;
  cost.is_int8 = arithmetic == LLMC_ARITHMETIC_INT8;
  cost.is_bf16 = arithmetic == LLMC_ARITHMETIC_BF16;
  return writeSized(__func__, cost, out);
}
