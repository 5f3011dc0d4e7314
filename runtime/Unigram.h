// Segmentation of one piece of text into the tokens of the highest sum of scores.
#pragma once

#include "llmc/llmc.h"
#include "runtime/TokenizerData.h"

#include <string_view>
#include <vector>

namespace llmc {

/// Holds the working arrays, so that pieces after the first allocate nothing. Belongs to one thread.
class Unigram {
public:
  explicit Unigram(const TokenizerData &data) : data(data) {}

  /// Appends the tokens of `piece`, valid UTF-8.
  void segment(std::string_view piece, std::vector<llmc_token> &out);

  uint64_t steps = 0; // of all calls, to see how the work grows

private:
  /// The best way to the end of some prefix: what it costs and its last token.
  struct Path {
    double score;
    uint32_t from;
    int32_t token; // -1: a character without token
  };
  const TokenizerData &data;
  std::vector<Path> paths;
  std::vector<uint32_t> ends; // of the tokens of the best path, from the last

  void findPaths(std::string_view piece);
  void addUnknown(std::string_view text, std::vector<llmc_token> &out) const;
};

} // namespace llmc
