// A model on a device with a session, its sequences and a batch.
#pragma once

#include "llmc/llmc.h"

#include <string>
#include <vector>

namespace llmc::test {

struct SessionShape {
  uint32_t nSeqs, nBatch, nCtx = 64;
  llmc_kv_type cache = LLMC_KV_AUTO;
};

struct TestSession {
  TestSession() = default;
  TestSession(const TestSession &) = delete;
  ~TestSession();
  /// The first status that is no success.
  llmc_status open(const std::string &path, const std::string &device, const SessionShape &shape);
  /// One of many that differ, for each number.
  llmc_token token(int64_t i) const { return llmc_token((i * 37 + 11) % vocab); }
  /// visit(values, n) of each row of logits that the last step has left.
  template <typename Visit> llmc_status eachRow(Visit visit) {
    const float *row;
    size_t n;
    llmc_status status;
    for (int32_t i = 0; (status = llmc_logits(session, i, &row, &n)) == LLMC_OK; ++i)
      visit(row, n);
    return status == LLMC_EARG ? llmc_status(LLMC_OK) : status; // behind the last row there is none
  }

  llmc_model *model = nullptr;
  llmc_session *session = nullptr;
  llmc_batch *batch = nullptr;
  std::vector<llmc_seq> seqs;
  int64_t vocab = 0;
};

} // namespace llmc::test
