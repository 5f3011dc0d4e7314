// Sessions of one model on a GPU, over the stub of the driver: while one waits for its step the others ask
// for theirs, and none has a part in what another one computes.
#include "tests/device/Scenario.h"
#include "tests/device/StubModel.h"

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <gtest/gtest.h>
#include <mutex>
#include <thread>

using namespace llmc::test;

namespace {

/// Where two threads wait for each other, again and again.
class Meeting {
public:
  void come() {
    std::unique_lock lock(mutex);
    const uint32_t both = (came++ / 2 + 1) * 2;
    changed.notify_all();
    // As long as that only where nobody comes: then no other meeting makes sense.
    if (!changed.wait_for(lock, std::chrono::seconds(30), [&] { return wasMissed || came >= both; })) {
      wasMissed = true;
      changed.notify_all();
    }
  }
  uint32_t came = 0;
  bool wasMissed = false;

private:
  std::mutex mutex;
  std::condition_variable changed;
};

Meeting *meeting = nullptr;
std::function<void()> *meanwhile = nullptr;

class Sessions : public testing::Test {
protected:
  void SetUp() override {
    model = loadOnStub();
    ASSERT_TRUE(model);
  }
  void TearDown() override {
    llmc_stub_when_waiting(nullptr);
    llmc_stub_fail_at(0);
    llmc_model_release(model);
    EXPECT_EQ(llmc_stub_left(), 0u);
  }
  llmc_model *model = nullptr;
};

TEST_F(Sessions, wait_at_the_same_time) {
  const Text expected[] = {writeText(model, 3), writeText(model, 11)};
  ASSERT_EQ(expected[0].error, "");
  ASSERT_NE(expected[0].tokens, expected[1].tokens);
  Meeting place;
  meeting = &place;
  llmc_stub_when_waiting([] { meeting->come(); });
  Text found[2];
  std::thread other([&] { found[1] = writeText(model, 11); });
  found[0] = writeText(model, 3);
  other.join();
  EXPECT_FALSE(place.wasMissed) << "while one waited, the other could not ask for its step";
  EXPECT_EQ(place.came, 2 * textSteps);
  for (int i : {0, 1}) {
    EXPECT_EQ(found[i].error, "");
    EXPECT_TRUE(found[i] == expected[i]) << i;
  }
}

TEST_F(Sessions, of_many_threads_write_what_each_writes_alone) {
  constexpr llmc_token firsts[] = {3, 11, 23};
  std::vector<Text> expected, found(std::size(firsts));
  for (llmc_token first : firsts)
    expected.push_back(writeText(model, first));
  std::vector<std::thread> threads;
  for (size_t i = 0; i < std::size(firsts); ++i)
    threads.emplace_back([&, i] {
      for (int round = 0; round < 3; ++round) // sessions come and go beside others
        found[i] = writeText(model, firsts[i]);
    });
  for (std::thread &thread : threads)
    thread.join();
  for (size_t i = 0; i < std::size(firsts); ++i) {
    EXPECT_EQ(found[i].error, "");
    EXPECT_TRUE(found[i] == expected[i]) << i;
  }
}

/// A session to disturb others with.
class Other {
public:
  explicit Other(llmc_model *model) : model(model), session(newSession(model, 32, 8, 2)) {
    EXPECT_EQ(llmc_seq_new(session, &seq), LLMC_OK) << llmc_last_error();
    const llmc_token prompt[] = {7, 5, 2};
    EXPECT_EQ(llmc_prefill(session, seq, prompt, 3), LLMC_OK) << llmc_last_error();
  }
  ~Other() { llmc_session_free(session); }
  /// Leaves the sequence as it was.
  std::vector<float> decode() {
    const float *row = nullptr;
    size_t n = 0;
    EXPECT_EQ(llmc_decode(session, seq, 9), LLMC_OK) << llmc_last_error();
    EXPECT_EQ(llmc_logits(session, -1, &row, &n), LLMC_OK) << llmc_last_error();
    std::vector<float> logits(row, row + n);
    EXPECT_EQ(llmc_kv_remove(session, seq, 3, -1), LLMC_OK);
    return logits;
  }
  void failInEachCall() {
    for (uint64_t call = 1;; ++call) {
      llmc_stub_fail_at(call);
      const llmc_status status = llmc_decode(session, seq, 9);
      const bool hasFailed = llmc_stub_failed_call();
      llmc_stub_fail_at(0);
      if (status == LLMC_OK) // the last of its calls may fail, which gives the context back
        EXPECT_EQ(llmc_kv_remove(session, seq, 3, -1), LLMC_OK);
      if (!hasFailed)
        return;
    }
  }
  void saveAndLoad() {
    std::string bytes;
    auto write = [](const void *p, size_t n, void *ud) {
      static_cast<std::string *>(ud)->append(static_cast<const char *>(p), n);
      return llmc_status(LLMC_OK);
    };
    auto read = [](void *p, size_t n, void *ud) {
      std::string &from = *static_cast<std::string *>(ud);
      std::memcpy(p, from.data(), n);
      from.erase(0, n);
      return llmc_status(LLMC_OK);
    };
    llmc_seq loaded = -1;
    EXPECT_EQ(llmc_kv_save(session, seq, write, &bytes), LLMC_OK) << llmc_last_error();
    EXPECT_EQ(llmc_kv_load(session, read, &bytes, &loaded), LLMC_OK) << llmc_last_error();
    EXPECT_EQ(llmc_seq_free(session, std::exchange(seq, loaded)), LLMC_OK);
  }
  /// A step ahead that nobody wants stays under way.
  void generateTooMuch() {
    llmc_sampling_params sampling;
    llmc_sampling_params_init(&sampling, sizeof sampling);
    llmc_sampler *sampler = nullptr;
    EXPECT_EQ(llmc_sampler_new(model, &sampling, &sampler), LLMC_OK);
    llmc_generate_params params;
    llmc_generate_params_init(&params, sizeof params);
    params.flags = LLMC_GENERATE_IGNORE_EOS;
    EXPECT_EQ(llmc_decode(session, seq, 9), LLMC_OK) << llmc_last_error();
    const uint64_t before = llmc_stub_waits_ahead();
    int32_t stop = 0;
    auto first = [](const llmc_event *, void *) { return false; };
    EXPECT_EQ(llmc_generate(session, seq, sampler, &params, first, nullptr, &stop), LLMC_OK)
        << llmc_last_error();
    EXPECT_GT(llmc_stub_waits_ahead(), before);
    EXPECT_EQ(llmc_kv_remove(session, seq, 3, -1), LLMC_OK);
    llmc_sampler_free(sampler);
  }
  llmc_model *model;
  llmc_session *session = nullptr;
  llmc_seq seq = -1;
};

/// Calls `meanwhile` while somebody waits, but not for its own waits.
void whenWaiting() {
  llmc_stub_when_waiting(nullptr);
  (*meanwhile)();
  llmc_stub_when_waiting(whenWaiting);
}

/// Everything that another session may do, between the launches of a step and its end.
TEST_F(Sessions, do_not_see_what_others_do_meanwhile) {
  const Text expected = writeText(model, 3);
  Other other(model);
  const std::vector<float> expectedOther = other.decode();
  uint32_t waits = 0;
  std::function<void()> work = [&] {
    switch (waits++ % 5) {
    case 0:
      return other.failInEachCall();
    case 1:
      return other.saveAndLoad();
    case 2:
      return other.generateTooMuch();
    case 3:
      Other(model).generateTooMuch();
      return; // and is gone again
    case 4:
      EXPECT_EQ(other.decode(), expectedOther);
      return;
    }
  };
  meanwhile = &work;
  llmc_stub_when_waiting(whenWaiting);
  const Text found = writeText(model, 3);
  llmc_stub_when_waiting(nullptr);
  EXPECT_EQ(found.error, "");
  EXPECT_TRUE(found == expected);
  EXPECT_EQ(waits, textSteps);
  EXPECT_EQ(other.decode(), expectedOther);
}

TEST_F(Sessions, whose_wait_fails_leave_others_alone) {
  Other one(model), other(model);
  const std::vector<float> expected = other.decode();
  std::function<void()> work = [&] {
    other.generateTooMuch();
    llmc_stub_fail_at(1);
  };
  meanwhile = &work;
  llmc_stub_when_waiting(whenWaiting);
  EXPECT_EQ(llmc_decode(one.session, one.seq, 9), LLMC_EIO);
  llmc_stub_when_waiting(nullptr);
  EXPECT_STREQ(llmc_stub_failed_call(), "cuEventSynchronize");
  EXPECT_NE(std::string(llmc_last_error()).find("cuEventSynchronize: CUDA_ERROR_INJECTED"), std::string::npos)
      << llmc_last_error();
  EXPECT_EQ(llmc_seq_len(one.session, one.seq), 3);
  EXPECT_EQ(one.decode(), expected);
  EXPECT_EQ(other.decode(), expected);
}

} // namespace
