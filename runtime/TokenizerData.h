// A compiled tokenizer (llmc/tokenizer_blob.h) as typed views of its bytes. Everything is checked once, when
// it is opened; afterwards ids, offsets and tables can be followed without further checks.
#pragma once

#include "llmc/llmc.h"
#include "llmc/tokenizer_blob.h"

#include <bit>
#include <span>
#include <string_view>

namespace llmc {

struct TokenizerData {
  const llmc_tok_header *header = nullptr;
  std::span<const uint32_t> offsets;
  std::string_view text, strings;
  std::span<const uint8_t> attr;
  std::span<const uint32_t> index;
  std::span<const llmc_tok_merge> merges;
  std::span<const int32_t> byteToken; // 256, or none for a model without tokenizer
  std::span<const llmc_tok_special> specials;
  std::span<const llmc_tok_step> steps;
  std::span<const int32_t> stops;
  std::span<const llmc_tok_template> templates;
  std::span<const uint32_t> spellingOffsets; // where tokens are spelled unlike their bytes
  std::string_view spelling;
  std::span<const float> scores;
  std::span<const llmc_tok_norm> norms;
  std::span<const llmc_tok_node> trie;
  std::span<const int32_t> prefix, suffix;

  /// The block must be aligned to LLMC_TOK_ALIGN and outlive this.
  llmc_status open(const void *blob, size_t n);

  std::string_view tokenText(uint32_t id) const {
    return text.substr(offsets[id], offsets[id + 1] - offsets[id]);
  }
  /// What a text has to hold for the token.
  std::string_view tokenSpelling(uint32_t id) const {
    return spelling.data()
               ? spelling.substr(spellingOffsets[id], spellingOffsets[id + 1] - spellingOffsets[id])
               : tokenText(id);
  }
  bool has(uint32_t flag) const { return (header->flags & flag) != 0; }
  std::string_view string(llmc_tok_string s) const { return strings.substr(s.offset, s.size); }

  /// The token of exactly this spelling; special tokens are not found. -1: none.
  int32_t tokenOf(std::string_view spelled) const {
    if (index.empty())
      return -1;
    size_t slot =
        llmc_tok_hash_bytes(spelled.data(), spelled.size()) >> (64 - std::countr_zero(index.size()));
    for (uint32_t probe = 0; probe <= LLMC_TOK_MAX_PROBE && index[slot] != 0; ++probe) {
      if (tokenSpelling(index[slot] - 1) == spelled)
        return static_cast<int32_t>(index[slot] - 1);
      slot = (slot + 1) & (index.size() - 1);
    }
    return -1;
  }
  /// Null if the two do not merge.
  const llmc_tok_merge *mergeOf(uint32_t left, uint32_t right) const {
    if (merges.empty())
      return nullptr;
    size_t slot = llmc_tok_hash_pair(left, right) >> (64 - std::countr_zero(merges.size()));
    for (uint32_t probe = 0; probe <= LLMC_TOK_MAX_PROBE && merges[slot].left != UINT32_MAX; ++probe) {
      if (merges[slot].left == left && merges[slot].right == right)
        return &merges[slot];
      slot = (slot + 1) & (merges.size() - 1);
    }
    return nullptr;
  }
};

} // namespace llmc
