// Viterbi over the prefixes of the piece; a trie finds all tokens that start at a place.
#include "runtime/Unigram.h"

#include "runtime/Utf8.h"

namespace llmc {

void Unigram::findPaths(std::string_view piece) {
  constexpr uint32_t unreached = UINT32_MAX;
  paths.assign(piece.size() + 1, {0, unreached, -1});
  paths[0].from = 0;
  auto reach = [&](size_t end, double score, size_t from, int32_t token) {
    Path &p = paths[end];
    if (p.from == unreached || score > p.score)
      p = {score, static_cast<uint32_t>(from), token};
  };
  for (size_t at = 0, size; at < piece.size(); at += size) {
    size = utf8Char(piece.data() + at, piece.size() - at).size;
    if (paths[at].from == unreached)
      continue; // tokens may end inside of a character only if the block is odd
    double here = paths[at].score;
    bool hasCharacter = false;
    uint32_t node = 0;
    for (size_t i = at; i < piece.size(); ++i, ++steps) {
      uint32_t child = data.trie[node].base + static_cast<uint8_t>(piece[i]);
      if (data.trie[child].parent != node)
        break;
      node = child;
      int32_t token = data.trie[node].token;
      if (token < 0)
        continue;
      reach(i + 1, here + static_cast<double>(data.scores[static_cast<size_t>(token)]), at, token);
      hasCharacter |= i + 1 == at + size;
    }
    if (!hasCharacter)
      reach(at + size, here + static_cast<double>(data.header->unknown_score), at, -1);
  }
}

void Unigram::addUnknown(std::string_view text, std::vector<llmc_token> &out) const {
  bool hasBytes = data.has(LLMC_TOK_BYTE_FALLBACK);
  for (unsigned char byte : text)
    hasBytes &= data.byteToken[byte] >= 0;
  if (hasBytes)
    for (unsigned char byte : text)
      out.push_back(data.byteToken[byte]);
  else if (data.has(LLMC_TOK_EMIT_UNK) && data.header->special[LLMC_TOK_UNK] >= 0)
    out.push_back(data.header->special[LLMC_TOK_UNK]);
}

void Unigram::segment(std::string_view piece, std::vector<llmc_token> &out) {
  if (piece.empty())
    return;
  findPaths(piece);
  ends.clear();
  for (size_t end = piece.size(); end > 0; end = paths[end].from)
    ends.push_back(static_cast<uint32_t>(end));
  for (size_t i = ends.size(); i-- > 0;) {
    const Path &p = paths[ends[i]];
    if (p.token >= 0) {
      out.push_back(p.token);
      continue;
    }
    // Neighbours without token are one unknown.
    size_t last = i;
    while (data.has(LLMC_TOK_FUSE_UNK) && last > 0 && paths[ends[last - 1]].token < 0)
      --last;
    addUnknown(piece.substr(p.from, ends[last] - p.from), out);
    i = last;
  }
}

} // namespace llmc
