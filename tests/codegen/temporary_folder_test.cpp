//===- temporary_folder_test.cpp - folders for what nobody keeps ----------===//
#include "codegen/TemporaryFolder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>

using llmc::codegen::TemporaryFolder;
namespace fs = std::filesystem;

namespace {

/// Files, more than one system call lists; folders in folders; a link to what is to stay.
void fill(const TemporaryFolder &folder, const fs::path &stays) {
  const fs::path place = folder.path();
  fs::create_directories(place / "a/b");
  for (int i = 0; i < 500; ++i)
    std::ofstream(place / "a" / ("a file with a name that takes some room " + std::to_string(i))) << i;
  std::ofstream(place / "a/b/c") << "c";
  fs::create_directory_symlink(stays, place / "a/link");
}

TEST(TemporaryFolder, GoesWithTheObject) {
  TemporaryFolder stays("llmc-test");
  std::ofstream(stays.path() + "/file") << "x";
  std::string place;
  {
    TemporaryFolder folder("llmc-test");
    ASSERT_EQ(folder.error(), "");
    place = folder.path();
    fill(folder, stays.path());
  }
  EXPECT_FALSE(fs::exists(place));
  EXPECT_TRUE(fs::exists(stays.path() + "/file"));
}

TEST(TemporaryFolder, AllThatThereAreGoWithASignal) {
  TemporaryFolder outside("llmc-test");
  const fs::path kept = outside.path() + "-kept";
  fs::create_directory(kept);
  std::ofstream(kept / "file") << "x";
  std::optional<TemporaryFolder> first("llmc-test"), second("llmc-test"), third("llmc-test");
  const std::string gone = second->path();
  second.reset(); // not the last that was made
  fill(*first, kept);
  fill(*third, kept);
  llmc::codegen::removeTemporaryFolders();
  for (const std::string &place : {outside.path(), first->path(), third->path(), gone})
    EXPECT_FALSE(fs::exists(place)) << place;
  EXPECT_TRUE(fs::exists(kept / "file"));
  fs::remove_all(kept);
}

} // namespace
