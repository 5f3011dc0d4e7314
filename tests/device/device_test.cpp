// Compiled models on a device against the CPU.
#include "tests/device/DeviceTest.h"
#include "tests/device/Scenario.h"

#include <gtest/gtest.h>

using namespace llmc::test;

namespace {

class Models : public testing::TestWithParam<const char *> {};

TEST_P(Models, agree_with_the_cpu_in_every_order_of_threads) {
  REQUIRE_DEVICE();
  const std::string model = GetParam();
  const ScenarioResult cpu = runScenario(modelPath(model), "cpu");
  ASSERT_EQ(cpu.error, "");
  ScenarioResult first;
  for (uint32_t seed : {1u, 2u, 3u}) {
    const ScenarioResult device = runScenario(modelPath(model), checkedDevice(model, seed));
    ASSERT_EQ(device.error, "");
    // Float reassociation gives 1e-5; the smallest real mistake seen gave 4e-4.
    EXPECT_LT(difference(cpu, device), 1e-4);
    if (seed == 1)
      first = device;
    EXPECT_EQ(first.logits, device.logits) << "bits depend on the order of threads";
  }
}

INSTANTIATE_TEST_SUITE_P(Device, Models, testing::Values(LLMC_DEVICE_MODEL_NAMES),
                         [](const testing::TestParamInfo<const char *> &info) { return word(info.param); });

/// Grids, records and scratch are of the longest sequence. A prompt of 246 tokens in two steps and one of
/// 103; steps of a token of each, which are recorded and repeated, across 256; a chunk across 128 beside a
/// token. Key blocks are of 128 keys (AttentionShape).
TEST(Keys, of_several_blocks_agree_with_the_cpu) {
  REQUIRE_DEVICE();
  Steps steps{{{0, 150}}, {{0, 96}}, {{1, 103}}};
  steps.insert(steps.end(), 20, {{0, 1}, {1, 1}});
  steps.push_back({{1, 24}, {0, 1}});
  auto runOn = [&](const std::string &device) {
    return runSteps(modelPath("llama-q8_0"), device, {.nSeqs = 2, .nBatch = 160, .nCtx = 320}, steps);
  };
  const ScenarioResult cpu = runOn("cpu"), device = runOn(checkedDevice("llama-q8_0", 1));
  ASSERT_EQ(cpu.error, "");
  ASSERT_EQ(device.error, "");
  EXPECT_LT(difference(cpu, device), 1e-4); // other orders of sums
}

/// A model on the device, and one on the CPU that rounds at most as much.
struct Rounding {
  const char *name, *model, *onCpu;
  llmc_kv_type cache;
  double most; ///< difference of logits
};

void PrintTo(const Rounding &rounding, std::ostream *out) { *out << rounding.name; }

// Sums in another order put a few of the numbers in a cache on their neighbours, one in 2^11 or, in groups of
// 32, one in 127 away. Seen are 2e-4 and 3e-3.
constexpr double inCacheOfF16 = 1e-3, inCacheOfQ8 = 1e-2;
// Inputs of four matmuls in each of two layers are rounded by 2^-12 / sqrt(3) of them in f16, and by 8 times
// that in bf16. Gates multiply that by up to 3, and the largest of 17,000 logits may be 6 times as far off as
// they are in the mean.
constexpr double inputsOfF16 = 3 * 6 * 2.83 * 0x1p-12 / 1.73, inputsOfBF16 = 8 * inputsOfF16;

class Roundings : public testing::TestWithParam<Rounding> {};

/// Steps for launches of every kind: more than 32 rows, at most 16 and at most 8.
TEST_P(Roundings, move_logits_no_further_than_they_may) {
  REQUIRE_DEVICE();
  const auto &[name, model, onCpu, cache, most] = GetParam();
  const SessionShape shape{.nSeqs = 2, .nBatch = 40, .cache = cache};
  const Steps steps{{{0, 40}}, {{1, 5}}, {{0, 1}, {1, 1}}, {{1, 12}}};
  const ScenarioResult cpu = runSteps(modelPath(onCpu), "cpu", shape, steps),
                       device = runSteps(modelPath(model), checkedDevice(model, 1), shape, steps);
  ASSERT_EQ(cpu.error, "");
  ASSERT_EQ(device.error, "");
  EXPECT_LT(difference(cpu, device), most);
}

INSTANTIATE_TEST_SUITE_P(
    Device, Roundings,
    testing::Values(Rounding{"as_users_do", "as-users-do", "llama-q8_0", LLMC_KV_F16, inCacheOfF16},
                    Rounding{"cache_of_q8", "llama-q8_0", "llama-q8_0", LLMC_KV_Q8, inCacheOfQ8},
                    Rounding{"inputs_of_f16", "activations-f16", "llama-q8_0", LLMC_KV_F16, inputsOfF16},
                    Rounding{"inputs_of_bf16", "activations-bf16", "llama-q8_0", LLMC_KV_F16, inputsOfBF16},
                    Rounding{"long_sums_q4_0", "counts-q4_0", "counts-q4_0", LLMC_KV_AUTO, inCacheOfF16},
                    Rounding{"long_sums_q8_0", "counts-q8_0", "counts-q8_0", LLMC_KV_AUTO, inCacheOfQ8}),
    [](const testing::TestParamInfo<Rounding> &info) { return info.param.name; });

/// What a load tells of the weights, and until when it can be stopped.
TEST(Loading, weights_are_copied_with_progress) {
  REQUIRE_DEVICE();
  struct Told {
    uint64_t calls = 0, done = 0, total = 0;
    bool goesOn = true;
  } told;
  llmc_model_params params;
  llmc_model_params_init(&params, sizeof params);
  const std::string device = deviceWord();
  params.device = device.c_str();
  params.progress = [](const char *stage, uint64_t done, uint64_t total, void *ud) {
    Told &t = *static_cast<Told *>(ud);
    if (std::string(stage) != "weights") {
      EXPECT_TRUE(std::string(stage) == "load" || std::string(stage) == "kernels") << stage;
      return true;
    }
    EXPECT_GT(done, t.done);
    ++t.calls, t.done = done, t.total = total;
    return t.goesOn;
  };
  params.progress_ud = &told;
  llmc_model *model = nullptr;
  ASSERT_EQ(llmc_model_load(modelPath("llama-gqa").c_str(), &params, &model), LLMC_OK) << llmc_last_error();
  int64_t bytes = 0;
  EXPECT_EQ(llmc_model_info(model, LLMC_INFO_WEIGHT_BYTES, &bytes), LLMC_OK);
  llmc_model_release(model);
  EXPECT_GT(told.calls, 0u);
  EXPECT_EQ(told.done, uint64_t(bytes));
  EXPECT_EQ(told.total, uint64_t(bytes));
  told = {.goesOn = false};
  model = nullptr;
  EXPECT_EQ(llmc_model_load(modelPath("llama-gqa").c_str(), &params, &model), LLMC_ECANCELLED);
  EXPECT_EQ(model, nullptr);
  EXPECT_NE(std::string(llmc_last_error()).find("cancelled while the weights were copied"), std::string::npos)
      << llmc_last_error();
}

} // namespace
