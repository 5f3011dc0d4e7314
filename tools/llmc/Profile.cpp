//===- Profile.cpp - where the time of steps goes -------------------------===//
#include "tools/llmc/Profile.h"
#include "tools/llmc/Machine.h"
#include "tools/llmc/NewFile.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace llmc::cli {

using Json = nlohmann::ordered_json;

constexpr uint64_t noteBytes = uint64_t(64) << 20; // some thousand steps of a small model
constexpr size_t mostSlices = 400'000;             // what a viewer still opens quickly

void Work::add(const Work &other) {
  calls += other.calls;
  weightBytes += other.weightBytes;
  rowBytes += other.rowBytes;
  keyBytes += other.keyBytes;
  operations += other.operations;
  seconds += other.seconds;
  waiting += other.waiting;
  predicted += other.predicted;
}

std::string DispatchProfile::name() const {
  const std::string &what = value.empty() ? location.empty() ? kernel : location : value;
  return layer == UINT32_MAX ? what : fmt::format("{}.{}", layer, what);
}

std::map<std::string, DispatchProfile> Phase::kernels() const {
  std::map<std::string, DispatchProfile> list;
  for (const auto &[number, dispatch] : dispatches) {
    auto [entry, isNew] = list.try_emplace(dispatch.kernel, dispatch);
    if (!isNew)
      entry->second.work.add(dispatch.work);
  }
  return list;
}

Work Phase::total() const {
  Work sum;
  for (const auto &[number, dispatch] : dispatches)
    sum.add(dispatch.work);
  return sum;
}

Profiler::Profiler(llmc_model *profiled, const ProfileOptions &given, const Roofline &machine)
    : model(profiled), options(given), roofline(machine),
      weightBytes(uint64_t(modelInfo(profiled, LLMC_INFO_WEIGHT_BYTES))) {
  if (const char *name = llmc_model_meta(profiled, "model.name"))
    profiledModel.name = name;
  profiledModel.hash = uint64_t(modelInfo(profiled, LLMC_INFO_HASH));
  llmc_dispatch_cost cost = {};
  cost.struct_size = sizeof cost;
  auto text = [](const char *string) { return std::string(string ? string : ""); };
  while (llmc_model_dispatch(model, uint32_t(costs.size()), &cost) == LLMC_OK) {
    costs.push_back(cost);
    const Arithmetic arithmetic = cost.is_int8   ? Arithmetic::Int8
                                  : cost.is_bf16 ? Arithmetic::BF16
                                                 : Arithmetic::F32;
    known.push_back({text(cost.kernel), text(cost.location), text(cost.value), cost.layer, arithmetic, {}});
  }
}

void Profiler::begin(llmc_session *profiled) {
  session = profiled;
  beganAt = clock.seconds();
  check(llmc_session_profile(session, noteBytes));
}

void Profiler::end() {
  uint64_t first = 0, next = 0;
  check(llmc_profile_range(session, &first, &next));
  missed += first;
  for (uint64_t number = first; number < next; ++number) {
    llmc_profile_step step = {};
    step.struct_size = sizeof step;
    check(llmc_profile_get_step(session, number, &step));
    addStep(number, step);
  }
  check(llmc_session_profile(session, 0));
}

Phase &Profiler::phaseOf(const llmc_profile_step &step) {
  const char *name = step.rows[0] == step.rows[1] ? "generation" : "prompt";
  auto found = std::ranges::find(phases, name, &Phase::name);
  if (found != phases.end())
    return *found;
  Phase &made = phases.emplace_back();
  made.name = name;
  made.threads.resize(step.n_workers);
  return made;
}

void Profiler::addStep(uint64_t number, const llmc_profile_step &step) {
  size_t n = 0;
  check(llmc_profile_get_events(session, number, nullptr, 0, &n));
  std::vector<llmc_profile_event> events(n);
  check(llmc_profile_get_events(session, number, events.data(), n, &n));
  Phase &phase = phaseOf(step);
  ++phase.steps;
  phase.tokens += step.rows[0];
  phase.seconds += double(step.end - step.begin) * 1e-9;
  for (size_t i = 0; i < n; ++i) {
    bool isFirst = i == 0 || events[i - 1].worker != events[i].worker;
    bool isLast = i + 1 == n || events[i + 1].worker != events[i].worker;
    if (isFirst)
      phase.threads[events[i].worker].idle += double(events[i].begin - step.begin) * 1e-9;
    addEvent(phase, step, events[i], isLast ? step.end : events[i + 1].begin);
  }
  if (!options.profileTrace.empty() && slices.size() + n < mostSlices)
    trace(step, events);
}

void Profiler::addEvent(Phase &phase, const llmc_profile_step &step, const llmc_profile_event &event,
                        uint64_t next) {
  DispatchProfile &dispatch =
      phase.dispatches.try_emplace(event.dispatch, known[event.dispatch]).first->second;
  const double waited = double(event.waited + next - event.end) * 1e-9;
  const double busy = double(event.end - event.begin - event.waited) * 1e-9;
  phase.threads[event.worker].busy += busy;
  phase.threads[event.worker].barrier += waited;
  dispatch.work.seconds += (busy + waited) / step.n_workers;
  dispatch.work.waiting += waited / step.n_workers;
  if (event.worker != 0)
    return;
  const llmc_dispatch_cost &cost = costs[event.dispatch];
  Work work;
  work.calls = 1;
  work.weightBytes = cost.weight_bytes;
  work.rowBytes = cost.row_bytes * step.rows[cost.row_space];
  work.keyBytes = cost.key_bytes * step.n_keys;
  work.operations = cost.flops_per_row * step.rows[cost.row_space] + cost.flops_per_key * step.n_token_keys;
  const double peak = roofline.limit(dispatch.arithmetic).gops;
  work.predicted = std::max(roofline.readGBs ? double(work.bytes()) / roofline.readGBs * 1e-9 : 0,
                            peak ? double(work.operations) / peak * 1e-9 : 0);
  dispatch.work.add(work);
}

/// Slices of the trace-event format, in microseconds: workers are threads, their dispatches lie on them.
void Profiler::trace(const llmc_profile_step &step, const std::vector<llmc_profile_event> &events) {
  auto slice = [&](const std::string &name, const char *kind, uint32_t thread, uint64_t begin, uint64_t end,
                   Json arguments) {
    Json object = {{"name", name},
                   {"cat", kind},
                   {"ph", "X"},
                   {"pid", 1},
                   {"tid", thread},
                   {"ts", beganAt * 1e6 + double(begin) * 1e-3},
                   {"dur", double(end - begin) * 1e-3},
                   {"args", std::move(arguments)}};
    slices.push_back(object.dump(-1, ' ', false, Json::error_handler_t::replace));
  };
  slice(fmt::format("step of {} token{}", step.rows[0], step.rows[0] == 1 ? "" : "s"), "step", 0, step.begin,
        step.end, {{"tokens", step.rows[0]}, {"outputs", step.rows[1]}, {"keys", step.n_keys}});
  for (const llmc_profile_event &event : events) {
    const DispatchProfile &dispatch = known[event.dispatch];
    const llmc_dispatch_cost &cost = costs[event.dispatch];
    uint64_t rows = step.rows[cost.row_space];
    slice(dispatch.name(), "dispatch", event.worker + 1, event.begin, event.end,
          {{"dispatch", event.dispatch},
           {"layer", dispatch.layer == UINT32_MAX ? Json() : Json(dispatch.layer)},
           {"kernel", dispatch.kernel},
           {"location", dispatch.location},
           {"bytes", cost.weight_bytes + cost.row_bytes * rows + cost.key_bytes * step.n_keys},
           {"flops", cost.flops_per_row * rows + cost.flops_per_key * step.n_token_keys},
           {"waited_us", double(event.waited) * 1e-3}});
  }
}

static void writeWhole(const std::string &place, const std::vector<std::string> &parts) {
  NewFile file(place);
  for (const std::string &part : parts)
    file.write(part.data(), part.size());
  file.finish();
}

void Profiler::report() const {
  if (options.profile != "-" && !options.profile.empty())
    writeWhole(options.profile, {profileJson(profiledModel, phases, roofline, missed)});
  if (!options.profileTrace.empty())
    writeTrace();
  fmt::print(stderr, "{}", profileTable(phases, roofline, weightBytes, missed));
}

void Profiler::writeTrace() const {
  uint32_t workers = 0;
  for (const Phase &phase : phases)
    workers = std::max(workers, uint32_t(phase.threads.size()));
  std::vector<std::string> parts = {"{\"displayTimeUnit\": \"ns\", \"traceEvents\": [\n"};
  auto name = [&](uint32_t thread, const std::string &text) {
    parts.push_back(fmt::format("{{\"name\": \"thread_name\", \"ph\": \"M\", \"pid\": 1, \"tid\": {}, "
                                "\"args\": {{\"name\": \"{}\"}}}},\n",
                                thread, text));
  };
  name(0, "steps");
  for (uint32_t i = 0; i < workers; ++i)
    name(i + 1, fmt::format("worker {}", i));
  for (const std::string &slice : slices)
    parts.push_back(slice + ",\n");
  parts.push_back(
      "{\"name\": \"process_name\", \"ph\": \"M\", \"pid\": 1, \"args\": {\"name\": \"llmc\"}}\n]}\n");
  writeWhole(options.profileTrace, parts);
}

std::unique_ptr<Profiler> newProfiler(llmc_model *model, const ProfileOptions &options) {
  if (!options.isAsked())
    return nullptr;
  for (const std::string &place : {options.profile, options.profileTrace})
    if (!place.empty() && place != "-")
      preparePlace(place);
  return std::make_unique<Profiler>(model, options, machineRoofline(model, options.remeasure));
}

} // namespace llmc::cli
