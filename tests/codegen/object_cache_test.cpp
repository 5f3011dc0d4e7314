// The cache of compiled units: what it finds again, what it refuses, what it forgets.
#include "codegen/ObjectCache.h"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <thread>
#include <unistd.h>

using namespace llmc::codegen;
namespace fs = std::filesystem;

namespace {

class ObjectCacheTest : public testing::Test {
protected:
  void SetUp() override {
    folder = testing::TempDir() + "/object-cache-" + std::to_string(getpid());
    fs::remove_all(folder);
  }
  void TearDown() override { fs::remove_all(folder); }

  std::string found(const std::string &key) {
    llvm::SmallString<0> object;
    return ObjectCache(folder).find(key, object) ? object.str().str() : "(absent)";
  }
  fs::path file(const std::string &key) { return fs::path(folder) / (key + ".o"); }
  std::string folder;
};

} // namespace

TEST_F(ObjectCacheTest, FindsWhatWasStored) {
  std::string key = ObjectCache::keyOf("text");
  EXPECT_EQ(found(key), "(absent)");
  ObjectCache(folder).store(key, "object");
  EXPECT_EQ(found(key), "object");
  EXPECT_EQ(found(ObjectCache::keyOf("other text")), "(absent)");
}

TEST_F(ObjectCacheTest, NoFolderKeepsNothing) {
  ObjectCache cache("");
  cache.store("key", "object");
  llvm::SmallString<0> object;
  EXPECT_FALSE(cache.find("key", object));
}

TEST_F(ObjectCacheTest, AFolderThatCannotBeWrittenIsNoError) {
  std::ofstream(folder) << "a file where the folder should be";
  ObjectCache(folder).store("key", "object");
  EXPECT_EQ(found("key"), "(absent)");
}

TEST_F(ObjectCacheTest, DamagedFilesCountAsAbsent) {
  std::string object(1000, 'x');
  ObjectCache(folder).store("key", object);
  uint64_t size = fs::file_size(file("key"));
  for (uint64_t at : {uint64_t(0), uint64_t(8), uint64_t(16), size / 2, size - 1}) { // any byte
    std::fstream bytes(file("key"), std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekg(at);
    char old = bytes.get();
    bytes.seekp(at);
    bytes.put(old ^ 1);
    bytes.close();
    EXPECT_EQ(found("key"), "(absent)") << at;
    ObjectCache(folder).store("key", object);
    EXPECT_EQ(found("key"), object);
  }
  for (uint64_t length : {uint64_t(0), uint64_t(7), uint64_t(24), size - 1}) { // any length
    fs::resize_file(file("key"), length);
    EXPECT_EQ(found("key"), "(absent)") << length;
    ObjectCache(folder).store("key", object);
  }
}

TEST_F(ObjectCacheTest, ForgetsWhatWasUnusedForLongest) {
  auto age = [&](const fs::path &path, int hours) {
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(hours));
  };
  auto key = [](const char *text) { return ObjectCache::keyOf(text); };
  std::string object(1000, 'x');
  for (const char *text : {"oldest", "older", "used"})
    ObjectCache(folder).store(key(text), object);
  const std::string killed = folder + "/" + key("killed") + ".o.18a2f-77-3.tmp";
  std::ofstream(killed) << object;
  age(killed, 5);
  age(file(key("oldest")), 4);
  age(file(key("older")), 3);
  age(file(key("used")), 6);
  // Files of somebody else are older, and neither go nor count.
  const std::vector<std::string> theirs = {"main.o",          "notes.tmp",       key("x"),
                                           key("x") + ".obj", key("x") + ".tmp", "0" + key("x") + ".o"};
  for (const std::string &name : theirs) {
    std::ofstream(folder + "/" + name) << std::string(5000, 'y');
    age(folder + "/" + name, 9);
  }
  EXPECT_EQ(found(key("used")), object);               // which makes it the youngest
  ObjectCache(folder, 3200).store(key("new"), object); // three with their headers
  EXPECT_FALSE(fs::exists(killed));
  EXPECT_EQ(found(key("oldest")), "(absent)");
  EXPECT_EQ(found(key("older")), object);
  EXPECT_EQ(found(key("used")), object);
  EXPECT_EQ(found(key("new")), object);
  for (const std::string &name : theirs)
    EXPECT_TRUE(fs::exists(folder + "/" + name)) << name;
}

TEST_F(ObjectCacheTest, ManyWritersAndReaders) {
  // Each key has one right object; a reader sees it whole or not at all, while others write and forget.
  auto objectOf = [](int i) { return std::string(5000 + i, char('a' + i)); };
  std::atomic<int> wrong = 0, hits = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int round = 0; round < 50; ++round)
        for (int i = 0; i < 4; ++i) {
          ObjectCache cache(folder, 12000);
          llvm::SmallString<0> object;
          if (cache.find(ObjectCache::keyOf(std::to_string(i)), object)) {
            ++hits;
            wrong += object.str() != objectOf(i);
          } else if ((t + round) % 2) {
            cache.store(ObjectCache::keyOf(std::to_string(i)), objectOf(i));
          }
        }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(hits, 0);
}
