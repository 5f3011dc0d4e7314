// Byte pair merging of one piece of text.
#pragma once

#include "llmc/llmc.h"
#include "runtime/TokenizerData.h"

#include <string_view>
#include <vector>

namespace llmc {

/// Holds the working arrays, so that pieces after the first allocate nothing. Belongs to one thread.
class BpeMerger {
public:
  explicit BpeMerger(const TokenizerData &data) : data(data) {}

  /// Appends the tokens of `piece`: always the pair of lowest rank merges next, the leftmost of equal ones.
  void merge(std::string_view piece, std::vector<llmc_token> &out);

private:
  struct Symbol {
    uint32_t id, rank, merged; // rank and result of merging with the next symbol
  };
  struct Node {
    uint32_t id;
    int32_t before, after;
  };
  struct Candidate {
    uint32_t rank;
    int32_t at;
    uint32_t left, right, merged;
  };

  const TokenizerData &data;
  std::vector<Symbol> symbols;
  std::vector<Node> nodes;
  std::vector<Candidate> heap;

  void rankPair(size_t i);
  void mergeShort(std::vector<llmc_token> &out);
  void mergeLong(std::vector<llmc_token> &out);
};

} // namespace llmc
