//===- safetensors_test.cpp - the safetensors reader: correct files, and one per broken rule -===//
#include "frontend/formats/Safetensors.h"
#include "tests/support/SafetensorsWriter.h"

#include <cstring>
#include <filesystem>
#include <gtest/gtest.h>

using namespace llmc::formats;
using namespace llmc::test;
namespace fs = std::filesystem;

namespace {

std::unique_ptr<SafetensorsFile> parse(const std::string &bytes, std::string &error) {
  error.clear();
  return SafetensorsFile::parse({reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size()},
                                "t.safetensors", error);
}

std::string errorOf(const std::string &header, const std::string &data) {
  std::string error;
  EXPECT_FALSE(parse(safetensorsBytes(header, data), error)) << header;
  EXPECT_TRUE(error.starts_with("t.safetensors: ")) << error;
  return error.substr(std::min(error.size(), size_t(15)));
}

std::string bytesOf(const WeightTensor *tensor) { return {tensor->data.begin(), tensor->data.end()}; }

TEST(Safetensors, ReadsTensors) {
  SafetensorsWriter w;
  w.add("odd", "U8", "[3]", "abc").add("b", "BF16", "[2,2]", "01234567").add("a", "F32", "[1,1]", "wxyz");
  w.add("scalar", "F16", "[]", "hh").add("none", "F32", "[0,5]", "").add("mask", "I64", "[1]", "12345678");
  std::string error, bytes = w.bytes();
  auto f = parse(bytes, error);
  ASSERT_TRUE(f) << error;
  EXPECT_EQ(f->tensors().size(), 6u);
  EXPECT_EQ(f->tensor("b")->shape, (std::vector<uint64_t>{2, 2}));
  EXPECT_EQ(f->tensor("b")->type, uint32_t(GgmlType::BF16));
  EXPECT_EQ(bytesOf(f->tensor("b")), "01234567");
  EXPECT_EQ(f->tensor("a")->type, uint32_t(GgmlType::F32));
  EXPECT_EQ(bytesOf(f->tensor("a")), "wxyz");
  EXPECT_EQ(f->tensor("a")->typeName(), "f32");
  EXPECT_EQ(f->tensor("scalar")->type, uint32_t(GgmlType::F16));
  EXPECT_TRUE(f->tensor("scalar")->shape.empty());
  EXPECT_TRUE(f->tensor("none")->data.empty());
  EXPECT_EQ(f->tensor("mask")->typeName(), "i64");
  EXPECT_EQ(f->tensor("odd")->typeName(), "u8");
  EXPECT_EQ(f->tensor("odd")->type, WeightTensor::otherType);
  EXPECT_EQ(f->tensor("c"), nullptr);
  EXPECT_EQ(f->partOf(*f->tensor("a")), "t.safetensors");
}

TEST(Safetensors, TakesHeadersAsWritersMakeThem) {
  std::string error;
  // Padded with spaces, metadata, entries in any order, nothing at all.
  EXPECT_TRUE(parse(safetensorsBytes("{}  ", ""), error)) << error;
  EXPECT_TRUE(parse(safetensorsBytes(R"({"__metadata__":{"format":"pt"},
      "b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},
      "a":{"shape":[1],"data_offsets":[0,4],"dtype":"F32"}}   )",
                                     "12345678"),
                    error))
      << error;
}

TEST(Safetensors, EachBrokenRuleIsNamed) {
  auto one = [](const char *dtype, const char *shape, const char *offsets) {
    return std::string("{\"t\":{\"dtype\":") + dtype + ",\"shape\":" + shape +
           ",\"data_offsets\":" + offsets + "}}";
  };
  EXPECT_EQ(errorOf("[]", ""), "not a safetensors file: the header does not begin with '{'");
  EXPECT_EQ(errorOf(" {}", ""), "not a safetensors file: the header does not begin with '{'");
  EXPECT_TRUE(errorOf("{", "").starts_with("the header is not valid JSON at line 1"));
  EXPECT_EQ(errorOf(R"({"t":{},"t":{}})", ""), "the header has the key 't' twice in one object");
  EXPECT_EQ(errorOf(R"({"t":[]})", ""), "tensor 't' is an array, expected an object");
  EXPECT_EQ(errorOf(R"({"__metadata__":3})", ""), "the key '__metadata__' is 3, expected an object");
  EXPECT_EQ(errorOf(R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})", "1234"),
            "tensor 't' has the key 'x', expected dtype, shape and data_offsets");
  EXPECT_EQ(errorOf(R"({"t":{"shape":[1],"data_offsets":[0,4]}})", "1234").substr(0, 33),
            "tensor 't' has the dtype missing,");
  EXPECT_EQ(errorOf(one("\"F4\"", "[2]", "[0,1]"), "1").substr(0, 29), "tensor 't' has the dtype 'F4'");
  EXPECT_EQ(errorOf(one("7", "[2]", "[0,1]"), "1").substr(0, 26), "tensor 't' has the dtype 7");
  EXPECT_EQ(errorOf(one("\"F32\"", "3", "[0,4]"), "1234"),
            "tensor 't' has the shape 3, expected an array of integers");
  EXPECT_EQ(errorOf(one("\"F32\"", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), "1234"),
            "tensor 't' has 9 dimensions, expected at most 8");
  for (const char *extent : {"-1", "1.0", "1e400", "18446744073709551617", "\"1\"", "null"})
    EXPECT_NE(errorOf(one("\"F32\"", ("[" + std::string(extent) + "]").c_str(), "[0,4]"), "1234"), "")
        << extent;
  EXPECT_EQ(errorOf(one("\"F32\"", "[-1]", "[0,4]"), "1234"),
            "tensor 't' has the extent -1, expected an integer that is not negative");
  EXPECT_EQ(errorOf(one("\"F32\"", "[1]", "[0,4,8]"), "1234"),
            "tensor 't' has the data_offsets an array, expected an array of two integers");
  EXPECT_EQ(errorOf(one("\"F32\"", "[1]", "[0,4.0]"), "1234"),
            "tensor 't' has the offset 4.0, expected an integer that is not negative");
  EXPECT_EQ(errorOf(one("\"F32\"", "[1]", "[4,0]"), "1234"), "tensor 't' begins at offset 4 and ends at 0");
  EXPECT_EQ(errorOf(one("\"F32\"", "[2]", "[0,4]"), "1234"),
            "tensor 't' has 4 bytes, expected 8 for its shape and dtype F32");
  EXPECT_EQ(errorOf(one("\"F32\"", "[4611686018427387904]", "[0,0]"), ""),
            "tensor 't' has a shape whose number of bytes overflows");
  EXPECT_EQ(errorOf(one("\"U8\"", "[4294967296,4294967296]", "[0,0]"), ""),
            "tensor 't' has a shape whose number of bytes overflows");
  EXPECT_EQ(errorOf(one("\"F32\"", "[1]", "[0,4]"), "123"),
            "tensor 't' ends at offset 4 of the data, which has 3 bytes");
  EXPECT_EQ(errorOf(one("\"F32\"", "[1]", "[0,4]"), "12345"), "has 1 bytes after the last tensor");
  EXPECT_EQ(errorOf(one("\"F32\"", "[1]", "[1,5]"), "12345"),
            "tensor 't' begins at offset 1 of the data, expected 0, the end of the one before");
  EXPECT_EQ(errorOf(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},
                        "b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})",
                    "123456"),
            "tensor 'b' begins at offset 2 of the data, expected 4, the end of the one before");
  EXPECT_EQ(
      errorOf(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},
                        "b":{"dtype":"F32","shape":[1],"data_offsets":[9223372036854775803,9223372036854775807]}})",
              "1234"),
      "tensor 'b' begins at offset 9223372036854775803 of the data, expected 4, the end of the one before");
  EXPECT_NE(errorOf("{\"a\":" + std::string(1000, '[') + "}", "").find("nests deeper than 8 levels"),
            std::string::npos);
}

TEST(Safetensors, LengthOfTheHeader) {
  std::string error;
  EXPECT_FALSE(parse("1234567", error));
  EXPECT_EQ(error, "t.safetensors: has 7 bytes, expected at least 8, the length of a safetensors header");
  std::string bytes = safetensorsBytes("{}", "");
  for (uint64_t length : {uint64_t(3), uint64_t(100'000'000)}) {
    std::memcpy(bytes.data(), &length, sizeof length);
    EXPECT_FALSE(parse(bytes, error));
    EXPECT_EQ(error, "t.safetensors: file ends inside the header, which has " + std::to_string(length) +
                         " bytes; 2 are left");
  }
  for (uint64_t length : {uint64_t(100'000'001), UINT64_MAX, UINT64_MAX - 7}) {
    std::memcpy(bytes.data(), &length, sizeof length);
    EXPECT_FALSE(parse(bytes, error));
    EXPECT_EQ(error, "t.safetensors: the header has " + std::to_string(length) +
                         " bytes, expected at most 100000000");
  }
}

TEST(Safetensors, EveryCutIsAnErrorAndNoBitCrashes) {
  SafetensorsWriter w;
  w.add("odd", "U8", "[3]", "abc").add("b", "BF16", "[2,2]", "01234567").add("a", "F32", "[1,1]", "wxyz");
  std::string whole = w.bytes(), error;
  for (size_t n = 0; n < whole.size(); ++n) {
    // On the heap with the exact size, so that a sanitizer sees any read behind the end.
    std::vector<uint8_t> cut(whole.begin(), whole.begin() + n);
    error.clear();
    EXPECT_FALSE(SafetensorsFile::parse(cut, "cut", error)) << n;
    EXPECT_NE(error, "");
  }
  for (size_t i = 0; i < whole.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      auto f = parse(damaged, error);
      EXPECT_EQ(!f, !error.empty());
    }
}

/// A folder for the files of one test.
class SafetensorsIndex : public testing::Test {
protected:
  void SetUp() override {
    folder = fs::current_path() / "index_test";
    fs::remove_all(folder);
    fs::create_directory(folder);
    put("one", SafetensorsWriter().add("a", "F32", "[1]", "aaaa").add("both", "F32", "[1]", "1111").bytes());
    put("two", SafetensorsWriter().add("b", "F16", "[1]", "bb").add("both", "F32", "[1]", "2222").bytes());
  }
  void TearDown() override { fs::remove_all(folder); }
  void put(const std::string &name, const std::string &bytes) {
    ASSERT_TRUE(writeBytes(folder / name, bytes));
  }
  std::unique_ptr<WeightFile> open(const std::string &index, std::string &error) {
    put("index.json", index);
    error.clear();
    return WeightFile::open(folder / "index.json", error);
  }
  std::string errorOf(const std::string &index) {
    std::string error;
    EXPECT_FALSE(open(index, error)) << index;
    for (size_t at; (at = error.find(folder.string() + "/")) != std::string::npos;)
      error.erase(at, folder.string().size() + 1);
    return error;
  }
  fs::path folder;
};

TEST_F(SafetensorsIndex, ReadsShards) {
  std::string error;
  auto f = open(R"({"metadata":{"total_size":1},"weight_map":{"b":"two","a":"one","both":"two"}})", error);
  ASSERT_TRUE(f) << error;
  EXPECT_EQ(f->path(), (folder / "index.json").string());
  EXPECT_EQ(f->parts(), (std::vector<std::string>{folder / "one", folder / "two"}));
  EXPECT_EQ(f->tensors().size(), 3u);
  EXPECT_EQ(bytesOf(f->tensor("a")), "aaaa");
  EXPECT_EQ(bytesOf(f->tensor("both")), "2222") << "the index decides";
  EXPECT_EQ(f->partOf(*f->tensor("a")), folder / "one");
  EXPECT_EQ(f->partOf(*f->tensor("b")), folder / "two");
}

TEST_F(SafetensorsIndex, EachBrokenRuleIsNamed) {
  EXPECT_EQ(errorOf(R"({"metadata":{}})"),
            "index.json: key 'weight_map' is missing, expected an object of tensor names and file names");
  EXPECT_EQ(errorOf(R"({"weight_map":["one"]})").substr(0, 45),
            "index.json: key 'weight_map' is an array, exp");
  EXPECT_EQ(errorOf(R"({"weight_map":{"a":1}})"),
            "index.json: key 'weight_map': tensor 'a' is in 1, expected the name of a file");
  EXPECT_EQ(errorOf(R"({"weight_map":{"a":"one","a":"two"}})"),
            "index.json: has the key 'a' twice in one object");
  for (const char *file : {"../one", "/etc/passwd", "x/one", "", ".", "..", "a\\\\b", "one\\u0000"})
    EXPECT_NE(errorOf(std::string(R"({"weight_map":{"a":")") + file + "\"}}")
                  .find("expected the plain name of a file beside the index"),
              std::string::npos)
        << file;
  EXPECT_EQ(errorOf(R"({"weight_map":{"a":"three"}})"),
            "three: cannot open: No such file or directory, which index.json names");
  EXPECT_EQ(errorOf(R"({"weight_map":{"a":"two"}})"),
            "two: there is no tensor 'a', which index.json places there");
  put("one", "12345678{");
  EXPECT_EQ(errorOf(R"({"weight_map":{"a":"one"}})").substr(0, 16), "one: the header ");
  put("three", "");
  EXPECT_EQ(errorOf(R"({"weight_map":{"a":"three"}})").substr(0, 19), "three: has 0 bytes,");
}

} // namespace
