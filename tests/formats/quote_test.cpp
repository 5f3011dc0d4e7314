//===- quote_test.cpp - text from files, as messages show it --------------===//
#include "frontend/formats/Json.h"
#include "frontend/formats/Quote.h"
#include "frontend/formats/TokenizerReaders.h"

#include <gtest/gtest.h>

using namespace llmc::formats;

TEST(Quote, WhatCommandsATerminalIsSpelledOut) {
  EXPECT_EQ(printableText("plain é 🙂"), "plain é 🙂");
  EXPECT_EQ(printableText("\x1b[31m\x07\x7f"), "\\x1b[31m\\x07\\x7f");
  EXPECT_EQ(printableText("\xc2\x9b"
                          "a\xc2\xa0"),
            "\\xc2\\x9ba\xc2\xa0"); // U+009B, U+00A0
  EXPECT_EQ(printableText("\x9b\xff\xe2\x82"
                          "a\xc3"),
            "\\x9b\\xff\\xe2\\x82a\\xc3"); // no UTF-8
  EXPECT_EQ(printableText(""), "");
}

TEST(Quote, LongTextIsCutBetweenCharacters) {
  EXPECT_EQ(quotedText("short"), "'short'");
  EXPECT_EQ(quotedText(std::string(80, 'a')), "'" + std::string(80, 'a') + "'");
  EXPECT_EQ(quotedText(std::string(79, 'a') + "éé"), "'" + std::string(79, 'a') + "...'");
  EXPECT_EQ(quotedText(std::string(1000, '\xbf')).find('\xbf'), std::string::npos);
}

TEST(Quote, WhatAParserRepeatsOfAFileIsShortAndPrintable) {
  JsonValue out;
  std::string error;
  EXPECT_FALSE(parseObject("{\"a\": \"\x1b[31m" + std::string(100'000, 'x'), "t.json", out, error));
  EXPECT_TRUE(error.starts_with("t.json: is not valid JSON")) << error;
  EXPECT_EQ(error.find('\x1b'), std::string::npos);
  EXPECT_LT(error.size(), 400u);
  EXPECT_FALSE(parseObject("{\"a\": " + std::string(100'000, 'x'), "t.json", out, error));
  EXPECT_LT(error.size(), 400u);
}
