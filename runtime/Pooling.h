// Vectors for whole texts: what the hidden rows of each sequence add up to, kept while a text is evaluated in
// steps.
#pragma once

#include "runtime/Error.h"

#include <cstdint>
#include <vector>

namespace llmc {

class Pooling {
public:
  void create(uint32_t nSeqs, uint32_t width) {
    sequences.resize(nSeqs);
    this->width = width;
  }

  /// Makes room for a sequence's rows; add() cannot fail then.
  void prepare(llmc_seq seq);
  /// The hidden row of one position. Rows come in the order of positions, so that the mean has the same bits
  /// however a text is split into steps.
  void add(llmc_seq seq, llmc_pos pos, const float *row);
  /// Positions from `length` on are gone.
  void truncate(llmc_seq seq, uint32_t length);

  /// `length`: tokens in the sequence. LLMC_ESTATE says which rows were not asked for.
  llmc_status pool(llmc_seq seq, uint32_t length, int32_t pooling, std::vector<float> &out) const;

private:
  struct Sequence {
    std::vector<double> sum;
    std::vector<float> first, last;
    uint32_t summed = 0;   ///< positions 0..summed-1 are in the sum
    llmc_pos lastPos = -1; ///< of `last`
    bool hasFirst = false;
  };
  uint32_t width = 0;
  std::vector<Sequence> sequences;
};

} // namespace llmc
