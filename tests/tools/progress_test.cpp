// The progress bar where there is no terminal: silent, or a line per ten percent of slow work when asked for.
#include "tools/support/Progress.h"

#include <cstdlib>
#include <gtest/gtest.h>
#include <thread>

namespace {

std::string output(const char *wish, const auto &body) {
  setenv("LLMC_PROGRESS", wish, 1);
  testing::internal::CaptureStderr();
  body();
  return testing::internal::GetCapturedStderr();
}

TEST(Progress, SilentWithoutTerminal) {
  EXPECT_EQ(output("",
                   [] {
                     llmc::Progress progress("pack", 10);
                     progress.update(5);
                     progress.finish();
                   }),
            "");
}

TEST(Progress, OneLineForQuickWork) {
  std::string text = output("1", [] {
    llmc::Progress progress("pack", 10);
    for (int i = 0; i <= 10; ++i)
      progress.update(i);
    progress.finish();
    progress.finish();
  });
  EXPECT_EQ(text, "pack: 0.0 s\n");
}

TEST(Progress, LinesForSlowWork) {
  std::string text = output("1", [] {
    llmc::Progress progress("pack", 10);
    std::this_thread::sleep_for(std::chrono::milliseconds(2200));
    progress.update(5);
    progress.update(6); // too soon after the last
    progress.finish();
  });
  EXPECT_EQ(text.rfind("pack: 50 %\npack: 2.", 0), 0u) << text;
}

TEST(Progress, UnfinishedWorkSaysNothing) {
  EXPECT_EQ(output("1", [] { llmc::Progress("pack", 0).update(3); }), "");
}

} // namespace
