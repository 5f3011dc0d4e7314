//===- Plan.cpp - llmc plan -----------------------------------------------===//
#include "tools/llmc/Common.h"

#include <fmt/format.h>

namespace llmc::cli {

int plan(const PlanOptions &options) {
  ModelPtr model = openModel(options, nullptr, LoadFor::Plan);
  llmc_session_params params = sessionParams(options, 0);
  params.n_seq_max = options.seqs;
  llmc_memory_plan plan = {};
  plan.struct_size = sizeof plan;
  llmc_status status = llmc_plan(model.get(), &params, &plan);
  checkStorage(status, params);
  check(status);
  if (options.ctx)
    noteContext(model.get(), options.ctx, /*isChosen=*/true);
  const char *device = llmc_model_cpu_variant(model.get()); // its kind: no device was looked for
  const bool isOnDevice = std::string_view(device) != cpuDevice;
  const uint64_t total = plan.weights + plan.kv + plan.workspace;
  if (options.json) {
    print(fmt::format(
        "{{\"device\":\"{}\",\"weights\":{},\"kv\":{},\"workspace\":{},\"total\":{},\"pinned\":{},"
        "\"host\":{}}}\n",
        device, plan.weights, plan.kv, plan.workspace, total, plan.pinned, plan.host));
  } else {
    auto line = [](const char *name, uint64_t bytes, std::string_view what) {
      print(fmt::format("{:<10}{:>16} bytes  {}\n", name, bytes, what));
    };
    const std::string there = isOnDevice ? fmt::format("on {}", device) : "";
    line("weights", plan.weights,
         isOnDevice            ? there + ", once for all sessions"
         : options.copyWeights ? "copied from the file"
                               : "mapped from the file, shared by all processes");
    line("kv cache", plan.kv, isOnDevice ? there : "taken as it fills");
    line("workspace", plan.workspace, there);
    line("total", total, isOnDevice ? there + ", beside code and what the driver takes" : "");
    if (isOnDevice) {
      line("pinned", plan.pinned, "of the host, for copies");
      line("host", plan.host,
           options.copyWeights ? "copied weights, and where results are put"
                               : "where results are put, used as far as there are any");
    }
  }
  flushOutput();
  return 0;
}

} // namespace llmc::cli
