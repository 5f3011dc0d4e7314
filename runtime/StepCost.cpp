// llmc_model_step_cost: the dispatch table's own count of bytes and operations, added up over the rows that a
// session of one storage type runs.
#include "runtime/SizedStruct.h"
#include "runtime/Workspace.h"

using namespace llmc;

llmc_status llmc_model_step_cost(const llmc_model *model, llmc_step_cost *inout) {
  LLMC_CHECK_ARG(model);
  LLMC_CHECK_ARG(inout);
  llmc_step_cost cost = {};
  if (llmc_status status = readSized(__func__, inout, cost))
    return status;
  const uint64_t most = uint64_t(1) << 32; // keeps every product below within what a double counts well
  if (cost.n_tokens > most || cost.n_rows > cost.n_tokens || cost.n_hidden > cost.n_rows ||
      cost.n_keys > most || cost.n_token_keys > cost.n_tokens * cost.n_keys)
    return setError(
        LLMC_EARG,
        "%s: %llu tokens, %llu rows, %llu hidden rows, %llu keys and %llu keys over all tokens are "
        "no step",
        __func__, (unsigned long long)cost.n_tokens, (unsigned long long)cost.n_rows,
        (unsigned long long)cost.n_hidden, (unsigned long long)cost.n_keys,
        (unsigned long long)cost.n_token_keys);
  const llmc_module &module = model->tables();
  const uint64_t rows[LLMC_ROW_SPACES] = {cost.n_tokens, cost.n_rows, module.uses_keys ? cost.n_keys : 0,
                                          cost.n_hidden ? cost.n_rows : 0};
  WorkspacePlan plan;
  if (llmc_status status = guarded([&, function = __func__] {
        return chooseStorage(module, cost.type_kv, LLMC_KV_AUTO, function, plan.usesCache);
      }))
    return status;
  double bytes = 0, operations = 0;
  for (uint32_t i = 0; i < module.n_dispatches; ++i) {
    const llmc_dispatch &dispatch = module.dispatches[i];
    const double n = double(rows[dispatch.rows]);
    if (n == 0 || !plan.runs(dispatch))
      continue;
    bytes += double(dispatch.weight_bytes) + double(dispatch.row_bytes) * n +
             double(dispatch.key_bytes) * double(cost.n_keys);
    operations +=
        double(dispatch.flops_per_row) * n + double(dispatch.flops_per_key) * double(cost.n_token_keys);
  }
  const double limit = 18e18; // of 64 bits
  if (bytes > limit || operations > limit)
    return setError(LLMC_EARG, "%s: the cost of this step does not fit in 64 bits", __func__);
  cost.bytes = uint64_t(bytes);
  cost.operations = uint64_t(operations);
  return writeSized(__func__, cost, inout);
}
