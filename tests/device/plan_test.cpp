// llmc_plan of a model on a device, against what the stub of the driver is then asked for.
#include "tests/device/StubModel.h"

#include <vector>

using namespace llmc::test;

namespace {

/// `ctx * seqs` is a multiple of `batch`, and that of `seqs`: so the last of equal steps has the most tokens
/// over the most keys.
struct Setting {
  const char *model, *code;
  uint32_t ctx, seqs, batch;
};

class Plan : public testing::TestWithParam<Setting> {
protected:
  Plan() {
    llmc_session_params_init(&limits, sizeof limits);
    limits.n_ctx = GetParam().ctx, limits.n_seq_max = GetParam().seqs, limits.n_batch = GetParam().batch;
  }
  llmc_model *load(uint32_t flags) {
    return loadOnStub(folder + GetParam().model, folder + GetParam().code, flags);
  }
  llmc_memory_plan planOf(llmc_model *model) {
    llmc_memory_plan plan = {};
    plan.struct_size = sizeof plan;
    EXPECT_EQ(llmc_plan(model, &limits, &plan), LLMC_OK) << llmc_last_error();
    return plan;
  }
  const std::string folder = LLMC_DEVICE_MODELS "/";
  llmc_session_params limits;
};

TEST_P(Plan, is_what_the_driver_is_asked_for) {
  llmc_stub_fail_at(0);
  llmc_model *planned = load(LLMC_LOAD_PLAN_ONLY);
  const llmc_memory_plan plan = planOf(planned);
  llmc_session *session = nullptr;
  EXPECT_EQ(llmc_session_new(planned, &limits, &session), LLMC_ESTATE);
  llmc_model_release(planned);
  EXPECT_EQ(llmc_stub_calls(), 0u);

  llmc_model *model = load(0);
  const llmc_memory_plan same = planOf(model);
  EXPECT_EQ(same.weights + same.kv + same.workspace, plan.weights + plan.kv + plan.workspace);
  EXPECT_EQ(same.pinned, plan.pinned);
  ASSERT_EQ(llmc_session_new(model, &limits, &session), LLMC_OK) << llmc_last_error();
  llmc_sampling_params sampling;
  llmc_sampling_params_init(&sampling, sizeof sampling);
  llmc_sampler *sampler = nullptr;
  ASSERT_EQ(llmc_sampler_new(model, &sampling, &sampler), LLMC_OK);
  llmc_batch *batch = nullptr;
  ASSERT_EQ(llmc_batch_new(limits.n_batch, &batch), LLMC_OK);
  std::vector<llmc_seq> seqs(limits.n_seq_max);
  for (llmc_seq &seq : seqs)
    ASSERT_EQ(llmc_seq_new(session, &seq), LLMC_OK);
  const std::vector<llmc_token> tokens(limits.n_batch / limits.n_seq_max, 5);
  for (size_t length = 0; length < limits.n_ctx; length += tokens.size()) {
    EXPECT_LE(llmc_stub_most_device(), plan.weights + plan.kv + plan.workspace);
    llmc_batch_clear(batch);
    for (llmc_seq seq : seqs)
      ASSERT_EQ(
          llmc_batch_add(batch, seq, tokens.data(), tokens.size(), LLMC_OUT_ALL | LLMC_OUT_HIDDEN, nullptr),
          LLMC_OK);
    for (uint32_t row = 0; row < limits.n_batch; ++row) // so that candidates of all are wanted
      ASSERT_EQ(llmc_batch_sample(batch, int32_t(row), sampler), LLMC_OK);
    ASSERT_EQ(llmc_eval(session, batch), LLMC_OK) << llmc_last_error();
  }
  EXPECT_EQ(llmc_stub_most_device(), plan.weights + plan.kv + plan.workspace);
  EXPECT_EQ(llmc_stub_most_pinned(), plan.pinned);
  llmc_batch_free(batch);
  llmc_sampler_free(sampler);
  llmc_session_free(session);
  llmc_model_release(model);
  EXPECT_EQ(llmc_stub_left(), 0u);
}

// Own kernels, with what attention keeps of split keys; default kernels, which work in scratch of each block.
INSTANTIATE_TEST_SUITE_P(Settings, Plan,
                         testing::Values(Setting{"llama-gqa.so", "llama-gqa.so.simt", 32, 2, 16},
                                         Setting{"llama-gqa.so", "llama-gqa.so.simt", 48, 3, 24},
                                         Setting{"llama-q4_k_m.so", "llama-q4_k_m.checked.simt", 16, 2, 8}),
                         [](const testing::TestParamInfo<Setting> &setting) {
                           return "setting_" + std::to_string(setting.index);
                         });

} // namespace
