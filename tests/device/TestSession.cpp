#include "tests/device/TestSession.h"

namespace llmc::test {

TestSession::~TestSession() {
  llmc_batch_free(batch);
  llmc_session_free(session);
  llmc_model_release(model);
}

llmc_status TestSession::open(const std::string &path, const std::string &device, const SessionShape &shape) {
  llmc_model_params params;
  llmc_model_params_init(&params, sizeof params);
  params.device = device.c_str();
  params.n_threads = 1;
  llmc_session_params limits;
  llmc_session_params_init(&limits, sizeof limits);
  limits.n_ctx = shape.nCtx, limits.n_seq_max = shape.nSeqs, limits.n_batch = shape.nBatch;
  limits.type_k = limits.type_v = shape.cache;
  if (llmc_status status = llmc_model_load(path.c_str(), &params, &model))
    return status;
  if (llmc_status status = llmc_session_new(model, &limits, &session))
    return status;
  if (llmc_status status = llmc_batch_new(shape.nBatch, &batch))
    return status;
  seqs.resize(shape.nSeqs);
  for (llmc_seq &seq : seqs)
    if (llmc_status status = llmc_seq_new(session, &seq))
      return status;
  return llmc_model_info(model, LLMC_INFO_VOCAB, &vocab);
}

} // namespace llmc::test
