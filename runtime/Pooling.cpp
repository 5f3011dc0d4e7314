// Sums of hidden rows, in double precision and in the order of positions.
#include "runtime/Pooling.h"

#include <algorithm>

namespace llmc {

void Pooling::prepare(llmc_seq seq) {
  Sequence &sequence = sequences[seq];
  sequence.sum.resize(width);
  sequence.first.resize(width);
  sequence.last.resize(width);
}

void Pooling::add(llmc_seq seq, llmc_pos pos, const float *row) {
  Sequence &sequence = sequences[seq];
  if (pos == 0) {
    std::copy_n(row, width, sequence.first.begin());
    std::fill(sequence.sum.begin(), sequence.sum.end(), 0.0);
    sequence.summed = 0;
    sequence.hasFirst = true;
  }
  std::copy_n(row, width, sequence.last.begin());
  sequence.lastPos = pos;
  if (sequence.summed != uint32_t(pos))
    return; // a row is missing before this one
  for (uint32_t i = 0; i < width; ++i)
    sequence.sum[i] += row[i];
  ++sequence.summed;
}

void Pooling::truncate(llmc_seq seq, uint32_t length) {
  Sequence &sequence = sequences[seq];
  if (sequence.summed > length)
    sequence.summed = 0; // what is gone cannot be taken out of the sum exactly
  if (sequence.lastPos >= llmc_pos(length))
    sequence.lastPos = -1;
  if (length == 0)
    sequence.hasFirst = false;
}

llmc_status Pooling::pool(llmc_seq seq, uint32_t length, int32_t pooling, std::vector<float> &out) const {
  if (pooling < LLMC_POOL_LAST || pooling > LLMC_POOL_FIRST)
    return setError(LLMC_EARG, "llmc_embedding: pooling is %d, expected LLMC_POOL_LAST, _MEAN or _FIRST",
                    pooling);
  if (length == 0)
    return setError(LLMC_ESTATE, "llmc_embedding: sequence %d is empty: evaluate a text first", seq);
  const Sequence &sequence = sequences[seq];
  switch (pooling) {
  case LLMC_POOL_FIRST:
    if (!sequence.hasFirst)
      break;
    out = sequence.first;
    return LLMC_OK;
  case LLMC_POOL_LAST:
    if (sequence.lastPos + 1 != llmc_pos(length))
      break;
    out = sequence.last;
    return LLMC_OK;
  default:
    if (sequence.summed != length)
      break;
    out.resize(width);
    for (uint32_t i = 0; i < width; ++i)
      out[i] = float(sequence.sum[i] / length);
    return LLMC_OK;
  }
  static const char *const rows[] = {"the last token", "every token", "the first token"};
  return setError(
      LLMC_ESTATE,
      "llmc_embedding: the hidden row of %s of sequence %d is not there: evaluate it in a batch with "
      "LLMC_OUT_HIDDEN, after llmc_kv_remove from position 0 if it is in the cache already",
      rows[pooling], seq);
}

} // namespace llmc
