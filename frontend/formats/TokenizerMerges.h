//===- TokenizerMerges.h - pairs of tokens that merge -----------*- C++ -*-===//
#ifndef LLMC_FRONTEND_FORMATS_TOKENIZERMERGES_H
#define LLMC_FRONTEND_FORMATS_TOKENIZERMERGES_H

#include "frontend/formats/TokenizerDescription.h"

#include <span>

namespace llmc::formats {

using TokenIds = std::unordered_map<std::string_view, uint32_t>;

/// Collects merges by rank; a repeated pair counts where it is last.
class MergeList {
public:
  explicit MergeList(std::vector<llmc_tok_merge> &out, size_t expected);
  void add(uint32_t left, uint32_t right, uint32_t rank, uint32_t result);

private:
  std::vector<llmc_tok_merge> &out;
  std::unordered_map<uint64_t, uint32_t> seen;
};

/// Finds the result of merging the spellings `left` and `right`, of which the second may start with the
/// prefix of tokens that continue a word. Null, or what is missing.
const char *findMerge(const TokenIds &, std::string_view left, std::string_view right,
                      std::string_view wordPrefix, llmc_tok_merge &);

/// The merges that a SentencePiece BPE model implies: any two tokens whose spellings together are a token
/// merge, that of the highest score first. Tokens of equal score share a rank. `error`: the id of a token
/// that is too long, -1 if all is well.
int64_t mergesByScore(TokenizerDescription &, std::span<const float> scores, const TokenIds &);

/// Marks the tokens that merging their own spelling gives back, so that most pieces need one lookup.
void markWholeTokens(TokenizerDescription &);

} // namespace llmc::formats
#endif
