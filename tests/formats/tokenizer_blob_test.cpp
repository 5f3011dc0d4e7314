//===- tokenizer_blob_test.cpp - tokenizer metadata to compiled form ------===//
#include "frontend/formats/TokenizerBlob.h"

#include "llmc/tokenizer_blob.h"
#include "tests/support/TinyVocabulary.h"

#include <cstring>
#include <functional>
#include <gtest/gtest.h>

using namespace llmc::formats;
using namespace llmc::test;

namespace {

bool build(const GgufWriter &w, std::string &blob, std::string &error) {
  std::string bytes = w.bytes();
  auto f = GgufFile::parse({reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size()}, "t.gguf", error);
  return f && buildTokenizerBlob(*f, blob, error);
}

llmc_tok_header headerOf(const std::string &blob) {
  llmc_tok_header h;
  std::memcpy(&h, blob.data(), sizeof h);
  return h;
}

TEST(TokenizerBlob, HeaderHoldsTheMetadata) {
  std::string blob, error;
  GgufWriter w = TinyVocabulary().writeAll();
  w.add("tokenizer.ggml.add_bos_token", true).add("tokenizer.ggml.padding_token_id", UINT32_MAX);
  w.addString("tokenizer.chat_template.tools", "T").addString("tokenizer.chat_template", "D");
  ASSERT_TRUE(build(w, blob, error)) << error;
  llmc_tok_header h = headerOf(blob);
  EXPECT_EQ(h.total_size, blob.size());
  EXPECT_EQ(h.kind, uint32_t(LLMC_TOK_BYTE_LEVEL_BPE));
  EXPECT_EQ(h.flags, 0u);
  EXPECT_EQ(h.section[LLMC_TOK_SEC_PREFIX].size, 4u);
  EXPECT_EQ(h.section[LLMC_TOK_SEC_SUFFIX].size, 0u);
  EXPECT_EQ(h.n_vocab, TinyVocabulary().tokens.size());
  EXPECT_EQ(h.special[LLMC_TOK_BOS], 0);
  EXPECT_EQ(h.special[LLMC_TOK_EOS], 1);
  EXPECT_EQ(h.special[LLMC_TOK_PAD], -1);
  EXPECT_EQ(h.special[LLMC_TOK_EOT], 2); // found by its name
  for (const llmc_tok_section &s : h.section) {
    EXPECT_EQ(s.offset % LLMC_TOK_ALIGN, 0u);
    EXPECT_LE(s.offset + s.size, blob.size());
  }
  std::string again;
  ASSERT_TRUE(build(w, again, error));
  EXPECT_EQ(blob, again);
}

TEST(TokenizerBlob, NoTokenizerIsOfKindNone) {
  std::string blob, error;
  ASSERT_TRUE(build(GgufWriter().addString("general.architecture", "llama"), blob, error)) << error;
  EXPECT_EQ(headerOf(blob).kind, uint32_t(LLMC_TOK_NONE));
  ASSERT_TRUE(build(GgufWriter().addString("tokenizer.ggml.model", "none"), blob, error)) << error;
  EXPECT_EQ(headerOf(blob).kind, uint32_t(LLMC_TOK_NONE));
}

TEST(TokenizerBlob, NamesImplyDefaults) {
  std::string blob, error;
  TinyVocabulary v;
  v.pre = "llama-bpe";
  ASSERT_TRUE(build(v.writeAll(), blob, error)) << error;
  EXPECT_EQ(headerOf(blob).flags, uint32_t(LLMC_TOK_IGNORE_MERGES));
  EXPECT_EQ(headerOf(blob).section[LLMC_TOK_SEC_PREFIX].size, 4u);
  ASSERT_TRUE(build(v.writeAll().add("tokenizer.ggml.add_bos_token", false), blob, error)) << error;
  EXPECT_EQ(headerOf(blob).section[LLMC_TOK_SEC_PREFIX].size, 0u);
  v.pre = "qwen2";
  ASSERT_TRUE(build(v.writeAll(), blob, error)) << error;
  EXPECT_EQ(headerOf(blob).flags, 0u);
  EXPECT_EQ(headerOf(blob).section[LLMC_TOK_SEC_NORMS].size, sizeof(llmc_tok_norm));
}

TEST(TokenizerBlob, EachBrokenRuleIsNamed) {
  using Change = std::function<GgufWriter(TinyVocabulary)>;
  auto keys = [](std::initializer_list<const char *> list, GgufWriter w = {}) {
    w.addString("tokenizer.ggml.model", "gpt2");
    for (const char *k : list)
      w.addString(k, "gpt-2");
    return w;
  };
  const struct {
    const char *what;
    Change file;
  } files[] = {
      {"'tokenizer.ggml.model' is 'bert', expected 'gpt2'",
       [](auto) { return GgufWriter().addString("tokenizer.ggml.model", "bert"); }},
      {"'tokenizer.ggml.model' is an unsigned integer",
       [](auto) { return GgufWriter().add("tokenizer.ggml.model", uint8_t(1)); }},
      {"'tokenizer.ggml.pre' is absent", [&](auto) { return keys({}); }},
      {"'tokenizer.ggml.pre' is 'klingon', expected one of: bloom, ",
       [](auto v) { return v.pre = "klingon", v.write(); }},
      {"'tokenizer.ggml.tokens' is absent", [&](auto) { return keys({"tokenizer.ggml.pre"}); }},
      {"'tokenizer.ggml.tokens' is a string",
       [&](auto) { return keys({"tokenizer.ggml.pre", "tokenizer.ggml.tokens"}); }},
      {"'tokenizer.ggml.tokens' has element type 5, expected 8",
       [&](auto) {
         return keys({"tokenizer.ggml.pre"}).addNumbers("tokenizer.ggml.tokens", std::vector<int>{1});
       }},
      {"'tokenizer.ggml.tokens' has 0 elements",
       [](auto v) { return v.tokens.clear(), v.types.clear(), v.write(); }},
      {"'tokenizer.ggml.token_type' has 3 elements, expected 274",
       [](auto v) { return v.types.resize(3), v.write(); }},
      {"'tokenizer.ggml.token_type' element 0 is 9", [](auto v) { return v.types[0] = 9, v.write(); }},
      {"'tokenizer.ggml.token_type' element 1 is -1", [](auto v) { return v.types[1] = -1, v.write(); }},
      {"'tokenizer.ggml.scores' has element type 5, expected 6 (f32)",
       [](auto v) { return v.write().addNumbers("tokenizer.ggml.scores", std::vector<int32_t>(274)); }},
      {"'tokenizer.ggml.scores' has 5 elements, expected 274",
       [](auto v) { return v.write().addNumbers("tokenizer.ggml.scores", std::vector<float>(5)); }},
      {"element 7 '<0x-1>' is a byte token",
       [](auto v) { return v.tokens[7] = "<0x-1>", v.types[7] = 6, v.write(); }},
      {"element 13 'zz h': its left part is not a token",
       [](auto v) { return v.merges.push_back("zz h"), v.write(); }},
      {"its right part is not a token", [](auto v) { return v.merges.push_back("h zz"), v.write(); }},
      {"'h h': its result is not a token", [](auto v) { return v.merges.push_back("h h"), v.write(); }},
      {"'he' is not two tokens", [](auto v) { return v.merges.push_back("he"), v.write(); }},
      {"'tokenizer.ggml.bos_token_id' is 274, expected less than 274",
       [](auto v) { return v.write().add("tokenizer.ggml.bos_token_id", uint32_t(274)); }},
      {"'tokenizer.ggml.eos_token_id' is -5",
       [](auto v) { return v.write().add("tokenizer.ggml.eos_token_id", int32_t(-5)); }},
      {"'tokenizer.ggml.add_bos_token' is an unsigned integer",
       [](auto v) { return v.write().add("tokenizer.ggml.add_bos_token", uint32_t(1)); }},
      {"'tokenizer.chat_template' is not a string",
       [](auto v) { return v.write().add("tokenizer.chat_template", uint32_t(1)); }},
  };
  for (auto &bad : files) {
    std::string blob, error;
    EXPECT_FALSE(build(bad.file(TinyVocabulary()), blob, error)) << bad.what;
    EXPECT_NE(error.find(bad.what), std::string::npos) << bad.what << "\n  but: " << error;
    EXPECT_EQ(error.rfind("t.gguf: ", 0), 0u) << error;
  }
}

TEST(TokenizerBlob, MergesAreRequired) {
  std::string blob, error;
  GgufWriter w;
  w.addString("tokenizer.ggml.model", "gpt2").addString("tokenizer.ggml.pre", "gpt-2");
  w.addStrings("tokenizer.ggml.tokens", {"a"});
  EXPECT_FALSE(build(w, blob, error));
  EXPECT_EQ(error, "t.gguf: key 'tokenizer.ggml.merges' is absent, expected an array of strings");
}

} // namespace
