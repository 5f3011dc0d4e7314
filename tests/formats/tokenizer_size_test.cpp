//===- tokenizer_size_test.cpp - large vocabularies -----------------------===//
//
// What building and opening the block of a large vocabulary costs, in CPU time of this thread.
//
//===----------------------------------------------------------------------===//
#include "frontend/formats/TokenizerDescription.h"
#include "frontend/formats/TokenizerTables.h"
#include "runtime/Error.h"
#include "runtime/Tokenizer.h"

#include <algorithm>
#include <ctime>
#include <gtest/gtest.h>
#include <random>
#include <unordered_set>

using namespace llmc;

namespace {

// Sanitizers slow the code down by an unknown factor.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool isSanitized = true;
#elif defined(__has_feature)
constexpr bool isSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool isSanitized = false;
#endif

template <typename Work> double seconds(Work work) {
  timespec from, to;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
  work();
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
  return double(to.tv_sec - from.tv_sec) + 1e-9 * double(to.tv_nsec - from.tv_nsec);
}

/// `n` spellings, no two equal, of one to twelve characters in several scripts.
std::vector<std::string> spellings(size_t n) {
  static const char *const letters[] = {"a",      "b",      "e",      "n",      "t",
                                        "\u00e9", "\u043e", "\u0435", "\u4f60", "\u2581"};
  std::mt19937 random(1);
  std::unordered_set<std::string> seen;
  std::vector<std::string> out;
  while (out.size() < n) {
    std::string s;
    for (size_t k = random() % 12 + 1; k-- > 0;)
      s += random() % 4 ? letters[random() % 10] : std::string(1, char('a' + random() % 26));
    if (seen.insert(s).second)
      out.push_back(s);
  }
  return out;
}

size_t follow(const std::vector<llmc_tok_node> &trie, std::string_view s) {
  size_t node = 0;
  for (char c : s) {
    size_t child = trie[node].base + static_cast<uint8_t>(c);
    if (trie[child].parent != node)
      return 0;
    node = child;
  }
  return node;
}

TEST(TokenizerSize, TrieOfManyPieces) {
  const std::vector<std::string> all = spellings(250000);
  double small = 1e9, large = 1e9;
  std::vector<llmc_tok_node> trie;
  for (size_t n : {all.size() / 8, all.size()}) {
    std::vector<std::pair<std::string_view, int32_t>> list;
    for (size_t i = 0; i < n; ++i)
      list.push_back({all[i], static_cast<int32_t>(i)});
    double &best = n == all.size() ? large : small;
    for (int i = 0; i < 2; ++i)
      best = std::min(best, seconds([&] { trie = formats::makeDoubleArray(list); }));
  }
  // Eight times the pieces: 8 if the time is linear, about 10 with sorting and caches, 64 if it is quadratic.
  EXPECT_LT(large, 24 * small) << small << " s, " << large << " s";
  if (!isSanitized)
    EXPECT_LT(large, 2);
  size_t used = 0;
  for (const llmc_tok_node &node : trie)
    used += node.parent != UINT32_MAX;
  EXPECT_LT(trie.size(), used + used / 8 + 1024);
  for (size_t i = 0; i < all.size(); ++i)
    ASSERT_EQ(trie[follow(trie, all[i])].token, int32_t(i)) << all[i];
}

TEST(TokenizerSize, OpensManyTokens) {
  constexpr uint32_t n = 262144;
  formats::TokenizerDescription d;
  d.resize(n);
  std::mt19937 random(2);
  std::unordered_set<std::string> seen;
  for (uint32_t i = 0; i < n;) {
    uint32_t left = 0, right = 0;
    std::string text(1, char(i));
    if (i >= 256) {
      left = random() % i, right = random() % 4096 % i;
      text = d.text[left] + d.text[right];
    }
    if (text.size() > 16 || (i >= 256 && left == right) || !seen.insert(text).second)
      continue;
    d.text[i] = text;
    d.inIndex[i] = true;
    if (i < 256)
      d.byteToken[i] = int32_t(i);
    else
      d.merges.push_back({left, right, i, i});
    d.merges.push_back({i, i, n + i, i}); // real vocabularies of this size have two merges for each token
    ++i;
  }
  std::string blob, error;
  double built =
      seconds([&] { ASSERT_TRUE(formats::writeTokenizerBlob(d, "synthetic", blob, error)) << error; });
  double opened = 1e9;
  for (int i = 0; i < 20; ++i) {
    Tokenizer t;
    opened = std::min(opened,
                      seconds([&] { ASSERT_EQ(t.open(blob.data(), blob.size()), LLMC_OK) << lastError(); }));
  }
  std::printf("block of %zu bytes built in %.2f s, opened in %.2f ms\n", blob.size(), built, opened * 1e3);
  if (!isSanitized)
    EXPECT_LT(opened, 0.010);
}

} // namespace
