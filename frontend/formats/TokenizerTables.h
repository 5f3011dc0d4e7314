//===- TokenizerTables.h - lookup structures of the block -------*- C++ -*-===//
#ifndef LLMC_FRONTEND_FORMATS_TOKENIZERTABLES_H
#define LLMC_FRONTEND_FORMATS_TOKENIZERTABLES_H

#include "llmc/tokenizer_blob.h"

#include <string_view>
#include <utility>
#include <vector>

namespace llmc::formats {

constexpr uint32_t kNoEntry = UINT32_MAX;

/// Places `n` entries into a table of 2^k slots, each near its home; `hash(i)` is the hash of entry i,
/// `slots[s]` becomes the entry in slot s. At most half of the slots are taken, of large tables three
/// quarters. Returns k, or -1 if no reasonable size keeps the entries near.
template <typename Hash> int placeInTable(size_t n, Hash hash, std::vector<uint32_t> &slots) {
  int bits = 3;
  while ((size_t(1) << bits) < (n < (1u << 18) ? 2 * n : n + n / 3))
    ++bits;
  for (int tries = 0; tries < 4; ++tries, ++bits) {
    slots.assign(size_t(1) << bits, kNoEntry);
    size_t mask = slots.size() - 1;
    bool placed = true;
    for (size_t i = 0; i < n && placed; ++i) {
      size_t slot = hash(i) >> (64 - bits);
      uint32_t probes = 0;
      for (; slots[slot] != kNoEntry && probes < LLMC_TOK_MAX_PROBE; ++probes)
        slot = (slot + 1) & mask;
      placed = probes < LLMC_TOK_MAX_PROBE;
      if (placed)
        slots[slot] = static_cast<uint32_t>(i);
    }
    if (placed)
      return bits;
  }
  return -1;
}

/// A trie of spellings, no two equal and none empty, as a double array.
std::vector<llmc_tok_node> makeDoubleArray(std::vector<std::pair<std::string_view, int32_t>> spellings);

} // namespace llmc::formats
#endif
