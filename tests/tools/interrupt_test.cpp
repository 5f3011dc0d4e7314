// What is unfinished goes away when a signal ends the program, whoever waits for it.
#include "tools/llmc/Common.h"
#include "tools/llmc/Interrupt.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace llmc::cli;
namespace fs = std::filesystem;

namespace {

class InterruptTest : public testing::Test {
protected:
  void SetUp() override {
    fs::remove_all(place);
    fs::create_directories(place / "folder");
    for (int i = 0; i < 300; ++i) // more than one look at the directory holds
      std::ofstream(place / "folder" / (std::to_string(i) + "-a-name-of-some-length.npy")) << i;
    std::ofstream(place / "file") << 1;
    std::ofstream(place / "precious") << 1;
  }
  void TearDown() override { fs::remove_all(place); }

  /// How a child ends that has a file and a folder unfinished and does this.
  int statusOf(const std::function<void()> &body) {
    const pid_t child = fork();
    if (child == 0) {
      Unfinished file((place / "file").string()), folder((place / "folder").string());
      body();
      _exit(7);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return status;
  }
  void expectOnlyPrecious() {
    EXPECT_FALSE(fs::exists(place / "file"));
    EXPECT_FALSE(fs::exists(place / "folder"));
    EXPECT_TRUE(fs::exists(place / "precious"));
  }
  fs::path place = fs::path(testing::TempDir()) / ("interrupt-" + std::to_string(getpid()));
};

} // namespace

TEST_F(InterruptTest, ASignalThatNobodyWaitsFor) {
  for (int signal : {SIGINT, SIGTERM}) {
    SetUp();
    int status = statusOf([&] { raise(signal); });
    EXPECT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(WTERMSIG(status), signal);
    expectOnlyPrecious();
  }
}

TEST_F(InterruptTest, TheSecondOfSomebodyWhoWaitsInVain) {
  testing::internal::CaptureStderr();
  int status = statusOf([&] {
    InterruptScope scope;
    raise(SIGINT);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    raise(SIGINT);
  });
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 1);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "llmc: error: interrupted\n");
  expectOnlyPrecious();
}

TEST_F(InterruptTest, TheFirstLeavesIt) {
  int status = statusOf([&] {
    InterruptScope scope;
    raise(SIGINT);
    _exit(scope.interrupted() ? 3 : 4);
  });
  EXPECT_EQ(WEXITSTATUS(status), 3);
  EXPECT_TRUE(fs::exists(place / "file"));
  EXPECT_TRUE(fs::exists(place / "folder"));
}

TEST_F(InterruptTest, WhatHasItsPlaceStays) {
  int status = statusOf([&] {
    {
      Unfinished other((place / "precious").string());
      other.moveTo((place / "kept").string());
      EXPECT_THROW(Unfinished((place / "none").string()).moveTo((place / "no/where").string()), Failure);
    }
    raise(SIGTERM);
  });
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(fs::exists(place / "kept"));
  EXPECT_FALSE(fs::exists(place / "folder"));
}
