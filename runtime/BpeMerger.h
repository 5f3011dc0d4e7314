// Byte pair merging of one piece of text.
#pragma once

#include "llmc/llmc.h"
#include "runtime/TokenizerData.h"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace llmc {

/// Holds the working arrays, so that pieces after the first allocate nothing. Belongs to one thread.
class BpeMerger {
public:
  explicit BpeMerger(const TokenizerData &data);

  /// Appends the tokens of `piece`: always the pair of lowest rank merges next, the leftmost of equal ones.
  /// For merges over characters it must be valid UTF-8.
  void merge(std::string_view piece, std::vector<llmc_token> &out);

  uint64_t steps = 0; // of all calls, to see how the work grows

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
  std::array<int32_t, 128> asciiToken; // of merges over characters
  std::string affixed;                 // a character with the affixes of its place
  std::vector<Symbol> symbols;
  std::vector<Node> nodes;
  std::vector<Candidate> heap;

  void startFromBytes(std::string_view piece);
  void startFromCharacters(std::string_view piece);
  int32_t tokenOfCharacter(std::string_view piece, size_t at, size_t size);
  void addUnknown(std::string_view character, bool &isAfterUnknown);
  void rankPair(size_t i);
  void mergeShort(std::vector<llmc_token> &out);
  void mergeLong(std::vector<llmc_token> &out);
};

} // namespace llmc
