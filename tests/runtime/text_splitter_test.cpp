// The pieces that each named pre-tokenizer makes.
#include "frontend/formats/PreTokenizers.h"
#include "frontend/formats/TokenizerBlob.h"
#include "runtime/Error.h"
#include "runtime/TextSplitter.h"
#include "runtime/TextSplitterScratch.h"
#include "tests/support/TinyVocabulary.h"

#include <gtest/gtest.h>
#include <sstream>

using namespace llmc;
using namespace llmc::test;
using Pieces = std::vector<std::string>;

namespace {

Pieces split(const std::string &pre, std::string_view text) {
  TinyVocabulary v;
  v.pre = pre;
  std::string bytes = v.write().bytes(), blob, error;
  auto f =
      formats::GgufFile::parse({reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size()}, "t", error);
  EXPECT_TRUE(f && formats::buildTokenizerBlob(*f, blob, error)) << error;
  TokenizerData data;
  EXPECT_EQ(data.open(blob.data(), blob.size()), LLMC_OK) << lastError();
  TextSplitter splitter;
  EXPECT_EQ(splitter.open(data), LLMC_OK) << lastError();
  TextSplitter::Scratch scratch;
  std::vector<std::string_view> pieces;
  EXPECT_EQ(splitter.split(text, true, scratch, pieces), LLMC_OK) << lastError();
  return {pieces.begin(), pieces.end()};
}

TEST(TextSplitter, PiecesByName) {
  std::string text = "It's HE'LL  1234 x";
  EXPECT_EQ(split("gpt-2", text), (Pieces{"It", "'s", " HE", "'", "LL", " ", " 1234", " x"}));
  EXPECT_EQ(split("smollm", text), (Pieces{"It", "'s", " HE", "'", "LL", "  ", "1", "2", "3", "4", " x"}));
  EXPECT_EQ(split("llama-bpe", text), (Pieces{"It", "'s", " HE", "'LL", " ", " ", "123", "4", " x"}));
  EXPECT_EQ(split("qwen2", text), (Pieces{"It", "'s", " HE", "'LL", " ", " ", "1", "2", "3", "4", " x"}));
  EXPECT_EQ(split("gpt-4o", text), (Pieces{"It's", " HE'LL", " ", " ", "123", "4", " x"}));
  EXPECT_EQ(split("tekken", text), (Pieces{"It", "'s", " HE", "'LL", " ", " ", "1", "2", "3", "4", " x"}));
  EXPECT_EQ(split("deepseek-v3", text), (Pieces{"It", "'s", " HE", "'LL", "  ", "123", "4", " x"}));
  EXPECT_EQ(split("falcon", "a1234.."), (Pieces{"a", "123", "4", ".."}));
}

TEST(TextSplitter, CaseAndScripts) {
  EXPECT_EQ(split("gpt-4o", "camelCaseWord"), (Pieces{"camel", "Case", "Word"}));
  EXPECT_EQ(split("llama-bpe", "camelCaseWord"), (Pieces{"camelCaseWord"}));
  EXPECT_EQ(split("deepseek-v3", "ab\u4f60\u597dcd"), (Pieces{"ab", "\u4f60\u597d", "cd"}));
  EXPECT_EQ(split("llama-bpe", "x\u017f '\u017f"), (Pieces{"x\u017f", " '", "\u017f"}));
}

TEST(TextSplitter, NothingIsLostAndLongRunsAreFine) {
  std::string names = formats::preTokenizerNames(), name;
  for (char &c : names)
    c = c == ',' ? ' ' : c;
  std::string text = "a\u00e9 \n\n\t x's 12\u00b2 \u4f60\u597d\U0001f600!? ";
  std::string spaces(1 << 20, ' '), letters(1 << 20, 'a');
  std::istringstream list(names);
  size_t count = 0;
  for (; list >> name; ++count) {
    std::string joined;
    for (const std::string &p : split(name, text))
      joined += p;
    EXPECT_EQ(joined, text) << name;
    EXPECT_EQ(split(name, spaces).size(), 1u) << name;
    EXPECT_EQ(split(name, letters).size(), 1u) << name;
  }
  EXPECT_GE(count, 18u);
}

} // namespace
