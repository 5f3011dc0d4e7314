// The batch functions of the C API.
#include "runtime/Batch.h"

#include "runtime/Sampler.h"

#include <algorithm>

using namespace llmc;

void Batch::clear() {
  ids.clear();
  seqs.clear();
  outputs.clear();
  samplers.clear();
  nRows = 0;
}

void Batch::sample(int32_t row, Sampler &sampler) {
  auto place = std::lower_bound(samplers.begin(), samplers.end(), row,
                                [](const RowSampler &entry, int32_t wanted) { return entry.row < wanted; });
  if (place != samplers.end() && place->row == row)
    place->sampler = &sampler;
  else
    samplers.insert(place, {row, &sampler});
}

llmc_status llmc_batch_new(uint32_t cap_tokens, llmc_batch **out) {
  LLMC_CHECK_ARG(out);
  const uint32_t most = 1u << 20;
  if (cap_tokens == 0 || cap_tokens > most)
    return setError(LLMC_EARG, "llmc_batch_new: cap_tokens is %u, expected 1 to %u", cap_tokens, most);
  return guarded([&] {
    *out = new llmc_batch(cap_tokens);
    return LLMC_OK;
  });
}

void llmc_batch_clear(llmc_batch *batch) {
  if (batch)
    batch->clear();
}

void llmc_batch_free(llmc_batch *batch) { delete batch; }

static llmc_status checkAdd(const llmc_batch *batch, llmc_seq seq, size_t n, const char *function) {
  if (seq < 0)
    return setError(LLMC_EARG, "%s: seq is %d, expected a sequence of llmc_seq_new", function, seq);
  if (n > batch->room())
    return setError(LLMC_EARG, "%s: %zu tokens do not fit: %zu of %u places are free", function, n,
                    batch->room(), batch->capacity);
  return LLMC_OK;
}

llmc_status llmc_batch_add(llmc_batch *batch, llmc_seq seq, const llmc_token *tokens, size_t n,
                           uint32_t outputs, int32_t *first_row) {
  LLMC_CHECK_ARG(batch);
  if (n)
    LLMC_CHECK_ARG(tokens);
  LLMC_ENTER(batch, batch);
  const uint32_t rows = outputs & (LLMC_OUT_LAST | LLMC_OUT_ALL);
  if (outputs & ~uint32_t(LLMC_OUT_LAST | LLMC_OUT_ALL | LLMC_OUT_HIDDEN))
    return setError(LLMC_EARG, "llmc_batch_add: outputs is 0x%x, expected LLMC_OUT_* bits", outputs);
  if ((outputs & LLMC_OUT_HIDDEN) && !rows)
    return setError(LLMC_EARG,
                    "llmc_batch_add: LLMC_OUT_HIDDEN needs LLMC_OUT_LAST or LLMC_OUT_ALL beside it");
  if (llmc_status status = checkAdd(batch, seq, n, __func__))
    return status;
  batch->add(
      seq, {tokens, n},
      [&](size_t i) {
        return uint8_t((rows & LLMC_OUT_ALL) || (rows && i + 1 == n) ? outputs : uint32_t(LLMC_OUT_NONE));
      },
      first_row);
  return LLMC_OK;
}

llmc_status llmc_batch_add_rows(llmc_batch *batch, llmc_seq seq, const llmc_token *tokens, size_t n,
                                const uint8_t *outputs, int32_t *first_row) {
  LLMC_CHECK_ARG(batch);
  if (n) {
    LLMC_CHECK_ARG(tokens);
    LLMC_CHECK_ARG(outputs);
  }
  LLMC_ENTER(batch, batch);
  for (size_t i = 0; i < n; ++i)
    if (outputs[i] & ~(LLMC_OUT_LAST | LLMC_OUT_ALL | LLMC_OUT_HIDDEN))
      return setError(LLMC_EARG, "llmc_batch_add_rows: outputs[%zu] is 0x%x, expected LLMC_OUT_* bits", i,
                      outputs[i]);
  if (llmc_status status = checkAdd(batch, seq, n, __func__))
    return status;
  batch->add(seq, {tokens, n}, [&](size_t i) { return outputs[i]; }, first_row);
  return LLMC_OK;
}

llmc_status llmc_batch_sample(llmc_batch *batch, int32_t row, llmc_sampler *sampler) {
  LLMC_CHECK_ARG(batch);
  LLMC_CHECK_ARG(sampler);
  LLMC_ENTER(batch, batch);
  const int64_t index = row < 0 ? int64_t(batch->rows()) + row : row;
  if (index < 0 || index >= batch->rows())
    return setError(LLMC_EARG, "llmc_batch_sample: row is %d, but the batch asks for %d rows so far", row,
                    batch->rows());
  return guarded([&] {
    batch->sample(int32_t(index), *sampler);
    return LLMC_OK;
  });
}
