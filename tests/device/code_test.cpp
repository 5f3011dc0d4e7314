// The emulator takes a model's kernels from a file: what becomes of one that is not what it should be.
#include "tests/device/Scenario.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

using namespace llmc::test;
namespace fs = std::filesystem;

namespace {

const std::string models = LLMC_DEVICE_MODELS, model = models + "/llama-gqa.so";

class DeviceCode : public testing::Test {
protected:
  void SetUp() override {
    fs::remove_all(folder);
    fs::create_directories(folder);
    std::ostringstream bytes;
    bytes << std::ifstream(model + ".simt", std::ios::binary).rdbuf();
    good = bytes.str();
    ASSERT_GT(good.size(), 100000u);
  }
  void TearDown() override { fs::remove_all(folder); }
  std::string fileOf(const std::string &bytes) const {
    const std::string path = folder + "/kernels";
    fs::remove(path); // the system may know the old one
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  /// One sentence that begins with the file's name and has these words in it.
  static void expectRefused(const std::string &path, llmc_status status, const std::string &words) {
    const ScenarioResult result = runScenario(model, "simt:code=" + path);
    EXPECT_EQ(result.status, status) << result.error;
    EXPECT_EQ(result.error.rfind(path + ": ", 0), 0u) << result.error;
    EXPECT_NE(result.error.find(words), std::string::npos) << result.error;
    EXPECT_EQ(result.error.find('\n'), std::string::npos);
  }

  const std::string folder =
      models + "/" + testing::UnitTest::GetInstance()->current_test_info()->name() + ".folder";
  std::string good;
};

TEST_F(DeviceCode, that_is_cut_or_altered_is_refused_before_it_is_loaded) {
  EXPECT_EQ(runScenario(model, "simt:code=" + fileOf(good)).error, "");
  for (size_t bytes : {size_t(0), size_t(1), size_t(15), size_t(100000), good.size() - 1})
    expectRefused(fileOf(good.substr(0, bytes)), LLMC_EFORMAT, "the file is truncated");
  expectRefused(fileOf(good + " "), LLMC_EFORMAT, "the file is truncated");
  for (size_t place : {size_t(0), size_t(40), good.size() / 3, good.size() / 2, good.size() - 17,
                       good.size() - 8, good.size() - 1}) {
    SCOPED_TRACE(place);
    std::string altered = good;
    altered[place] ^= 1;
    expectRefused(fileOf(altered), LLMC_EFORMAT, "the file is damaged: its hash does not match");
  }
}

TEST_F(DeviceCode, that_is_missing_or_no_file_is_one_sentence) {
  const std::string missing = folder + "/none";
  expectRefused(missing, LLMC_ENOTFOUND,
                "no such file: llmc-compile simt " + model + " -o " + missing + " makes it");
  expectRefused(folder, LLMC_EIO, "not a regular file");
}

/// Beside a model that no code is named for.
TEST_F(DeviceCode, that_stands_beside_the_model_is_checked_too) {
  const std::string beside = folder + "/model.so";
  fs::create_symlink(model, beside);
  EXPECT_EQ(runScenario(beside, "simt").error,
            beside + ".simt: no such file: llmc-compile simt " + beside + " -o " + beside + ".simt makes it");
  std::ofstream(beside + ".simt", std::ios::binary) << good.substr(0, 100000);
  EXPECT_EQ(runScenario(beside, "simt").error.rfind(beside + ".simt: the footer at the end is missing", 0),
            0u);
  fs::remove(beside + ".simt");
  std::ofstream(beside + ".simt", std::ios::binary) << good;
  EXPECT_EQ(runScenario(beside, "simt").error, "");
}

TEST_F(DeviceCode, that_is_of_another_model_is_refused) {
  expectRefused(models + "/llama-q8_0.checked.simt", LLMC_EFORMAT, "it was made of another model");
}

TEST_F(DeviceCode, that_cannot_be_checked_is_refused_where_checks_or_counts_are_asked_for) {
  const std::string plain = model + ".simt", counts = folder + "/counts";
  for (const std::string &options : {std::string("checks=bounds"), std::string("checks=races"),
                                     std::string("checks=bounds+races"), "counts=" + counts}) {
    const ScenarioResult result = runScenario(model, "simt:code=" + plain + "," + options);
    EXPECT_EQ(result.status, LLMC_EUNSUPPORTED) << options;
    EXPECT_EQ(result.error.rfind(plain + ": it was made without --checks", 0), 0u) << result.error;
  }
  EXPECT_FALSE(fs::exists(counts));
  for (const char *options : {",checks=none", ",seed=2"})
    EXPECT_EQ(runScenario(model, "simt:code=" + plain + options).error, "");
  EXPECT_EQ(runScenario(model, "simt:code=" + models + "/llama-gqa.checked.simt,counts=" + counts).error, "");
  EXPECT_GT(fs::file_size(counts), 1000u);
}

TEST_F(DeviceCode, options_that_are_not_known_are_refused) {
  for (const char *options : {"simt:speed=3", "simt:seed=x", "simt:checks=all"}) {
    const ScenarioResult result = runScenario(model, options);
    EXPECT_EQ(result.status, LLMC_EARG);
    EXPECT_NE(result.error.find("expected code=FILE, seed=N"), std::string::npos) << result.error;
  }
}

} // namespace
