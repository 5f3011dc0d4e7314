// A model on the GPU of the stub of the driver, and sessions of it; a test in which that fails goes on with
// null.
#pragma once

#include "tests/device/stub_cuda.h"

#include "llmc/llmc.h"

#include <cstdlib>
#include <gtest/gtest.h>
#include <string>

namespace llmc::test {

inline const std::string stubModel = LLMC_DEVICE_MODELS "/llama-gqa.so";
inline const std::string stubCode = LLMC_DEVICE_MODELS "/llama-gqa.so.simt";

/// The stub runs `code`, unless another model is loaded: then it runs that one's.
inline llmc_model *loadOnStub(const std::string &path = stubModel, const std::string &code = stubCode,
                              uint32_t flags = 0) {
  setenv("LLMC_STUB_CODE", code.c_str(), 1);
  llmc_stub_fail_at(0);
  llmc_model_params params;
  llmc_model_params_init(&params, sizeof params);
  params.device = "cuda", params.flags = flags;
  llmc_model *model = nullptr;
  EXPECT_EQ(llmc_model_load(path.c_str(), &params, &model), LLMC_OK) << llmc_last_error();
  return model;
}

inline llmc_session *newSession(llmc_model *model, uint32_t ctx, uint32_t batch, uint32_t seqs) {
  llmc_session_params limits;
  llmc_session_params_init(&limits, sizeof limits);
  limits.n_ctx = ctx, limits.n_batch = batch, limits.n_seq_max = seqs;
  llmc_session *session = nullptr;
  EXPECT_EQ(llmc_session_new(model, &limits, &session), LLMC_OK) << llmc_last_error();
  return session;
}

} // namespace llmc::test
