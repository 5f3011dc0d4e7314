// Work in a process of its own, and how an evaluation comes back from it.
#include "tools/gate/EvaluationBytes.h"
#include "tools/gate/Isolated.h"

#include <gtest/gtest.h>

#include <csignal>
#include <mutex>
#include <thread>
#include <unistd.h>

using namespace llmc::tools;

namespace {

TEST(IsolatedTest, HandsOverWhatTheWorkWrites) {
  const std::string large(5 << 20, 'x'); // more than a pipe holds
  int here = 1;
  IsolatedEnd end = runIsolated([&](llvm::raw_ostream &out) {
    here = 2;
    out << large;
  });
  EXPECT_EQ(end.crash, "");
  EXPECT_EQ(end.result, large);
  EXPECT_EQ(here, 1);
}

TEST(IsolatedTest, SaysHowWorkCrashes) {
  IsolatedNote note;
  IsolatedEnd end = runIsolated([&](llvm::raw_ostream &out) {
    out << "half";
    note.set(std::string(600, 'n'));
    std::fputs("  first words\nothers\n", stderr);
    std::raise(SIGSEGV);
  });
  EXPECT_EQ(end.crash, "Segmentation fault: first words");
  EXPECT_EQ(end.result, "");
  EXPECT_EQ(note.get(), std::string(511, 'n'));
  EXPECT_EQ(runIsolated([](llvm::raw_ostream &) { std::abort(); }).crash, "Aborted");
  EXPECT_EQ(runIsolated([](llvm::raw_ostream &) { _exit(3); }).crash, "exit code 3");
}

TEST(IsolatedTest, RefusesToForkBesideThreads) {
  std::mutex held;
  held.lock();
  std::thread other([&] { std::lock_guard wait(held); });
  EXPECT_EQ(runIsolated([](llvm::raw_ostream &) {}).crash, "other threads run");
  held.unlock();
  other.join();
}

TEST(EvaluationBytesTest, ComesBackWholeOrNotAtAll) {
  Evaluation before;
  EvaluatedValue &value = before.values.emplace_back();
  value.key = {3, "h_attn", 1};
  value.hasName = true;
  value.kernel = "linear";
  value.columns = 2;
  value.rows[{1, 4}] = {1.5f, -0.0f};
  value.rows[{0, 2}] = {};
  before.logits.key.name = "logits";
  before.logits.stride = 7;
  std::string bytes;
  llvm::raw_string_ostream out(bytes);
  writeEvaluation(before, out);
  std::optional<Evaluation> after = readEvaluation(bytes);
  ASSERT_TRUE(after);
  ASSERT_EQ(after->values.size(), 1u);
  const EvaluatedValue &found = after->values[0];
  EXPECT_EQ(found.key, value.key);
  EXPECT_TRUE(found.hasName);
  EXPECT_EQ(found.kernel, "linear");
  EXPECT_EQ(found.columns, 2u);
  EXPECT_EQ(found.rows, value.rows);
  EXPECT_EQ(after->logits.stride, 7u);
  EXPECT_EQ(after->logits.key.name, "logits");
  for (size_t n = 0; n < bytes.size(); ++n)
    EXPECT_FALSE(readEvaluation(llvm::StringRef(bytes).take_front(n))) << n;
  EXPECT_FALSE(readEvaluation(bytes + "x"));
}

} // namespace
