//===- gguf_test.cpp - the GGUF reader: correct files, and one per broken rule -===//
#include "frontend/formats/Gguf.h"
#include "tests/support/GgufWriter.h"

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <gtest/gtest.h>
#include <unistd.h>

using namespace llmc::formats;
using llmc::test::GgufWriter;

namespace {

GgufWriter smallModel() {
  GgufWriter w;
  w.addString("general.architecture", "llama").add("n", uint32_t(7)).add("negative", int32_t(-3));
  w.add("eps", 0.5f).add("flag", true).addStrings("words", {"a", "", "ccc"});
  w.addNumbers("counts", std::vector<int32_t>{1, -2, 3}).add("wide", uint64_t(1) << 40);
  w.addTensor("a", {2, 3}, 0, std::string(24, 'a'));
  w.addTensor("b", {2, 64}, 3, std::string(80, 'b'));
  return w;
}

std::unique_ptr<GgufFile> parse(const std::string &bytes, std::string &error) {
  return GgufFile::parse({reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size()}, "test.gguf", error);
}

TEST(Gguf, ReadsValuesAndTensors) {
  std::string bytes = smallModel().bytes(), error;
  auto f = parse(bytes, error);
  ASSERT_TRUE(f) << error;
  EXPECT_EQ(f->version(), 3u);
  EXPECT_EQ(f->path(), "test.gguf");
  EXPECT_EQ(f->string("general.architecture", error), "llama");
  EXPECT_EQ(f->integer("n", error), 7u);
  EXPECT_EQ(f->integer("wide", error), uint64_t(1) << 40);
  EXPECT_EQ(f->number("eps", error), 0.5);
  EXPECT_EQ(f->number("negative", error), -3);
  EXPECT_EQ(f->boolean("flag", error), true);
  ASSERT_TRUE(f->array("words", error));
  EXPECT_EQ(f->array("words", error)->strings, (std::vector<std::string_view>{"a", "", "ccc"}));
  EXPECT_EQ(f->array("counts", error)->numbers, (std::vector<double>{1, -2, 3}));
  EXPECT_EQ(error, "");
  ASSERT_EQ(f->tensors().size(), 2u);
  const GgufTensor *b = f->tensor("b");
  ASSERT_TRUE(b);
  EXPECT_EQ(b->shape, (std::vector<uint64_t>{2, 64}));
  EXPECT_EQ(b->type, uint32_t(GgmlType::Q4_1));
  EXPECT_EQ(std::string(b->data.begin(), b->data.end()), std::string(80, 'b'));
  EXPECT_EQ(f->tensor("c"), nullptr);
  EXPECT_EQ(f->value("c"), nullptr);
}

TEST(Gguf, WrongTypeNamesKeyAndExpectation) {
  std::string bytes = smallModel().bytes(), error;
  auto f = parse(bytes, error);
  ASSERT_TRUE(f);
  EXPECT_FALSE(f->integer("absent", error));
  EXPECT_EQ(error, "");
  EXPECT_FALSE(f->integer("general.architecture", error));
  EXPECT_EQ(error, "test.gguf: key 'general.architecture' is a string, expected an integer");
  EXPECT_FALSE(f->integer("negative", error));
  EXPECT_EQ(error, "test.gguf: key 'negative' is -3, expected an integer that is not negative");
  EXPECT_FALSE(f->integer("eps", error));
  EXPECT_FALSE(f->number("flag", error));
  EXPECT_FALSE(f->boolean("n", error));
  EXPECT_FALSE(f->string("n", error));
  EXPECT_FALSE(f->array("n", error));
  EXPECT_EQ(error, "test.gguf: key 'n' is an unsigned integer, expected an array");
}

TEST(Gguf, Version2AndScalarsAndAlignment) {
  GgufWriter w;
  w.version = 2;
  w.alignTo(8).add("general.alignment", uint32_t(8));
  w.addTensor("x", {}, 0, "1234").addTensor("y", {1}, 0, "5678");
  std::string bytes = w.bytes(), error;
  auto f = parse(bytes, error);
  ASSERT_TRUE(f) << error;
  EXPECT_TRUE(f->tensor("x")->shape.empty());
  EXPECT_EQ(f->tensor("y")->data[0], '5');
}

TEST(Gguf, UnknownTensorTypeIsKept) {
  std::string bytes = GgufWriter().addTensor("t", {4}, 31, std::string(16, 0)).bytes(), error;
  auto f = parse(bytes, error);
  ASSERT_TRUE(f) << error;
  EXPECT_EQ(f->tensor("t")->type, 31u);
  EXPECT_TRUE(f->tensor("t")->data.empty());
  EXPECT_EQ(ggmlTypeInfo(31), nullptr);
  EXPECT_EQ(ggmlTypeInfo(4000000000u), nullptr);
}

struct BadFile {
  const char *what; // what the message must say
  std::function<void(GgufWriter &)> breakIt;
};

TEST(Gguf, EachBrokenRuleIsNamed) {
  const uint64_t huge = UINT64_MAX;
  const BadFile files[] = {
      {"first four bytes", [](auto &w) { w.magic = "GGML"; }},
      {"big-endian", [](auto &w) { w.version = 3u << 24; }},
      {"version 1", [](auto &w) { w.version = 1; }},
      {"version 4, expected 2 or 3", [](auto &w) { w.version = 4; }},
      {"tensor count is", [=](auto &w) { w.tensorCount = huge; }},
      {"metadata count is", [=](auto &w) { w.keyCount = huge; }},
      {"more than the", [](auto &w) { w.keyCount = 1000000; }},
      {"file ends inside", [](auto &w) { w.addRaw("k", 8, w.rawBytes(uint64_t(1000))); }},
      {"expected at most 67108864", [=](auto &w) { w.addRaw("k", 8, w.rawBytes(huge)); }},
      {"unknown value type 13", [](auto &w) { w.addRaw("k", 13, "12345678"); }},
      {"neither 0 nor 1", [](auto &w) { w.addArray("k", 7, 1, "\x02"); }},
      {"expected 0 or 1", [](auto &w) { w.addRaw("k", 7, "\x02"); }},
      {"array of arrays", [](auto &w) { w.addArray("k", 9, 1, std::string(64, 0)); }},
      {"unknown element type 99", [](auto &w) { w.addArray("k", 99, 1, std::string(64, 0)); }},
      {"expected at most 16777216", [=](auto &w) { w.addArray("k", 4, huge / 4, std::string(64, 0)); }},
      {"file ends inside key 'k'", [](auto &w) { w.addArray("k", 4, 1000000, std::string(64, 0)); }},
      {"file ends inside key 'k'", [](auto &w) { w.addArray("k", 8, 1000000, std::string(64, 0)); }},
      {"key 'n' occurs twice", [](auto &w) { w.add("n", uint32_t(1)); }},
      {"expected 4 (u32)", [](auto &w) { w.add("general.alignment", uint64_t(32)); }},
      {"expected a power of two", [](auto &w) { w.add("general.alignment", uint32_t(48)); }},
      {"expected a power of two", [](auto &w) { w.add("general.alignment", uint32_t(0)); }},
      {"expected a power of two", [](auto &w) { w.add("general.alignment", uint32_t(1) << 17); }},
      {"expected a power of two", [](auto &w) { w.add("general.alignment", uint32_t(4)); }},
      {"tensor 'a' occurs twice", [](auto &w) { w.addTensor("a", {1}, 0, "1234"); }},
      {"expected at most 64", [](auto &w) { w.addTensor(std::string(65, 'x'), {1}, 0, "1234"); }},
      {"5 dimensions", [](auto &w) { w.addTensor("t", {1, 1, 1, 1, 1}, 0, "1234"); }},
      {"empty dimension 0", [](auto &w) { w.addTensor("t", {2, 0}, 0, "1234"); }},
      {"number of values overflows",
       [](auto &w) { w.addTensor("t", {uint64_t(1) << 32, uint64_t(1) << 32}, 0, "1234"); }},
      {"number of bytes overflows", [](auto &w) { w.addTensor("t", {uint64_t(1) << 62}, 0, "1234"); }},
      {"expected a multiple of 32", [](auto &w) { w.addTensor("t", {2, 48}, 3, std::string(60, 0)); }},
      {"expected a multiple of 32", [](auto &w) { w.addTensor("t", {1}, 0, "1234", 4); }},
      {"starts at offset", [=](auto &w) { w.addTensor("t", {1}, 0, "1234", huge & ~uint64_t(31)); }},
      {"starts at offset", [](auto &w) { w.addTensor("t", {4}, 31, "", 1 << 20); }},
      {"needs 4096 bytes", [](auto &w) { w.addTensor("t", {1024}, 0, "1234"); }},
      {"'a' and 't' overlap", [](auto &w) { w.addTensor("t", {1}, 0, "1234", 0); }},
      {"'b' and 't' overlap", [](auto &w) { w.addTensor("t", {1}, 0, "1234", 64); }},
      {"key 'a\\x1b[2J'", [](auto &w) { w.addRaw("a\x1b[2J", 13, ""); }},
  };
  for (const BadFile &bad : files) {
    GgufWriter w = smallModel();
    bad.breakIt(w);
    std::string bytes = w.bytes(), error;
    EXPECT_FALSE(parse(bytes, error)) << bad.what;
    EXPECT_NE(error.find(bad.what), std::string::npos) << bad.what << "\n  but: " << error;
    EXPECT_EQ(error.rfind("test.gguf: ", 0), 0u) << error;
  }
}

TEST(Gguf, EveryCutIsAnErrorAndNoByteCrashes) {
  std::string whole = smallModel().bytes(), error;
  for (size_t n = 0; n + 1 < whole.size(); ++n) {
    // On the heap with the exact size, so that a sanitizer sees any read behind the end.
    std::vector<uint8_t> cut(whole.begin(), whole.begin() + n);
    auto f = GgufFile::parse(cut, "cut", error);
    if (n + 32 < whole.size()) // the last tensor's padding may be absent
      EXPECT_FALSE(f) << n;
  }
  for (size_t i = 0; i < whole.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      parse(damaged, error);
    }
}

TEST(Gguf, OpenReportsPaths) {
  std::string error;
  EXPECT_FALSE(GgufFile::open("/nonexistent/model.gguf", error));
  EXPECT_EQ(error, "/nonexistent/model.gguf: cannot open: No such file or directory");
  EXPECT_FALSE(GgufFile::open("/", error));
  EXPECT_EQ(error, "/: is a directory, expected a file");
  EXPECT_FALSE(GgufFile::open("/dev/null", error));
  EXPECT_EQ(error, "/dev/null: is not a regular file");

  std::string path = testing::TempDir() + "llmc_gguf_test_" + std::to_string(getpid()) + ".gguf";
  ASSERT_TRUE(smallModel().write(path));
  auto f = GgufFile::open(path, error);
  std::remove(path.c_str());
  ASSERT_TRUE(f) << error;
  EXPECT_EQ(f->tensor("a")->data[0], 'a');
}

TEST(Gguf, ReadsTheDemoModel) {
  const char *path = std::getenv("LLMC_DEMO_MODEL");
  if (!path || !*path || access(path, R_OK) != 0)
    GTEST_SKIP() << "LLMC_DEMO_MODEL names no readable file";
  std::string error;
  auto f = GgufFile::open(path, error);
  ASSERT_TRUE(f) << error;
  EXPECT_EQ(f->string("general.architecture", error), "llama");
  EXPECT_EQ(f->tensors().size(), 272u);
  EXPECT_EQ(f->tensor("token_embd.weight")->shape, (std::vector<uint64_t>{49152, 576}));
  EXPECT_EQ(f->array("tokenizer.ggml.tokens", error)->size(), 49152u);
}

} // namespace
