// Tokenizing takes time that grows with the text only, whatever the text is. Merging and segmentation count
// their steps. PCRE2's compiled code and utf8proc count nothing, so splitting and normalization are judged by
// the CPU time of texts of up to 1 and 4 MB: 4 times as long if it is linear, 16 times if it is quadratic,
// and seconds instead of milliseconds then, so that the wide margin between the two misses nothing.
#include "frontend/formats/PreTokenizers.h"
#include "frontend/formats/TokenizerBlob.h"
#include "runtime/Error.h"
#include "runtime/Normalizer.h"
#include "runtime/TextSplitter.h"
#include "runtime/TextSplitterScratch.h"
#include "runtime/Tokenizer.h"
#include "tests/support/TinyVocabulary.h"

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <gtest/gtest.h>
#include <set>

using namespace llmc;

namespace {

struct Unit {
  const char *name;
  std::string text, end = {}; // the end stands once behind the repetitions
};
const Unit units[] = {
    {"letter", "a"},
    {"capital", "A"},
    {"digit", "7"},
    {"space", " "},
    {"spaces before a digit", " ", "7"},
    {"spaces before a letter", " ", "a"},
    {"line end", "\n"},
    {"line ends and spaces", " \n\t", "x"},
    {"no-break space", "\u00a0", "7"},
    {"bracket", "("},
    {"apostrophe", "'"},
    {"mark", "\u0301"},
    {"marks of falling class", "\u0301\u0323\u0315"},
    {"Hangul letters", "\u1112\u1161\u11ab"},
    {"emoji", "\U0001F600"},
    {"joined emoji", "\U0001F469\u200d"},
    {"flag", "\U0001F1E9"},
    {"ideograph", "\u4f60"},
    {"space mark", "\u2581"},
    {"start of a special token", "<s"},
    {"word", "word "},
};

std::string repeated(const Unit &unit, size_t size) {
  std::string out;
  out.reserve(size + 16);
  while (out.size() < size)
    out += unit.text;
  return out + unit.end;
}

/// The CPU time of `work` on a text of `size` bytes is no more than 9 times that of a quarter of it; times
/// below a few milliseconds say nothing. Other work on the machine disturbs caches: the best of three tries
/// counts.
template <typename Work>
void expectLinear(const Unit &unit, const std::string &what, size_t size, Work work) {
  auto seconds = [&](const std::string &text) {
    timespec from, to;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    work(text);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    return double(to.tv_sec - from.tv_sec) + 1e-9 * double(to.tv_nsec - from.tv_nsec);
  };
  // Quadratic time shows here already, before it takes minutes.
  if (double small = seconds(repeated(unit, 1 << 14)), large = seconds(repeated(unit, 1 << 16)); large > 0.05)
    ASSERT_LT(large, 9 * small) << what << ": " << unit.name << ", 16 and 64 KB";
  const std::string one = repeated(unit, size / 4), four = repeated(unit, size);
  double small = 0, large = 1;
  for (int i = 0; i < 3 && large > std::max(9 * small, 0.03); ++i)
    small = seconds(one), large = seconds(four);
  EXPECT_LE(large, std::max(9 * small, 0.03))
      << what << ": " << unit.name << ", a quarter of " << size << ": " << small << " s";
}

TEST(TokenizerLinearity, Splitting) {
  std::set<const void *> seen; // names share patterns
  for (size_t i = 0;; ++i) {
    auto [name, pre] = formats::preTokenizerAt(i);
    if (!pre)
      break;
    if (!seen.insert(pre->patterns.data()).second)
      continue;
    // The pattern with the most ways back on the full size; the others show the same sooner.
    size_t size = name == "gpt-4o" ? 4 << 20 : 1 << 19;
    test::TinyVocabulary v;
    v.pre = name;
    std::string bytes = v.write().bytes(), blob, error;
    auto f =
        formats::GgufFile::parse({reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size()}, "t", error);
    ASSERT_TRUE(f && formats::buildTokenizerBlob(*f, blob, error)) << error;
    TokenizerData data;
    ASSERT_EQ(data.open(blob.data(), blob.size()), LLMC_OK) << lastError();
    TextSplitter splitter;
    ASSERT_EQ(splitter.open(data), LLMC_OK) << lastError();
    for (const Unit &unit : units)
      expectLinear(unit, std::string(name), size, [&](const std::string &text) {
        TextSplitter::Scratch scratch;
        std::vector<std::string_view> pieces;
        ASSERT_EQ(splitter.split(text, true, scratch, pieces), LLMC_OK) << name << ": " << lastError();
      });
  }
  EXPECT_GE(seen.size(), 12u);
}

TEST(TokenizerLinearity, Normalization) {
  const char *const steps[] = {
      R"({"type": "NFC"})",
      R"({"type": "NFKD"})",
      R"({"type": "BertNormalizer", "strip_accents": true, "lowercase": true})",
      R"({"type": "Strip", "strip_left": true, "strip_right": true})",
      R"({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "})",
      R"({"type": "Replace", "pattern": {"Regex": "\\s+$"}, "content": ""})",
      R"({"type": "StripAccents"})",
  };
  for (std::string step : steps) {
    std::string json =
        "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": []}, \"normalizer\": " + step +
        "}";
    std::string blob, error;
    ASSERT_TRUE(formats::buildTokenizerBlobFromJson(json, "t", blob, error)) << error;
    TokenizerData data;
    ASSERT_EQ(data.open(blob.data(), blob.size()), LLMC_OK) << lastError();
    Normalizer normalizer;
    ASSERT_EQ(normalizer.open(data), LLMC_OK) << lastError();
    for (const Unit &unit : units)
      expectLinear(unit, step, 1 << 20, [&](const std::string &text) {
        std::string buffer;
        std::string_view out;
        ASSERT_EQ(normalizer.apply(text, {true, true}, buffer, out), LLMC_OK) << lastError();
      });
  }
}

TEST(TokenizerLinearity, MergingAndSegmentation) {
  size_t count = 0;
  for (auto &entry : std::filesystem::directory_iterator(LLMC_TOKENIZER_FIXTURES)) {
    std::string path = entry.path().string(), blob, error;
    if (path.ends_with("goldens.json"))
      continue;
    ASSERT_TRUE(formats::buildTokenizerBlobFromFile(path, blob, error)) << error;
    Tokenizer t;
    ASSERT_EQ(t.open(blob.data(), blob.size()), LLMC_OK) << lastError();
    std::vector<Unit> all(std::begin(units), std::end(units));
    all.push_back({"bytes", "\xff\xe4q\x80"});
    for (const Unit &u : all) {
      uint64_t one = 0, four = 0;
      ASSERT_EQ(t.countSteps(repeated(u, 1 << 14), one), LLMC_OK)
          << path << " " << u.name << ": " << lastError();
      ASSERT_EQ(t.countSteps(repeated(u, 1 << 16), four), LLMC_OK) << lastError();
      EXPECT_LE(four, one * 5 + 256) << path << ": " << u.name; // n log n: 4.6
    }
    ++count;
  }
  EXPECT_GE(count, 14u);
}

} // namespace
