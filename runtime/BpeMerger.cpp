// Byte pair merging. Short pieces, nearly all, scan an array for the lowest rank; long ones keep a heap, so
// that a piece of n bytes costs n log n.
#include "runtime/BpeMerger.h"

#include <algorithm>

namespace llmc {

static constexpr uint32_t kNoRank = UINT32_MAX, kGone = UINT32_MAX;
static constexpr size_t kShort = 48; // symbols

void BpeMerger::merge(std::string_view piece, std::vector<llmc_token> &out) {
  if (int32_t id = data.tokenOf(piece); id >= 0 && (data.attr[id] & LLMC_TOK_WHOLE)) {
    out.push_back(id);
    return;
  }
  int32_t unknown = data.header->flags & LLMC_TOK_EMIT_UNK ? data.header->special[LLMC_TOK_UNK] : -1;
  symbols.clear();
  for (unsigned char byte : piece) {
    int32_t id = data.byteToken[byte] >= 0 ? data.byteToken[byte] : unknown;
    if (id >= 0) // a byte that the vocabulary lacks is dropped, as the reference implementation does
      symbols.push_back({static_cast<uint32_t>(id), kNoRank, 0});
  }
  if (symbols.size() > kShort)
    return mergeLong(out);
  mergeShort(out);
}

void BpeMerger::rankPair(size_t i) {
  const llmc_tok_merge *m = i + 1 < symbols.size() ? data.mergeOf(symbols[i].id, symbols[i + 1].id) : nullptr;
  symbols[i].rank = m ? m->rank : kNoRank;
  symbols[i].merged = m ? m->id : 0;
}

void BpeMerger::mergeShort(std::vector<llmc_token> &out) {
  for (size_t i = 0; i < symbols.size(); ++i)
    rankPair(i);
  while (symbols.size() > 1) {
    size_t best = 0;
    for (size_t i = 1; i < symbols.size(); ++i)
      if (symbols[i].rank < symbols[best].rank)
        best = i;
    if (symbols[best].rank == kNoRank)
      break;
    symbols[best].id = symbols[best].merged;
    symbols.erase(symbols.begin() + static_cast<ptrdiff_t>(best) + 1);
    rankPair(best);
    if (best > 0)
      rankPair(best - 1);
  }
  for (const Symbol &s : symbols)
    out.push_back(static_cast<llmc_token>(s.id));
}

void BpeMerger::mergeLong(std::vector<llmc_token> &out) {
  auto later = [](const Candidate &a, const Candidate &b) {
    return a.rank != b.rank ? a.rank > b.rank : a.at > b.at;
  };
  int32_t n = static_cast<int32_t>(symbols.size());
  nodes.clear();
  heap.clear();
  for (int32_t i = 0; i < n; ++i)
    nodes.push_back({symbols[i].id, i - 1, i + 1 < n ? i + 1 : -1});
  auto candidate = [&](int32_t left, Candidate &c) {
    if (left < 0 || nodes[left].after < 0)
      return false;
    uint32_t l = nodes[left].id, r = nodes[nodes[left].after].id;
    const llmc_tok_merge *m = data.mergeOf(l, r);
    if (m)
      c = {m->rank, left, l, r, m->id};
    return m != nullptr;
  };
  Candidate c;
  for (int32_t i = 0; i + 1 < n; ++i)
    if (candidate(i, c))
      heap.push_back(c);
  std::make_heap(heap.begin(), heap.end(), later);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    Candidate top = heap.back();
    heap.pop_back();
    Node &left = nodes[top.at];
    // Stale when either side has merged since.
    if (left.id != top.left || left.after < 0 || nodes[left.after].id != top.right)
      continue;
    Node &right = nodes[left.after];
    left.id = top.merged;
    left.after = right.after;
    right.id = kGone;
    if (left.after >= 0)
      nodes[left.after].before = top.at;
    for (int32_t at : {left.before, top.at})
      if (candidate(at, c)) {
        heap.push_back(c);
        std::push_heap(heap.begin(), heap.end(), later);
      }
  }
  for (int32_t i = 0; i >= 0; i = nodes[i].after)
    out.push_back(static_cast<llmc_token>(nodes[i].id));
}

} // namespace llmc
