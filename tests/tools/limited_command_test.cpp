//===- limited_command_test.cpp - programs held to time and memory --------===//
#include "tools/support/LimitedCommand.h"

#include <chrono>
#include <csignal>
#include <fstream>
#include <gtest/gtest.h>
#include <thread>

namespace {

llmc::CommandEnd runShell(const std::string &script, unsigned seconds = 20) {
  std::string error;
  llmc::CommandLimits limits;
  limits.seconds = seconds;
  llmc::CommandEnd end = llmc::runLimited({"/bin/sh", "-c", script}, limits, error);
  EXPECT_EQ(error, "");
  return end;
}

/// Whether the process whose number the text is has ended, or does so soon. Nobody may have asked for its
/// end.
bool isGone(const std::string &text) {
  for (int i = 0; i < 500; ++i) {
    std::ifstream file("/proc/" + std::to_string(std::stoi(text)) + "/stat");
    std::string number, name, state;
    if (!(file >> number >> name >> state) || state == "Z" || state == "X")
      return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

TEST(LimitedCommand, SaysHowItEnded) {
  llmc::CommandEnd end = runShell("echo out; echo err >&2; exit 3");
  EXPECT_EQ(end.exitCode, 3);
  EXPECT_EQ(end.output, "out\nerr\n");
  end = runShell("kill -SEGV $$");
  EXPECT_EQ(end.exitCode, -1);
  EXPECT_EQ(end.signal, SIGSEGV);
}

TEST(LimitedCommand, OneThatWritesIsHeldToTime) {
  llmc::CommandEnd end = runShell("echo begun; sleep 30", 1);
  EXPECT_TRUE(end.isLate);
  EXPECT_EQ(end.exitCode, -1);
  EXPECT_EQ(end.output, "begun\n");
}

TEST(LimitedCommand, SoIsOneThatHasClosedItsOutput) {
  const auto start = std::chrono::steady_clock::now();
  llmc::CommandEnd end = runShell("exec >/dev/null 2>&1; sleep 30", 1);
  EXPECT_TRUE(end.isLate);
  EXPECT_EQ(end.exitCode, -1);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(LimitedCommand, WhatItLeavesBehindEndsWithIt) {
  llmc::CommandEnd end = runShell("sleep 300 >/dev/null 2>&1 & echo $!");
  EXPECT_EQ(end.exitCode, 0);
  EXPECT_TRUE(isGone(end.output));
}

TEST(LimitedCommand, IsEndedFromOutside) {
  std::thread other([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    llmc::endRunningCommands();
  });
  llmc::CommandEnd end = runShell("sleep 30");
  other.join();
  EXPECT_EQ(end.exitCode, -1);
  EXPECT_FALSE(end.isLate);
}

} // namespace
