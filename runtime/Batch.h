// Tokens gathered for one step.
#pragma once

#include "runtime/Busy.h"
#include "runtime/Session.h"

namespace llmc {

class Batch {
public:
  explicit Batch(uint32_t capacity) : capacity(capacity) {
    ids.reserve(capacity);
    seqs.reserve(capacity);
    outputs.reserve(capacity);
  }
  void clear();
  /// `outputOf(i)` gives the LLMC_OUT_* bits of token i; all arguments are checked before anything is added.
  template <typename OutputOf>
  void add(llmc_seq seq, std::span<const llmc_token> tokens, OutputOf outputOf, int32_t *firstRow) {
    int32_t before = nRows;
    for (size_t i = 0; i < tokens.size(); ++i) {
      uint8_t output = outputOf(i);
      ids.push_back(tokens[i]);
      seqs.push_back(seq);
      outputs.push_back(output);
      nRows += output != 0;
    }
    if (firstRow)
      *firstRow = nRows > before ? before : -1;
  }
  size_t room() const { return capacity - ids.size(); }
  int32_t rows() const { return nRows; }
  /// A row has one sampler: the last one given.
  void sample(int32_t row, Sampler &sampler);
  StepTokens tokens() const { return {ids, seqs, outputs, samplers}; }

  const uint32_t capacity;
  BusyFlag busy;

private:
  std::vector<llmc_token> ids;
  std::vector<llmc_seq> seqs;
  std::vector<uint8_t> outputs;
  std::vector<RowSampler> samplers; ///< ascending rows
  int32_t nRows = 0;
};

} // namespace llmc

struct llmc_batch final : llmc::Batch {
  using llmc::Batch::Batch;
};
