//===- ProfileReport.cpp - a profile as a table and as JSON ---------------===//
#include "tools/llmc/Machine.h"
#include "tools/llmc/Profile.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace llmc::cli {

using Json = nlohmann::ordered_json;

namespace {

struct Rates {
  double gigabytes = 0, gigaoperations = 0, memoryPercent = 0, arithmeticPercent = 0;
  Rates(const DispatchProfile &dispatch, const Roofline &roofline) {
    const Work &work = dispatch.work;
    if (work.seconds <= 0)
      return;
    gigabytes = double(work.bytes()) / work.seconds * 1e-9;
    gigaoperations = double(work.operations) / work.seconds * 1e-9;
    const double peak = roofline.limit(dispatch.arithmetic).gops;
    memoryPercent = roofline.readGBs ? 100 * gigabytes / roofline.readGBs : 0;
    arithmeticPercent = peak ? 100 * gigaoperations / peak : 0;
  }
};

std::vector<const DispatchProfile *> slowestFirst(const auto &map) {
  std::vector<const DispatchProfile *> list;
  for (const auto &[key, dispatch] : map)
    list.push_back(&dispatch);
  std::ranges::sort(list, std::greater(), [](const DispatchProfile *d) { return d->work.seconds; });
  return list;
}

double percent(double part, double whole) { return whole > 0 ? 100 * part / whole : 0; }

/// Times and calls are those of one step.
std::string row(const std::string &name, const DispatchProfile &dispatch, const Phase &phase,
                const Roofline &roofline) {
  const double steps = double(std::max<uint64_t>(phase.steps, 1));
  const Work &work = dispatch.work;
  Rates rates(dispatch, roofline);
  std::string shown = name.size() > 44 ? name.substr(0, 43) + "~" : name;
  return fmt::format(
      "{:<44} {:>6.4g} {:>9.1f} {:>6.1f} {:>6.1f} {:>8.2f} {:>6.1f} {:>8.1f} {:>6.1f} {:>9.1f}\n", shown,
      double(work.calls) / steps, work.seconds / steps * 1e6, percent(work.seconds, phase.seconds),
      percent(work.waiting, work.seconds), rates.gigabytes, rates.memoryPercent, rates.gigaoperations,
      rates.arithmeticPercent, work.predicted / steps * 1e6);
}

std::string header(const char *what) {
  return fmt::format("{:<44} {:>6} {:>9} {:>6} {:>6} {:>8} {:>6} {:>8} {:>6} {:>9}\n", what, "calls", "us",
                     "% time", "% wait", "GB/s", "% peak", "GOPS", "% peak", "predicted");
}

std::string table(const Phase &phase, const Roofline &roofline) {
  const double steps = double(std::max<uint64_t>(phase.steps, 1));
  const Work total = phase.total();
  std::string text =
      fmt::format("\n{}: {} steps of {:.4g} tokens, {:.3f} ms each, {:.1f} tokens/s; dispatches take "
                  "{:.1f} % of a step, {:.3f} ms are predicted\n",
                  phase.name, phase.steps, double(phase.tokens) / steps, phase.seconds / steps * 1e3,
                  double(phase.tokens) / phase.seconds, percent(total.seconds, phase.seconds),
                  total.predicted / steps * 1e3);
  text += header("kernel");
  auto kernels = phase.kernels();
  for (const DispatchProfile *kernel : slowestFirst(kernels))
    text += row(kernel->kernel, *kernel, phase, roofline);
  text += header("slowest dispatches");
  auto dispatches = slowestFirst(phase.dispatches);
  dispatches.resize(std::min<size_t>(dispatches.size(), 5));
  for (const DispatchProfile *dispatch : dispatches)
    text += row(dispatch->name(), *dispatch, phase, roofline);
  text += fmt::format("bytes a step: {:.3f} MB of weights, {:.3f} MB of cache, {:.3f} MB of activations\n",
                      double(total.weightBytes) / steps * 1e-6, double(total.keyBytes) / steps * 1e-6,
                      double(total.rowBytes) / steps * 1e-6);
  for (size_t i = 0; i < phase.threads.size(); ++i) {
    const ThreadProfile &thread = phase.threads[i];
    text += fmt::format("worker {}: {:.1f} % busy, {:.1f} % at barriers, {:.1f} % idle\n", i,
                        percent(thread.busy, phase.seconds), percent(thread.barrier, phase.seconds),
                        percent(thread.idle, phase.seconds));
  }
  return text;
}

Json jsonOf(const DispatchProfile &dispatch, const Roofline &roofline) {
  const Work &work = dispatch.work;
  Rates rates(dispatch, roofline);
  return {{"calls", work.calls},
          {"seconds", work.seconds},
          {"waiting_seconds", work.waiting},
          {"predicted_seconds", work.predicted},
          {"bytes", work.bytes()},
          {"weight_bytes", work.weightBytes},
          {"cache_bytes", work.keyBytes},
          {"activation_bytes", work.rowBytes},
          {"operations", work.operations},
          {"gb_s", rates.gigabytes},
          {"memory_percent", rates.memoryPercent},
          {"gops", rates.gigaoperations},
          {"arithmetic_percent", rates.arithmeticPercent},
          {"arithmetic", nameOf(dispatch.arithmetic)}};
}

Json jsonOf(const Phase &phase, const Roofline &roofline) {
  Json kernels = Json::array(), dispatches = Json::array(), threads = Json::array();
  auto byKernel = phase.kernels();
  for (const DispatchProfile *kernel : slowestFirst(byKernel)) {
    kernels.push_back({{"kernel", kernel->kernel}});
    kernels.back().update(jsonOf(*kernel, roofline));
  }
  for (const auto &[number, dispatch] : phase.dispatches) {
    dispatches.push_back({{"dispatch", number},
                          {"layer", dispatch.layer == UINT32_MAX ? Json() : Json(dispatch.layer)},
                          {"kernel", dispatch.kernel},
                          {"location", dispatch.location},
                          {"value", dispatch.value}});
    dispatches.back().update(jsonOf(dispatch, roofline));
  }
  for (const ThreadProfile &thread : phase.threads)
    threads.push_back(
        {{"busy_seconds", thread.busy}, {"barrier_seconds", thread.barrier}, {"idle_seconds", thread.idle}});
  const Work total = phase.total();
  return {{"name", phase.name},
          {"steps", phase.steps},
          {"tokens", phase.tokens},
          {"seconds", phase.seconds},
          {"dispatch_seconds", total.seconds},
          {"predicted_seconds", total.predicted},
          {"weight_bytes", total.weightBytes},
          {"cache_bytes", total.keyBytes},
          {"activation_bytes", total.rowBytes},
          {"operations", total.operations},
          {"kernels", kernels},
          {"dispatches", dispatches},
          {"threads", threads}};
}

} // namespace

std::string profileTable(const std::vector<Phase> &phases, const Roofline &roofline, uint64_t weightBytes,
                         uint64_t missed) {
  if (!roofline.isKnown()) {
    std::string text =
        "profile: each dispatch ends before the next one begins, and its time is that of the host; "
        "what the device can do at most is not known\n";
    for (const Phase &phase : phases)
      text += table(phase, roofline);
    return text;
  }
  std::string text = fmt::format("profile: this machine {} at most\n", textOf(roofline));
  if (weightBytes <= roofline.cacheBytes)
    text += "the weights fit in the CPU's cache: shares of memory can exceed 100 %\n";
  if (missed)
    text += fmt::format("the first {} steps are not in it\n", missed);
  for (const Phase &phase : phases)
    text += table(phase, roofline);
  return text;
}

std::string profileJson(const ProfiledModel &model, const std::vector<Phase> &phases,
                        const Roofline &roofline, uint64_t missed) {
  Json list = Json::array();
  for (const Phase &phase : phases)
    list.push_back(jsonOf(phase, roofline));
  Json object = {{"model", {{"name", model.name}, {"head_hash", fmt::format("{:016x}", model.hash)}}},
                 {"machine", jsonOf(roofline)},
                 {"steps_left_out", missed},
                 {"phases", list}};
  return object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace llmc::cli
