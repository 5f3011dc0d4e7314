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

/// Grids, records and scratch are of the longest sequence.
TEST(Keys, of_several_blocks_agree_with_the_cpu) {
  REQUIRE_DEVICE();
  const ScenarioResult cpu = runLongScenario(modelPath("llama-q8_0"), "cpu");
  ASSERT_EQ(cpu.error, "");
  const ScenarioResult device = runLongScenario(modelPath("llama-q8_0"), checkedDevice("llama-q8_0", 1));
  ASSERT_EQ(device.error, "");
  EXPECT_LT(difference(cpu, device), 1e-4); // other orders of sums
}

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
