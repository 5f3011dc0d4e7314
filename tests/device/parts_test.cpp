// Parts of a device's half of the runtime, each by itself over the stub of the driver: what whole models come
// to only with many tokens or large files.
#include "runtime/device/DeviceModel.h"
#include "runtime/device/Devices.h"
#include "runtime/device/PageTables.h"
#include "runtime/device/RecordedSteps.h"
#include "runtime/device/StepResults.h"
#include "tests/device/stub_cuda.h"

#include <algorithm>
#include <cstring>
#include <gtest/gtest.h>

using namespace llmc;

namespace {

/// Bytes of which no two parts are alike.
std::vector<uint8_t> someBytes(size_t n) {
  std::vector<uint8_t> bytes(n);
  for (size_t i = 0; i + 8 <= n; i += 8) {
    const uint64_t word = (i + 1) * 0x9E3779B97F4A7C15;
    std::memcpy(bytes.data() + i, &word, 8);
  }
  return bytes;
}

std::unique_ptr<Device> openStub() {
  std::unique_ptr<Device> device;
  EXPECT_EQ(openCuda({}, "", device), LLMC_OK) << lastError();
  return device;
}

class Parts : public testing::Test {
protected:
  void SetUp() override {
    openStub(); // what is called once in a process comes before the calls that are counted
    llmc_stub_fail_at(0);
  }
  void TearDown() override {
    llmc_stub_fail_at(0);
    EXPECT_EQ(llmc_stub_left(), 0u);
  }
};

/// A model without kernels.
class Upload : public Parts {
protected:
  Upload() { program.program = &module; }
  static bool note(const char *, uint64_t done, uint64_t, void *ud) {
    Upload &self = *static_cast<Upload *>(ud);
    self.told.push_back(done);
    return done <= self.cancelBehind;
  }
  llmc_status load(DeviceModel &model) {
    told.clear();
    return model.load(openStub(), program, bytes, "a model", note, this);
  }

  static constexpr uint64_t chunk = 16 << 20;
  llmc_module module = {};
  llmc_device program = {};
  const std::vector<uint8_t> bytes = someBytes(3 * chunk + 4328);
  std::vector<uint64_t> told;
  uint64_t cancelBehind = UINT64_MAX;
};

TEST_F(Upload, of_weights_in_many_chunks) {
  DeviceModel model;
  ASSERT_EQ(load(model), LLMC_OK) << lastError();
  EXPECT_EQ(told, (std::vector<uint64_t>{chunk, 2 * chunk, 3 * chunk, bytes.size()}));
  std::vector<uint8_t> there(bytes.size());
  DeviceUse use(model.device());
  ASSERT_EQ(model.device().copyOut(there.data(), model.weights(), there.size()), LLMC_OK) << lastError();
  ASSERT_EQ(model.device().synchronize(), LLMC_OK) << lastError();
  EXPECT_TRUE(there == bytes);
}

/// The copy of the third chunk, and the wait for the second, which comes before it.
TEST_F(Upload, that_fails_midway_leaves_nothing) {
  uint64_t copies = 0, third = 0;
  {
    DeviceModel model;
    ASSERT_EQ(load(model), LLMC_OK) << lastError();
    for (uint64_t call = 1; !third; ++call) {
      ASSERT_TRUE(llmc_stub_call(call));
      copies += std::string(llmc_stub_call(call)) == "cuMemcpyHtoDAsync_v2";
      third = copies == 3 ? call : 0;
    }
  }
  for (uint64_t call : {third, third - 1}) {
    DeviceModel model;
    llmc_stub_fail_at(call);
    EXPECT_EQ(load(model), LLMC_EIO);
    ASSERT_TRUE(llmc_stub_failed_call());
    EXPECT_STREQ(llmc_stub_failed_call(), call == third ? "cuMemcpyHtoDAsync_v2" : "cuStreamSynchronize");
    EXPECT_EQ(told, (std::vector<uint64_t>{chunk, 2 * chunk}));
  }
  EXPECT_EQ(llmc_stub_left(), 0u);
  DeviceModel model;
  cancelBehind = chunk;
  EXPECT_EQ(load(model), LLMC_ECANCELLED);
  EXPECT_EQ(told, (std::vector<uint64_t>{chunk, 2 * chunk}));
}

/// Rows of logits of 1 MiB and some more, and small hidden ones: few are copied behind the launches, more are
/// fetched in parts. Both ways they are the same.
TEST_F(Parts, results_larger_than_what_is_copied_at_once) {
  constexpr uint64_t most = 5, logitsBytes = (1 << 20) + 264, hiddenBytes = 520;
  const llmc_buffer buffers[] = {{LLMC_ROWS_ASKED, LLMC_NONE, logitsBytes},
                                 {LLMC_ROWS_HIDDEN, LLMC_NONE, hiddenBytes}};
  llmc_module module = {};
  module.n_buffers = 2, module.buffers = buffers, module.logits_buffer = 0, module.hidden_buffer = 1;
  llmc_device program = {};
  program.program = &module;
  DeviceModel model;
  ASSERT_EQ(model.load(openStub(), program, {}, "a model", nullptr, nullptr), LLMC_OK) << lastError();
  Device &device = model.device();
  DeviceUse use(device);
  const std::vector<uint8_t> logits = someBytes(most * logitsBytes), hidden = someBytes(most * hiddenBytes);
  DeviceMemory there[2];
  ASSERT_EQ(there[0].allocate(device, logits.size(), "logits"), LLMC_OK);
  ASSERT_EQ(there[1].allocate(device, hidden.size(), "hidden rows"), LLMC_OK);
  ASSERT_EQ(device.copyIn(there[0].address(), logits.data(), logits.size()), LLMC_OK);
  ASSERT_EQ(device.copyIn(there[1].address(), hidden.data(), hidden.size()), LLMC_OK);
  ASSERT_EQ(device.synchronize(), LLMC_OK);
  const std::vector<DeviceAddress> addresses = {there[0].address(), there[1].address()};
  const std::vector<DeviceAddress> ofTurns[turns] = {addresses, addresses};
  WorkspacePlan workspace = {};
  workspace.nBatch = most, workspace.bufferOffsets = {0, logits.size()};
  DevicePlan plan;
  ASSERT_EQ(planDevice(program, workspace, "test", plan), LLMC_OK) << lastError();
  StepResults results;
  ASSERT_EQ(results.create(model, workspace, plan, ofTurns), LLMC_OK) << lastError();
  for (uint64_t rows : {3, 5}) {
    StepShape shape = {};
    shape.rows[LLMC_ROWS_ASKED] = shape.rows[LLMC_ROWS_HIDDEN] = rows;
    std::vector<uint8_t> arena(logits.size() + hidden.size()), summaries;
    llmc_stub_fail_at(0);
    ASSERT_EQ(results.queueCopies(shape), LLMC_OK) << lastError();
    EXPECT_EQ(llmc_stub_calls(), rows == 3 ? 2u : 0u);
    ASSERT_EQ(device.synchronize(), LLMC_OK) << lastError();
    ASSERT_EQ(results.read(shape, arena.data(), summaries), LLMC_OK) << lastError();
    EXPECT_EQ(std::memcmp(arena.data(), logits.data(), rows * logitsBytes), 0) << rows;
    EXPECT_EQ(std::memcmp(arena.data() + logits.size(), hidden.data(), rows * hiddenBytes), 0) << rows;
  }
}

/// 64 shapes are known at a time; another one takes the place of all, once they are done.
TEST_F(Parts, another_shape_than_64_forgets_them) {
  constexpr uint32_t known = 64;
  const std::unique_ptr<Device> device = openStub();
  DeviceUse use(*device);
  DeviceMemory source;
  StagingMemory copies;
  uint32_t values[known + 1];
  for (uint32_t i = 0; i <= known; ++i)
    values[i] = i + 1;
  ASSERT_EQ(source.allocate(*device, sizeof values, "values"), LLMC_OK);
  ASSERT_EQ(copies.allocate(*device, sizeof values), LLMC_OK);
  ASSERT_EQ(device->copyIn(source.address(), values, sizeof values), LLMC_OK);
  RecordedSteps recorded;
  uint32_t asked = 0;
  bool waits = true;
  auto run = [&](uint32_t i) {
    StepShape shape = {};
    shape.keys = i;
    uint32_t *const copy = reinterpret_cast<uint32_t *>(copies.data()) + i;
    *copy = 0;
    EXPECT_EQ(recorded.run(*device, shape,
                           [&] {
                             ++asked;
                             return device->copyOut(copy, source.address() + i * sizeof *copy, sizeof *copy);
                           }),
              LLMC_OK)
        << lastError();
    if (waits)
      EXPECT_EQ(device->synchronize(), LLMC_OK) << lastError();
    EXPECT_EQ(*copy, waits ? values[i] : 0);
  };
  const uint64_t before = llmc_stub_left();
  for (int round = 0; round < 3; ++round)
    for (uint32_t i = 0; i < known; ++i)
      run(i);
  EXPECT_EQ(asked, 2 * known) << "done, recorded, repeated";
  EXPECT_EQ(llmc_stub_left() - before, known) << "graphs";
  waits = false;
  run(0); // a step ahead
  waits = true;
  run(known);
  EXPECT_EQ(llmc_stub_left(), before) << "graphs under way are not given back";
  asked = 0;
  for (uint32_t i : {0u, 0u, 0u, known, known})
    run(i);
  EXPECT_EQ(asked, 3u);
  EXPECT_EQ(llmc_stub_left() - before, 2u);
  recorded.clear();
}

/// Of more than 1024 changes that no step comes between, those of a table become one. Two tables: caches with
/// pages of 16 and of 32 tokens.
TEST_F(Parts, more_changes_of_page_tables_than_are_noted) {
  constexpr uint32_t sequences = 1500, context = 256;
  llmc_kv_layout layouts[2] = {};
  layouts[0].page_tokens = 16, layouts[1].page_tokens = 32;
  layouts[0].page_bytes = layouts[1].page_bytes = 64;
  const uint8_t isUsed[] = {1, 1};
  const std::unique_ptr<Device> device = openStub();
  KVCache cache;
  ASSERT_EQ(cache.create(layouts, isUsed, {sequences, context, sequences * 64}, nullptr, device.get()),
            LLMC_OK)
      << lastError();
  DeviceUse use(*device);
  PageTables tables;
  DevicePlan plan = {};
  cache.eachTable(
      [&](std::span<const int32_t> table) { plan.tables = nextTable(plan.tables, table.size()); });
  ASSERT_EQ(tables.create(*device, plan, cache), LLMC_OK) << lastError();
  auto expectSent = [&] {
    EXPECT_LT(cache.tableChanges(0).size(), sequences); // there were two of each sequence
    ASSERT_EQ(tables.send(cache), LLMC_OK) << lastError();
    EXPECT_TRUE(cache.tableChanges(0).empty());
    cache.eachTable([&](std::span<const int32_t> table) {
      std::vector<int32_t> there(table.size());
      ASSERT_EQ(device->copyOut(there.data(), tables.addressOf(table.data()), table.size_bytes()), LLMC_OK);
      ASSERT_EQ(device->synchronize(), LLMC_OK) << lastError();
      EXPECT_TRUE(std::ranges::equal(there, table));
    });
  };
  for (uint32_t i = 0; i < sequences; ++i) {
    llmc_seq seq = -1;
    ASSERT_EQ(cache.newSequence(seq), LLMC_OK);
  }
  for (uint32_t i = 0; i < sequences; ++i) // in another order than that of the table
    cache.extend(llmc_seq(i * 701 % sequences), 1);
  expectSent();
  for (uint32_t i = 0; i < sequences; ++i)
    i % 3 ? cache.extend(llmc_seq(i), 40) : cache.truncate(llmc_seq(i), 0);
  expectSent();
}

} // namespace
