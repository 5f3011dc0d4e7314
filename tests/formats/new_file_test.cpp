// What processes that were killed have left beside a place goes; what has an owner, or is somebody's own,
// stays.
#include "frontend/formats/NewFile.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <set>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace fs = std::filesystem;
using namespace llmc::formats;

namespace {

class NewFileTest : public testing::Test {
protected:
  void SetUp() override { fs::create_directories(folder); }
  void TearDown() override { fs::remove_all(folder); }

  std::string at(const std::string &name) const { return (folder / name).string(); }
  void touch(const std::string &name) const { std::ofstream(at(name)) << name; }
  std::set<std::string> names() const {
    std::set<std::string> found;
    for (const fs::directory_entry &entry : fs::directory_iterator(folder))
      found.insert(entry.path().filename().string());
    return found;
  }
  /// Makes a file beside model.so in a process that is killed; its name.
  std::string leave(const char *suffix) const {
    const std::set<std::string> before = names();
    if (const pid_t child = fork(); child == 0) {
      std::string name;
      createBeside(at("model.so"), suffix, name);
      raise(SIGKILL);
    } else {
      waitpid(child, nullptr, 0);
    }
    for (const std::string &name : names())
      if (!before.contains(name))
        return name;
    return "";
  }

  const fs::path folder = fs::path(testing::TempDir()) / ("new-file-" + std::to_string(getpid()));
};

} // namespace

TEST_F(NewFileTest, LeftoversGo) {
  const std::string linked = leave(".tmp");
  touch(linked + ".elf"); // as the linker leaves it
  touch(linked + ".18a2f00000000000-7-1.elf.tmp4711");
  leave("");
  EXPECT_EQ(names().size(), 4u);
  std::string place = at("model.so");
  EXPECT_EQ(preparePlace(place, {}), "");
  EXPECT_EQ(names(), std::set<std::string>());
}

TEST_F(NewFileTest, WhatHasAnOwnerStays) {
  for (const char *suffix : {"", ".tmp"}) {
    std::string name;
    const int owner = createBeside(at("model.so"), suffix, name);
    ASSERT_GE(owner, 0);
    std::ofstream(name + ".elf") << 1;
    removeLeftovers(at("model.so"));
    EXPECT_TRUE(fs::exists(name) && fs::exists(name + ".elf"));
    const int duplicate = dup(owner); // holds the lock, too
    close(owner);
    removeLeftovers(at("model.so"));
    EXPECT_TRUE(fs::exists(name));
    close(duplicate);
    removeLeftovers(at("model.so"));
    EXPECT_EQ(names(), std::set<std::string>());
  }
}

TEST_F(NewFileTest, OtherFilesStay) {
  const std::set<std::string> others = {"model.so",
                                        "model.so.2026-11-23",
                                        "model.so.18a2f-77-3.tmp",
                                        "model.so.18a2f00000000000-77.tmp",
                                        "model.so.18a2f00000000000-77-3.elf",
                                        "model.so.18a2f00000000000-77-3tmp",
                                        "model.so.18A2F00000000000-77-3.tmp",
                                        "model.so.18a2f00000000000-77-3.tmpfile",
                                        "other.so.18a2f00000000000-77-3.tmp"};
  for (const std::string &name : others)
    touch(name);
  // Neither a pipe nor a link is followed or waited for.
  const std::string pipe = "model.so.18a2f00000000000-77-5", link = "model.so.18a2f00000000000-77-6";
  ASSERT_EQ(mkfifo(at(pipe).c_str(), 0600), 0);
  fs::create_symlink("model.so", at(link));
  removeLeftovers(at("model.so"));
  std::set<std::string> expected = others;
  expected.insert({pipe, link});
  EXPECT_EQ(names(), expected);
}

TEST_F(NewFileTest, AFolderNeedNotBeNamed) {
  leave(".tmp");
  fs::current_path(folder);
  removeLeftovers("model.so");
  fs::current_path("/");
  EXPECT_EQ(names(), std::set<std::string>());
}
