//===- json_test.cpp - the JSON reader: values, and one per broken rule ---===//
#include "frontend/formats/Json.h"

#include <gtest/gtest.h>

using namespace llmc::formats;

namespace {

/// What is wrong with the text; empty if nothing.
std::string errorOf(std::string_view text, JsonLimits limits = {}) {
  JsonValue value;
  std::string error;
  EXPECT_EQ(parseJson(text, limits, value, error), error.empty());
  return error;
}

TEST(Json, ReadsValues) {
  JsonValue value;
  std::string error;
  ASSERT_TRUE(
      parseJson(R"({"b": [1, -2.5, "é\u00e9\ud83d\ude00", null, true], "a": {}, "": 1e2})", {}, value, error))
      << error;
  ASSERT_TRUE(value.object());
  EXPECT_EQ(value.object()->at(1).key, "a"); // the file's order
  const JsonValue::Array &b = *value.find("b")->array();
  ASSERT_EQ(b.size(), 5u);
  EXPECT_EQ(*b[0].integer(), 1);
  EXPECT_EQ(b[0].number(), 1.0);
  EXPECT_EQ(b[1].number(), -2.5);
  EXPECT_FALSE(b[1].integer());
  EXPECT_EQ(*b[2].string(), "éé\U0001F600");
  EXPECT_TRUE(b[3].isNull());
  EXPECT_TRUE(*b[4].boolean());
  EXPECT_FALSE(b[4].number());
  EXPECT_TRUE(value.find("a")->object()->empty());
  EXPECT_EQ(value.find("")->number(), 100.0);
  EXPECT_EQ(value.find("c"), nullptr);
  EXPECT_EQ(b[0].find("a"), nullptr);
  EXPECT_EQ(value.describe() + ", " + b[1].describe() + ", " + b[2].describe(),
            "an object, -2.5, 'éé\U0001F600'");
}

TEST(Json, IntegersBeyond64BitsAreDoubles) {
  JsonValue value;
  std::string error;
  ASSERT_TRUE(parseJson("[9223372036854775807, 9223372036854775808, -9223372036854775808, "
                        "18446744073709551616, -1e300]",
                        {}, value, error));
  const JsonValue::Array &numbers = *value.array();
  EXPECT_EQ(*numbers[0].integer(), INT64_MAX);
  EXPECT_FALSE(numbers[1].integer());
  EXPECT_EQ(numbers[1].number(), 9223372036854775808.0);
  EXPECT_EQ(*numbers[2].integer(), INT64_MIN);
  EXPECT_EQ(numbers[3].number(), 18446744073709551616.0);
  EXPECT_EQ(numbers[4].number(), -1e300);
}

TEST(Json, EachBrokenRuleIsNamed) {
  EXPECT_EQ(errorOf("{\n\"a\": 1,\n\"a\": 2}"), "has the key 'a' twice in one object");
  EXPECT_EQ(errorOf(R"({"x": {"\u0061": 1, "a": 2}})"), "has the key 'a' twice in one object");
  EXPECT_EQ(errorOf(R"({"x": {"a": 1}, "y": {"a": 2}})"), "");
  EXPECT_EQ(errorOf("{\n\"a\": 1,\n").substr(0, 34), "is not valid JSON at line 3, byte ");
  EXPECT_NE(errorOf("{} x").find("line 1"), std::string::npos);
  EXPECT_NE(errorOf("").find("is not valid JSON"), std::string::npos);
  EXPECT_NE(errorOf("\"\xff\"").find("is not valid JSON"), std::string::npos);
  EXPECT_NE(errorOf("[NaN]").find("is not valid JSON"), std::string::npos);
  EXPECT_NE(errorOf("[1e999]").find("a number is out of range"), std::string::npos);
  EXPECT_EQ(errorOf("\x1b[2J").find('\x1b'), std::string::npos) << "shown as it is on a terminal";
  EXPECT_EQ(errorOf("[1,2,3]", {64, 4}), "");
  EXPECT_EQ(errorOf("[1,2,3,4]", {64, 4}), "holds more than 4 values");
  EXPECT_EQ(errorOf("[[],[]]", {64, 2}), "holds more than 2 values");
  EXPECT_EQ(errorOf("[[[]]]", {3, 100}), "");
  EXPECT_EQ(errorOf("[[[[]]]]", {3, 100}), "nests deeper than 3 levels");
  EXPECT_EQ(errorOf(std::string(1 << 20, '[')), "nests deeper than 64 levels");
}

TEST(Json, DuplicateSearchIsNotQuadratic) {
  std::string text = "{";
  for (int i = 0; i < 200000; ++i)
    text += "\"key" + std::to_string(i) + "\":0,";
  EXPECT_EQ(errorOf(text + "\"key7\":1}"), "has the key 'key7' twice in one object");
  EXPECT_EQ(errorOf(text + "\"last\":1}"), "");
}

} // namespace
