//===- weight_file_test.cpp - formats told by content, and models in several parts -===//
#include "frontend/formats/Gguf.h"
#include "tests/support/GgufWriter.h"
#include "tests/support/SafetensorsWriter.h"

#include <filesystem>
#include <gtest/gtest.h>

using namespace llmc::formats;
using namespace llmc::test;
namespace fs = std::filesystem;

namespace {

/// A folder for the files of one test.
class WeightFiles : public testing::Test {
protected:
  void SetUp() override {
    folder = fs::current_path() / "weight_file_test";
    fs::remove_all(folder);
    fs::create_directory(folder);
  }
  void TearDown() override { fs::remove_all(folder); }
  std::string at(const std::string &name) const { return folder / name; }
  std::string without(std::string error) const {
    for (size_t found; (found = error.find(folder.string() + "/")) != std::string::npos;)
      error.erase(found, folder.string().size() + 1);
    return error;
  }
  std::string errorOf(const std::string &name) const {
    std::string error;
    EXPECT_FALSE(WeightFile::open(at(name), error)) << name;
    return without(error);
  }
  fs::path folder;
};

TEST_F(WeightFiles, ContentTellsTheFormat) {
  ASSERT_TRUE(GgufWriter().addTensor("g", {1}, 0, "1234").write(at("a.safetensors")));
  ASSERT_TRUE(writeBytes(at("b.gguf"), SafetensorsWriter().add("s", "F32", "[1]", "1234").bytes()));
  ASSERT_TRUE(writeBytes(at("c"), "\n {\"weight_map\": {\"s\": \"b.gguf\"}}"));
  std::string error;
  for (auto [name, tensor] : {std::pair("a.safetensors", "g"), {"b.gguf", "s"}, {"c", "s"}}) {
    auto f = WeightFile::open(at(name), error);
    ASSERT_TRUE(f) << error;
    EXPECT_TRUE(f->tensor(tensor)) << name;
    EXPECT_EQ(f->path(), at(name));
  }
}

TEST_F(WeightFiles, WhatItIsNotIsSaid) {
  auto errorOfBytes = [&](std::string_view bytes) {
    EXPECT_TRUE(writeBytes(at("x"), bytes));
    return errorOf("x");
  };
  EXPECT_EQ(errorOfBytes("hello"), "x: is neither a GGUF file nor a safetensors file nor the index of one");
  EXPECT_EQ(errorOfBytes(""), "x: is empty");
  EXPECT_EQ(errorOfBytes("PK\x03\x04...."),
            "x: looks like a PyTorch checkpoint (pickle), which is a program; convert it to safetensors");
  EXPECT_EQ(errorOfBytes("\x80\x02\x8a..").substr(0, 31), "x: looks like a PyTorch checkpo");
  EXPECT_EQ(errorOfBytes("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"),
            "x: is a pointer of Git LFS, not the weights; fetch them with git lfs pull");
  EXPECT_EQ(errorOf("absent"), "absent: cannot open: No such file or directory");
  EXPECT_EQ(errorOf("."), ".: is a directory, expected a file");
}

class SplitGguf : public WeightFiles {
protected:
  struct Part {
    std::optional<uint64_t> number, count, tensors;
    std::vector<std::string> names;
  };
  static Part part(uint64_t number, std::vector<std::string> names) {
    return {number, 3, 4, std::move(names)};
  }
  static std::string name(int number) { return "m-0000" + std::to_string(number) + "-of-00003.gguf"; }
  void write(const std::string &file, const Part &part) {
    GgufWriter w;
    if (part.number == 0)
      w.addString("general.architecture", "llama");
    if (part.number)
      w.add("split.no", uint16_t(*part.number));
    if (part.count)
      w.add("split.count", uint16_t(*part.count));
    if (part.tensors)
      w.add("split.tensors.count", int32_t(*part.tensors));
    for (const std::string &tensor : part.names)
      w.addTensor(tensor, {1}, 0, (tensor + "___").substr(0, 4));
    ASSERT_TRUE(w.write(at(file)));
  }
  void SetUp() override {
    WeightFiles::SetUp();
    write(name(1), part(0, {}));
    write(name(2), part(1, {"d", "c"}));
    write(name(3), part(2, {"a", "b"}));
  }
};

TEST_F(SplitGguf, AnyPartOpensAll) {
  std::string error;
  for (int i = 1; i <= 3; ++i) {
    auto f = GgufFile::open(at(name(i)), error);
    ASSERT_TRUE(f) << error;
    EXPECT_EQ(f->path(), at(name(1))) << "which has the metadata";
    EXPECT_EQ(f->string("general.architecture", error), "llama");
    EXPECT_EQ(f->parts().size(), 3u);
    ASSERT_EQ(f->tensors().size(), 4u);
    EXPECT_EQ(f->tensors()[0].name, "d");
    EXPECT_EQ(f->tensors()[3].name, "b");
    EXPECT_EQ(f->tensor("a")->data[0], 'a');
    EXPECT_EQ(f->partOf(*f->tensor("a")), at(name(3)));
    EXPECT_EQ(f->partOf(*f->tensor("c")), at(name(2)));
    EXPECT_TRUE(WeightFile::open(at(name(i)), error)->tensor("b"));
  }
}

TEST_F(WeightFiles, ReleasedDataIsReadAgain) {
  // Several pages, from the middle of one to the middle of another; and less than a page.
  GgufWriter w;
  std::string data;
  for (uint32_t i = 0; i < 10'000; ++i)
    data.append(reinterpret_cast<const char *>(&i), 4);
  w.addTensor("long", {10'000}, 0, data);
  w.addTensor("short", {4}, 0, "abcdefghijklmnop");
  ASSERT_TRUE(w.write(at("pages.gguf")));
  std::string error;
  auto f = WeightFile::open(at("pages.gguf"), error);
  ASSERT_TRUE(f) << error;
  for (const WeightTensor &tensor : f->tensors()) {
    const std::string before(tensor.data.begin(), tensor.data.end());
    f->release(tensor.data);
    EXPECT_TRUE(std::string(tensor.data.begin(), tensor.data.end()) == before) << tensor.name;
  }
  EXPECT_EQ(f->tensor("long")->data.size(), data.size());
  // What is no part of the file stays as it is.
  std::vector<uint8_t> other(3 << 14, 7);
  f->release(other);
  EXPECT_EQ(other, std::vector<uint8_t>(3 << 14, 7));
}

TEST_F(SplitGguf, OnePartOfOneIsTheModel) {
  std::string error;
  write("only.gguf", {0, 1, 1, {"a"}});
  EXPECT_TRUE(GgufFile::open(at("only.gguf"), error)) << error;
}

TEST_F(SplitGguf, EachBrokenRuleIsNamed) {
  auto errorWith = [&](int number, const Part &broken) {
    SetUp();
    write(name(number), broken);
    return errorOf(name(2));
  };
  fs::remove(at(name(3)));
  EXPECT_EQ(errorOf(name(1)),
            "m-00003-of-00003.gguf: cannot open: No such file or directory, a part of the model in "
            "m-00001-of-00003.gguf");
  EXPECT_EQ(errorWith(3, part(1, {"a", "b"})), "m-00003-of-00003.gguf: key 'split.no' is 1, expected 2");
  EXPECT_EQ(errorWith(3, {{}, 3, 4, {}}), "m-00003-of-00003.gguf: key 'split.no' is missing, expected 2");
  EXPECT_EQ(errorWith(1, {0, 2, 4, {}}), "m-00001-of-00003.gguf: key 'split.count' is 2, expected 3");
  EXPECT_EQ(errorWith(1, {0, {}, 4, {}}), "m-00001-of-00003.gguf: key 'split.count' is missing, expected 3");
  EXPECT_EQ(errorWith(3, part(2, {"a"})),
            "m-00001-of-00003.gguf: key 'split.tensors.count' is 4, expected 3");
  EXPECT_EQ(errorWith(3, part(2, {"a", "d"})),
            "m-00003-of-00003.gguf: tensor 'd' occurs twice, the other time in "
            "m-00002-of-00003.gguf");
  EXPECT_EQ(errorWith(2, {3, 3, 4, {}}), "m-00002-of-00003.gguf: key 'split.no' is 3, expected 0 to 2");
  EXPECT_EQ(errorWith(2, {1, 60000, 4, {}}),
            "m-00002-of-00003.gguf: key 'split.count' is 60000, expected at most 4096");
  EXPECT_EQ(errorWith(2, {2, 3, 4, {}}),
            "m-00002-of-00003.gguf: is part 3 of 3, expected a file name that ends in -00003-of-00003.gguf");
  SetUp();
  fs::copy(at(name(2)), at("renamed.gguf"));
  EXPECT_EQ(errorOf("renamed.gguf"),
            "renamed.gguf: is part 2 of 3, expected a file name that ends in -00002-of-00003.gguf");
  ASSERT_TRUE(writeBytes(at(name(3)), "GGU"));
  EXPECT_EQ(errorOf(name(1)).substr(0, 33), "m-00003-of-00003.gguf: file ends ");
}

} // namespace
