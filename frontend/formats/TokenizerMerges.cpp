//===- TokenizerMerges.cpp - pairs of tokens that merge -------------------===//
#include "frontend/formats/TokenizerMerges.h"

#include "frontend/formats/TokenizerTables.h"

#include <algorithm>

using namespace llmc::formats;

static constexpr size_t kLongestWholeCheck = 64;   // bytes; longer tokens are merged when met
static constexpr size_t kLongestScored = 1u << 10; // bytes; every way to cut a token is looked at

MergeList::MergeList(std::vector<llmc_tok_merge> &out, size_t expected) : out(out) {
  out.reserve(expected);
  seen.reserve(expected);
}

void MergeList::add(uint32_t left, uint32_t right, uint32_t rank, uint32_t result) {
  llmc_tok_merge merge{left, right, rank, result};
  auto [it, isNew] = seen.emplace(uint64_t(left) << 32 | right, static_cast<uint32_t>(out.size()));
  if (isNew)
    out.push_back(merge);
  else
    out[it->second] = merge;
}

const char *llmc::formats::findMerge(const TokenIds &ids, std::string_view left, std::string_view right,
                                     std::string_view wordPrefix, llmc_tok_merge &merge) {
  auto l = ids.find(left), r = ids.find(right);
  if (l == ids.end())
    return "its left part is not a token";
  if (r == ids.end())
    return "its right part is not a token";
  if (!wordPrefix.empty() && right.starts_with(wordPrefix))
    right.remove_prefix(wordPrefix.size());
  auto result = ids.find(std::string(left).append(right));
  if (result == ids.end())
    return "its result is not a token";
  merge.left = l->second, merge.right = r->second, merge.id = result->second;
  return nullptr;
}

int64_t llmc::formats::mergesByScore(TokenizerDescription &d, std::span<const float> scores,
                                     const TokenIds &ids) {
  std::vector<uint32_t> order;
  for (size_t i = 0; i < d.text.size(); ++i)
    if (d.inIndex[i])
      order.push_back(static_cast<uint32_t>(i));
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; });
  uint32_t rank = 0;
  for (size_t k = 0; k < order.size(); ++k) {
    uint32_t id = order[k];
    if (k > 0 && scores[order[k - 1]] != scores[id])
      ++rank;
    std::string_view spelling = d.spelled(id);
    if (spelling.size() > kLongestScored)
      return id;
    for (size_t cut = characterSize(spelling); cut < spelling.size();
         cut += characterSize(spelling.substr(cut))) {
      auto left = ids.find(spelling.substr(0, cut));
      if (left == ids.end() || !d.inIndex[left->second])
        continue;
      auto right = ids.find(spelling.substr(cut));
      if (right != ids.end() && d.inIndex[right->second])
        d.merges.push_back({left->second, right->second, rank, id});
    }
  }
  return -1;
}

namespace {

/// Merges in the way of the runtime, to see what comes out.
class Simulation {
public:
  explicit Simulation(const TokenizerDescription &d) : d(d) {
    bits = placeInTable(
        d.merges.size(), [&](size_t i) { return llmc_tok_hash_pair(d.merges[i].left, d.merges[i].right); },
        slots);
    if (d.kind == LLMC_TOK_CHARACTER_BPE)
      for (size_t i = 0; i < d.text.size(); ++i)
        if (d.inIndex[i] && characterSize(d.spelled(i)) == d.spelled(i).size())
          characters.emplace(d.spelled(i), static_cast<uint32_t>(i));
  }
  bool isUsable() const { return bits >= 0; }

  /// Whether `spelling` becomes the token `id` alone.
  bool yields(std::string_view spelling, uint32_t id) {
    symbols.clear();
    for (size_t i = 0, n; i < spelling.size(); i += n) {
      n = d.kind == LLMC_TOK_CHARACTER_BPE ? characterSize(spelling.substr(i)) : 1;
      if (d.kind == LLMC_TOK_CHARACTER_BPE) {
        auto it = characters.find(spelling.substr(i, n));
        if (it == characters.end())
          return false;
        symbols.push_back(it->second);
      } else if (int32_t token = d.byteToken[static_cast<unsigned char>(spelling[i])]; token >= 0) {
        symbols.push_back(static_cast<uint32_t>(token));
      }
    }
    while (symbols.size() > 1) {
      const llmc_tok_merge *best = nullptr;
      size_t at = 0;
      for (size_t k = 0; k + 1 < symbols.size(); ++k)
        if (auto *m = find(symbols[k], symbols[k + 1]); m && (!best || m->rank < best->rank))
          best = m, at = k;
      if (!best)
        break;
      symbols[at] = best->id;
      symbols.erase(symbols.begin() + static_cast<ptrdiff_t>(at) + 1);
    }
    return symbols.size() == 1 && symbols[0] == id;
  }

private:
  const TokenizerDescription &d;
  std::vector<uint32_t> slots, symbols;
  TokenIds characters;
  int bits;

  const llmc_tok_merge *find(uint32_t left, uint32_t right) const {
    size_t slot = llmc_tok_hash_pair(left, right) >> (64 - bits);
    for (; slots[slot] != kNoEntry; slot = (slot + 1) & (slots.size() - 1))
      if (d.merges[slots[slot]].left == left && d.merges[slots[slot]].right == right)
        return &d.merges[slots[slot]];
    return nullptr;
  }
};

} // namespace

void llmc::formats::markWholeTokens(TokenizerDescription &d) {
  bool isWordwise = !d.wordPrefix.empty() || !d.wordSuffix.empty();
  Simulation merging(d);
  for (size_t i = 0; i < d.text.size(); ++i) {
    if (!d.inIndex[i])
      continue;
    if (d.flags & LLMC_TOK_IGNORE_MERGES)
      d.attr[i] |= LLMC_TOK_WHOLE;
    else if (!isWordwise && merging.isUsable() && d.spelled(i).size() <= kLongestWholeCheck &&
             merging.yields(d.spelled(i), static_cast<uint32_t>(i)))
      d.attr[i] |= LLMC_TOK_WHOLE;
  }
}
