// Byte pair merging. Short pieces, nearly all, scan an array for the lowest rank; long ones keep a heap, so
// that a piece of n bytes costs n log n.
#include "runtime/BpeMerger.h"

#include "runtime/Utf8.h"

#include <algorithm>

namespace llmc {

static constexpr uint32_t kNoRank = UINT32_MAX, kGone = UINT32_MAX;
static constexpr size_t kShort = 48; // symbols

BpeMerger::BpeMerger(const TokenizerData &data) : data(data) {
  asciiToken.fill(-1);
  if (data.header->kind == LLMC_TOK_CHARACTER_BPE)
    for (size_t c = 0; c < asciiToken.size(); ++c) {
      char character = static_cast<char>(c);
      asciiToken[c] = data.tokenOf({&character, 1});
    }
}

void BpeMerger::merge(std::string_view piece, std::vector<llmc_token> &out) {
  if (int32_t id = data.tokenOf(piece); id >= 0 && (data.attr[static_cast<size_t>(id)] & LLMC_TOK_WHOLE)) {
    out.push_back(id);
    ++steps;
    return;
  }
  symbols.clear();
  if (data.header->kind == LLMC_TOK_CHARACTER_BPE)
    startFromCharacters(piece);
  else
    startFromBytes(piece);
  steps += symbols.size();
  if (symbols.size() > kShort)
    return mergeLong(out);
  mergeShort(out);
}

void BpeMerger::startFromBytes(std::string_view piece) {
  int32_t unknown = data.has(LLMC_TOK_EMIT_UNK) ? data.header->special[LLMC_TOK_UNK] : -1;
  for (unsigned char byte : piece) {
    int32_t id = data.byteToken[byte] >= 0 ? data.byteToken[byte] : unknown;
    if (id >= 0) // a byte that the vocabulary lacks is dropped, as the reference implementation does
      symbols.push_back({static_cast<uint32_t>(id), kNoRank, 0});
  }
}

void BpeMerger::startFromCharacters(std::string_view piece) {
  bool isAfterUnknown = false;
  for (size_t i = 0, size; i < piece.size(); i += size) {
    size = utf8Char(piece.data() + i, piece.size() - i).size;
    int32_t id = tokenOfCharacter(piece, i, size);
    if (id < 0) {
      addUnknown(piece.substr(i, size), isAfterUnknown);
      continue;
    }
    symbols.push_back({static_cast<uint32_t>(id), kNoRank, 0});
    isAfterUnknown = false;
  }
}

int32_t BpeMerger::tokenOfCharacter(std::string_view piece, size_t at, size_t size) {
  bool hasPrefix = at > 0 && data.header->word_prefix.size;
  bool hasSuffix = at + size == piece.size() && data.header->word_suffix.size;
  if (!hasPrefix && !hasSuffix)
    return size == 1 ? asciiToken[piece[at] & 0x7f] : data.tokenOf(piece.substr(at, size));
  affixed.assign(hasPrefix ? data.string(data.header->word_prefix) : "").append(piece.substr(at, size));
  return data.tokenOf(affixed.append(hasSuffix ? data.string(data.header->word_suffix) : ""));
}

void BpeMerger::addUnknown(std::string_view character, bool &isAfterUnknown) {
  bool hasBytes = data.has(LLMC_TOK_BYTE_FALLBACK);
  for (unsigned char byte : character)
    hasBytes &= data.byteToken[byte] >= 0;
  if (hasBytes) {
    for (unsigned char byte : character)
      symbols.push_back({static_cast<uint32_t>(data.byteToken[byte]), kNoRank, 0});
    isAfterUnknown = false;
    return;
  }
  int32_t unknown = data.has(LLMC_TOK_EMIT_UNK) ? data.header->special[LLMC_TOK_UNK] : -1;
  if (unknown >= 0 && !(isAfterUnknown && data.has(LLMC_TOK_FUSE_UNK)))
    symbols.push_back({static_cast<uint32_t>(unknown), kNoRank, 0});
  isAfterUnknown = true;
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
    steps += symbols.size();
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
    ++steps;
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
