//===- TokenizerFacts.cpp - what a tokenizer says of itself ---------------===//
#include "tools/llmc/TokenizerFacts.h"

#include "llmc/tokenizer_blob.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <iterator>

namespace llmc::cli {

std::optional<TokenizerFacts> tokenizerFacts(std::span<const uint8_t> block) {
  constexpr const char *kinds[] = {"none", "byte-level bpe", "character bpe", "unigram"};
  if (block.size() < offsetof(llmc_tok_header, special))
    return std::nullopt;
  llmc_tok_header header = {};
  std::memcpy(&header, block.data(), std::min(block.size(), sizeof header));
  if (header.magic != LLMC_TOK_MAGIC)
    return std::nullopt;
  return TokenizerFacts{header.kind < std::size(kinds) ? kinds[header.kind] : "unknown", header.n_vocab,
                        header.version};
}

} // namespace llmc::cli
