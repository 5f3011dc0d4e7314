// Encoding, decoding and the C API of the tokenizer, on a tiny vocabulary and on that of a real model.
#include "frontend/formats/TokenizerBlob.h"
#include "llmc/llmc.h"
#include "runtime/Tokenizer.h"
#include "tests/support/TinyVocabulary.h"

#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <unistd.h>

using namespace llmc;
using namespace llmc::test;
using Tokens = std::vector<llmc_token>;

namespace {

std::string blobOf(const GgufWriter &w) {
  std::string bytes = w.bytes(), blob, error;
  auto f =
      formats::GgufFile::parse({reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size()}, "t", error);
  EXPECT_TRUE(f && formats::buildTokenizerBlob(*f, blob, error)) << error;
  return blob;
}

Tokens encode(const Tokenizer &t, std::string_view text, bool parse, bool addSpecial = false) {
  Tokens out;
  Tokenizer::Segment s{text, parse};
  EXPECT_EQ(t.encode({&s, 1}, addSpecial, out), LLMC_OK) << lastError();
  return out;
}

std::string decode(const Tokenizer &t, const Tokens &tokens, bool skip = false) {
  std::string out;
  EXPECT_EQ(t.decode(tokens, skip, out), LLMC_OK) << lastError();
  return out;
}

class TinyTokenizer : public testing::Test {
protected:
  using V = TinyVocabulary;
  TinyVocabulary vocabulary;
  std::string blob;
  Tokenizer t;

  void SetUp() override {
    blob = blobOf(vocabulary.writeAll().add("tokenizer.ggml.add_bos_token", true));
    ASSERT_EQ(t.open(blob.data(), blob.size()), LLMC_OK) << lastError();
  }
  llmc_token merged(std::string_view spelling) {
    for (size_t i = V::FirstMerge; i < vocabulary.tokens.size(); ++i)
      if (vocabulary.tokens[i] == spelling)
        return static_cast<llmc_token>(i);
    ADD_FAILURE() << spelling;
    return -1;
  }
  static llmc_token byte(unsigned char b) { return V::FirstByte + b; }
};

TEST_F(TinyTokenizer, MergesByRank) {
  EXPECT_EQ(encode(t, "hello", false), (Tokens{merged("hello")}));
  EXPECT_EQ(encode(t, "hellp", false), (Tokens{merged("hell"), byte('p')}));
  // "ll" has a lower rank than "ld", so the pair of l merges first.
  EXPECT_EQ(encode(t, "llld", false), (Tokens{merged("ll"), merged("ld")}));
  EXPECT_EQ(encode(t, " wor", false), (Tokens{merged(V::spell(' ') + "wor")}));
  EXPECT_EQ(encode(t, "aaaaaaa", false), (Tokens{merged("aaaa"), merged("aa"), byte('a')}));
  EXPECT_EQ(encode(t, "", false), Tokens{});
}

TEST_F(TinyTokenizer, LongPiecesMergeLikeTheDefinition) {
  std::map<std::pair<std::string, std::string>, size_t> rank;
  for (size_t i = 0; i < vocabulary.merges.size(); ++i) {
    const std::string &m = vocabulary.merges[i];
    rank[{m.substr(0, m.find(' ')), m.substr(m.find(' ') + 1)}] = i;
  }
  std::mt19937 random(7);
  for (size_t length : {1, 2, 47, 48, 49, 50, 200, 1500}) {
    std::string text;
    for (size_t i = 0; i < length; ++i)
      text += "aaahelold"[random() % 9];
    std::vector<std::string> parts;
    for (char c : text)
      parts.emplace_back(1, c);
    for (;;) {
      size_t best = SIZE_MAX, at = 0;
      for (size_t i = 0; i + 1 < parts.size(); ++i)
        if (auto it = rank.find({parts[i], parts[i + 1]}); it != rank.end() && it->second < best)
          best = it->second, at = i;
      if (best == SIZE_MAX)
        break;
      parts[at] += parts[at + 1];
      parts.erase(parts.begin() + at + 1);
    }
    Tokens expected;
    for (const std::string &p : parts)
      expected.push_back(p.size() == 1 ? byte(p[0]) : merged(p));
    EXPECT_EQ(encode(t, text, false), expected) << text;
  }
  std::string million(1 << 20, 'a');
  EXPECT_EQ(encode(t, million, false), Tokens(1 << 18, merged("aaaa")));
}

TEST_F(TinyTokenizer, SpecialTokens) {
  EXPECT_EQ(encode(t, "<s>", true), (Tokens{V::Bos}));
  EXPECT_EQ(encode(t, "<s>", false), (Tokens{byte('<'), byte('s'), byte('>')}));
  // Tokens that the model's author defined are found in any text; the longest wins.
  EXPECT_EQ(encode(t, "<user>", false), (Tokens{V::User}));
  EXPECT_EQ(encode(t, "<user>2", false), (Tokens{V::UserLong}));
  EXPECT_EQ(encode(t, "x<user><user>2y", false), (Tokens{byte('x'), V::User, V::UserLong, byte('y')}));
  EXPECT_EQ(encode(t, "hello<|im_end|>", true), (Tokens{merged("hello"), V::ImEnd}));
  EXPECT_EQ(encode(t, "<|im_end|", true).size(), 9u);
  EXPECT_EQ(encode(t, "a", true, true), (Tokens{V::Bos, byte('a')}));
  EXPECT_EQ(t.special("bos"), V::Bos);
  EXPECT_EQ(t.special("eot"), V::ImEnd);
  EXPECT_EQ(t.special("pad"), -1);
  EXPECT_EQ(t.special("nonsense"), -1);
  EXPECT_EQ(Tokens(t.stopTokens().begin(), t.stopTokens().end()), (Tokens{V::Eos, V::ImEnd}));
  EXPECT_TRUE(t.isStop(V::Eos));
  EXPECT_FALSE(t.isStop(V::Bos));
  EXPECT_EQ(t.find("<s>"), V::Bos);
  EXPECT_EQ(t.find("hello"), merged("hello"));
  EXPECT_EQ(t.find("nope"), -1);
}

TEST_F(TinyTokenizer, SegmentsKeepWhatUsersTypePlain) {
  auto segments = [&](std::vector<Tokenizer::Segment> list) {
    Tokens out;
    EXPECT_EQ(t.encode(list, false, out), LLMC_OK) << lastError();
    return out;
  };
  EXPECT_EQ(segments({{"<s>", true}, {"<s>", false}, {"</s>", true}}),
            (Tokens{V::Bos, byte('<'), byte('s'), byte('>'), V::Eos}));
  // Neither side alone may complete a special token.
  EXPECT_EQ(segments({{"<", true}, {"s>", false}}), (Tokens{byte('<'), byte('s'), byte('>')}));
  EXPECT_EQ(segments({{"<s", false}, {">", true}}), (Tokens{byte('<'), byte('s'), byte('>')}));
  // Neighbours with the same origin are one text.
  EXPECT_EQ(segments({{"<", true}, {"", false}, {"s>", true}}), (Tokens{V::Bos}));
  // Plain text is cut and merged across segments.
  EXPECT_EQ(segments({{"he", true}, {"llo", false}}), (Tokens{merged("hello")}));
  EXPECT_EQ(segments({}), Tokens{});
}

TEST_F(TinyTokenizer, AnyBytesRoundTrip) {
  std::mt19937 random(3);
  for (int i = 0; i < 2000; ++i) {
    std::string text;
    for (int n = static_cast<int>(random() % 40); n > 0; --n)
      text += static_cast<char>(random() % 3 ? random() % 256 : "h el\xc3\xa9\n"[random() % 8]);
    EXPECT_EQ(decode(t, encode(t, text, true)), text);
  }
  EXPECT_EQ(encode(t, "\xc3\xa9", false), (Tokens{merged(V::spell(0xc3) + V::spell(0xa9))}));
  EXPECT_EQ(encode(t, "a\xff", false), (Tokens{byte('a'), byte(0xff)}));
}

TEST_F(TinyTokenizer, StreamsWholeCharacters) {
  auto stream = [&](const std::string &bytes) {
    Detokenizer d(t, false);
    std::vector<std::string> out;
    for (unsigned char b : bytes) {
      std::string_view text;
      EXPECT_EQ(d.push(byte(b), text), LLMC_OK);
      out.emplace_back(text);
    }
    out.emplace_back(d.flush());
    return out;
  };
  using Texts = std::vector<std::string>;
  EXPECT_EQ(stream("a\xc3\xa9"), (Texts{"a", "", "\xc3\xa9", ""}));
  EXPECT_EQ(stream("\xf0\x9f\x98\x80"), (Texts{"", "", "", "\xf0\x9f\x98\x80", ""}));
  EXPECT_EQ(stream("\xf0\x9f"
                   "a"),
            (Texts{"", "",
                   "\xef\xbf\xbd"
                   "a",
                   ""}));
  EXPECT_EQ(stream("\xff"), (Texts{"\xef\xbf\xbd", ""}));
  EXPECT_EQ(stream("\xe4\xbd"), (Texts{"", "", "\xef\xbf\xbd"}));
  EXPECT_EQ(stream("\xed\xa0\x80"), (Texts{"", "\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd", ""}));
  Detokenizer skipping(t, true);
  std::string_view text = "x";
  EXPECT_EQ(skipping.push(V::Bos, text), LLMC_OK);
  EXPECT_EQ(text, "");
  EXPECT_EQ(skipping.push(99999, text), LLMC_EARG);
}

TEST_F(TinyTokenizer, IgnoreMergesAndNormalization) {
  TinyVocabulary v;
  v.tokens.push_back("xyz");
  v.types.push_back(1);
  std::string plain = blobOf(v.writeAll());
  v.pre = "llama-bpe";
  std::string whole = blobOf(v.writeAll());
  v.pre = "qwen2";
  std::string nfc = blobOf(v.writeAll());
  Tokenizer a, b, c;
  ASSERT_EQ(a.open(plain.data(), plain.size()) | b.open(whole.data(), whole.size()) |
                c.open(nfc.data(), nfc.size()),
            0);
  EXPECT_EQ(encode(a, "xyz", false).size(), 3u);
  EXPECT_EQ(encode(b, "xyz", false), (Tokens{static_cast<llmc_token>(v.tokens.size() - 1)}));
  std::string decomposed = "e\xcc\x81";
  EXPECT_EQ(encode(a, decomposed, false).size(), 3u);
  EXPECT_EQ(encode(c, decomposed, false), encode(a, "\xc3\xa9", false));
}

TEST(Tokenizer, BytesThatTheVocabularyLacksAreDropped) {
  TinyVocabulary v;
  v.tokens[TinyVocabulary::FirstByte + 'x'] = "<unused>";
  std::string blob = blobOf(v.writeAll());
  Tokenizer t;
  ASSERT_EQ(t.open(blob.data(), blob.size()), LLMC_OK);
  EXPECT_EQ(decode(t, encode(t, "hexllo", false)), "hello");
}

TEST(Tokenizer, NoneRefusesText) {
  std::string blob = blobOf(GgufWriter());
  Tokenizer t;
  ASSERT_EQ(t.open(blob.data(), blob.size()), LLMC_OK);
  Tokens out;
  Tokenizer::Segment s{"a", true};
  EXPECT_EQ(t.encode({&s, 1}, false, out), LLMC_EUNSUPPORTED);
  EXPECT_EQ(t.special("bos"), -1);
  EXPECT_EQ(t.chatTemplate(), "");
  EXPECT_FALSE(t.isToken(0));
  EXPECT_TRUE(t.stopTokens().empty());
}

TEST(Tokenizer, ChatTemplatesByName) {
  std::string blob = blobOf(TinyVocabulary()
                                .writeAll()
                                .addString("tokenizer.chat_template.tools", "with tools")
                                .addString("tokenizer.chat_template", "default"));
  Tokenizer t;
  ASSERT_EQ(t.open(blob.data(), blob.size()), LLMC_OK);
  EXPECT_EQ(t.chatTemplate(), "default");
  EXPECT_EQ(t.chatTemplate("tools"), "with tools");
  EXPECT_EQ(t.chatTemplate("rag"), "");
  ASSERT_EQ(t.templateCount(), 2u);
  EXPECT_EQ(t.templateName(1), "tools");
}

TEST(Tokenizer, DamagedBlocksAreRefusedOrHarmless) {
  std::string blob = blobOf(TinyVocabulary().writeAll());
  Tokenizer t;
  for (size_t n = 0; n < blob.size(); n += 1 + n / 50) {
    std::vector<uint64_t> cut((n + 7) / 8 + 1);
    std::memcpy(cut.data(), blob.data(), n);
    EXPECT_NE(t.open(cut.data(), n), LLMC_OK) << n;
  }
  EXPECT_EQ(t.open(blob.data() + 1, blob.size() - 1), LLMC_EARG);

  std::mt19937 random(11);
  std::vector<uint64_t> copy((blob.size() + 7) / 8);
  for (int i = 0; i < 3000; ++i) {
    std::memcpy(copy.data(), blob.data(), blob.size());
    auto *bytes = reinterpret_cast<uint8_t *>(copy.data());
    // Half of the changes in the header, where they matter most.
    size_t at = random() % (i % 2 ? blob.size() : sizeof(llmc_tok_header));
    bytes[at] ^= 1u << random() % 8;
    Tokenizer damaged;
    if (damaged.open(copy.data(), blob.size()) != LLMC_OK)
      continue;
    Tokens out;
    Tokenizer::Segment s{
        "hello <s> wor\n\n\xff 123 <user>2 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true};
    if (damaged.encode({&s, 1}, true, out) == LLMC_OK)
      decode(damaged, out);
  }
}

TEST(TokenizerApi, SizesAndErrors) {
  std::string blob = blobOf(TinyVocabulary().writeAll());
  llmc_tokenizer *t = nullptr;
  EXPECT_EQ(llmc_tokenizer_open(nullptr, 0, &t), LLMC_EARG);
  EXPECT_EQ(llmc_tokenizer_open(blob.data(), 10, &t), LLMC_EFORMAT);
  EXPECT_EQ(t, nullptr);
  ASSERT_EQ(llmc_tokenizer_open(blob.data(), blob.size(), &t), LLMC_OK);

  size_t n = 77;
  EXPECT_EQ(llmc_tokenize(t, "hellohello!", 11, 0, nullptr, 0, &n), LLMC_OK);
  EXPECT_EQ(n, 3u); // hello, hello, !
  llmc_token buf[8];
  std::fill(std::begin(buf), std::end(buf), -7);
  EXPECT_EQ(llmc_tokenize(t, "hello!?", 7, 0, buf, 2, &n), LLMC_EARG);
  EXPECT_EQ(n, 3u);
  EXPECT_EQ(buf[0], -7);
  EXPECT_EQ(llmc_tokenize(t, "hello!?", 7, 0, buf, 8, &n), LLMC_OK);
  EXPECT_EQ(n, 3u);
  EXPECT_EQ(buf[3], -7);
  EXPECT_EQ(llmc_tokenize(t, "hello", 5, 64, buf, 8, &n), LLMC_EARG);
  EXPECT_EQ(llmc_tokenize(t, nullptr, 5, 0, buf, 8, &n), LLMC_EARG);
  EXPECT_EQ(llmc_tokenize(nullptr, "a", 1, 0, buf, 8, &n), LLMC_EARG);
  EXPECT_EQ(llmc_tokenize(t, nullptr, 0, 0, nullptr, 0, nullptr), LLMC_OK);
  EXPECT_EQ(llmc_tokenize(t, "a", 1, 0, nullptr, 4, &n), LLMC_EARG);

  char text[16];
  EXPECT_EQ(llmc_detokenize(t, buf, 3, 0, text, sizeof text, &n), LLMC_OK);
  EXPECT_EQ(std::string(text, n), "hello!?");
  llmc_token wrong = -1;
  EXPECT_EQ(llmc_detokenize(t, &wrong, 1, 0, text, sizeof text, &n), LLMC_EARG);
  llmc_token bos = TinyVocabulary::Bos;
  EXPECT_EQ(llmc_detokenize(t, &bos, 1, LLMC_DETOKENIZE_SKIP_SPECIAL, text, sizeof text, &n), LLMC_OK);
  EXPECT_EQ(n, 0u);

  const char *p;
  uint32_t attr;
  EXPECT_EQ(llmc_token_bytes(t, bos, &p, &n, &attr), LLMC_OK);
  EXPECT_EQ(std::string(p, n), "<s>");
  EXPECT_EQ(attr, uint32_t(LLMC_TOK_CONTROL));
  EXPECT_EQ(llmc_token_bytes(t, 100000, &p, &n, &attr), LLMC_EARG);
  EXPECT_EQ(llmc_token_special(t, "eos"), TinyVocabulary::Eos);
  EXPECT_EQ(llmc_token_special(nullptr, "eos"), -1);
  const llmc_token *stops;
  EXPECT_EQ(llmc_stop_tokens(t, &stops, &n), LLMC_OK);
  EXPECT_EQ(n, 2u);

  llmc_detok *d = nullptr;
  ASSERT_EQ(llmc_detok_new(t, 0, &d), LLMC_OK);
  EXPECT_EQ(llmc_detok_push(d, buf[0], &p, &n), LLMC_OK);
  EXPECT_EQ(std::string(p, n), "hello");
  EXPECT_EQ(llmc_detok_push(d, TinyVocabulary::FirstByte + 0xe4, &p, &n), LLMC_OK);
  EXPECT_EQ(n, 0u);
  EXPECT_EQ(llmc_detok_push(d, -1, &p, &n), LLMC_OK);
  EXPECT_EQ(std::string(p, n), "\xef\xbf\xbd");
  llmc_detok_free(d);
  llmc_detok_free(nullptr);
  llmc_tokenizer_free(t);
  llmc_tokenizer_free(nullptr);
}

struct Golden {
  std::string_view text;
  Tokens parsed, plain;
};
const Golden goldens[] = {
#include "tests/fixtures/smollm2_tokens.inc"
};

TEST(TokenizerGolden, SmolLM2) {
  const char *path = std::getenv("LLMC_DEMO_MODEL");
  if (!path || !*path || access(path, R_OK) != 0)
    GTEST_SKIP() << "LLMC_DEMO_MODEL names no readable file";
  std::string blob, error;
  auto f = formats::GgufFile::open(path, error);
  ASSERT_TRUE(f && formats::buildTokenizerBlob(*f, blob, error)) << error;
  Tokenizer t;
  ASSERT_EQ(t.open(blob.data(), blob.size()), LLMC_OK) << lastError();
  for (const Golden &g : goldens) {
    EXPECT_EQ(encode(t, g.text, true), g.parsed) << g.text;
    EXPECT_EQ(encode(t, g.text, false), g.plain == Tokens{-1} ? g.parsed : g.plain) << g.text;
  }
  EXPECT_EQ(Tokens(t.stopTokens().begin(), t.stopTokens().end()), (Tokens{0, 2}));
  EXPECT_NE(t.chatTemplate().find("<|im_start|>"), std::string_view::npos);
}

} // namespace
