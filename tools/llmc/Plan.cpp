//===- Plan.cpp - llmc plan -----------------------------------------------===//
#include "tools/llmc/Common.h"

#include <fmt/format.h>

namespace llmc::cli {

int plan(const PlanOptions &options) {
  ModelPtr model = openModel(options);
  llmc_session_params params = sessionParams(options, 0);
  params.n_seq_max = options.seqs;
  llmc_memory_plan plan = {};
  plan.struct_size = sizeof plan;
  llmc_status status = llmc_plan(model.get(), &params, &plan);
  checkStorage(status, params);
  check(status);
  uint64_t total = plan.weights + plan.kv + plan.workspace;
  if (options.json) {
    print(fmt::format("{{\"weights\":{},\"kv\":{},\"workspace\":{},\"total\":{}}}\n", plan.weights, plan.kv,
                      plan.workspace, total));
  } else {
    auto line = [](const char *name, uint64_t bytes, const char *what) {
      print(fmt::format("{:<10}{:>16} bytes  {}\n", name, bytes, what));
    };
    line("weights", plan.weights, "mapped from the file, shared by all processes");
    line("kv cache", plan.kv, "taken as it fills");
    line("workspace", plan.workspace, "");
    line("total", total, "");
  }
  flushOutput();
  return 0;
}

} // namespace llmc::cli
