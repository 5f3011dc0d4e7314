// The CUDA half of the runtime over a driver that is a stub: what it computes, and what it asks of the
// driver.
#include "tests/device/CudaStub.h"
#include "tests/device/Scenario.h"

#include <array>
#include <cstdlib>
#include <gtest/gtest.h>
#include <thread>

using namespace llmc::test;

extern "C" {
int cuDevicePrimaryCtxRetain(void **, int);
int cuDevicePrimaryCtxRelease_v2(int);
int cuMemAlloc_v2(uint64_t *, size_t);
int cuMemFree_v2(uint64_t);
int cuMemHostAlloc(void **, size_t, unsigned);
int cuMemHostGetDevicePointer_v2(uint64_t *, void *, unsigned);
int cuMemFreeHost(void *);
int cuMemcpyDtoHAsync_v2(void *, uint64_t, size_t, void *);
int cuStreamCreate(void **, unsigned);
int cuStreamDestroy_v2(void *);
int cuStreamSynchronize(void *);
int cuStreamBeginCapture_v2(void *, unsigned);
int cuStreamEndCapture(void *, void **);
int cuGraphDestroy(void *);
int cuLaunchKernel(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *,
                   void **, void **);
}

namespace {

const std::string &model = stubModel;

TEST_F(CudaStub, is_listed_between_cpu_and_simt) {
  size_t count = 0;
  char name[16];
  ASSERT_EQ(llmc_device_count(&count), LLMC_OK);
  ASSERT_EQ(count, 3u);
  ASSERT_EQ(llmc_device_name(1, name, sizeof name, nullptr), LLMC_OK);
  EXPECT_STREQ(name, "cuda:0");
}

TEST_F(CudaStub, is_checked_without_being_opened) {
  EXPECT_EQ(llmc_device_check("cuda"), LLMC_OK);
  EXPECT_EQ(llmc_stub_left(), 0u);
  for (const char *absent : {"cuda:1", "cuda:7"}) {
    const llmc_status status = llmc_device_check(absent);
    const std::string words = llmc_last_error();
    llmc_model_params params;
    llmc_model_params_init(&params, sizeof params);
    params.device = absent;
    llmc_model *none = nullptr;
    EXPECT_EQ(llmc_model_load(model.c_str(), &params, &none), status);
    EXPECT_EQ(llmc_last_error(), words);
    EXPECT_EQ(words, absent + std::string(": there is no such device, only 1"));
  }
}

TEST_F(CudaStub, computes_what_the_cpu_computes) {
  const ScenarioResult cpu = runScenario(model, "cpu"), cuda = runScenario(model, "cuda:0");
  ASSERT_EQ(cuda.error, "") << llmc_stub_last_error();
  EXPECT_LT(difference(cpu, cuda), 1e-4); // other orders of sums
  const ScenarioResult any = runScenario(model, "auto"), simt = runScenario(model, "simt");
  EXPECT_EQ(any.logits, cuda.logits);
  EXPECT_EQ(simt.logits, cuda.logits); // the very same kernels
}

TEST_F(CudaStub, a_load_tells_of_each_kernel_that_is_compiled) {
  struct Told {
    uint64_t next = 0, total = 0, stopAt;
    std::vector<std::string> stages = {}; ///< each once where it follows itself
  } told{.stopAt = UINT64_MAX};
  llmc_model_params params;
  llmc_model_params_init(&params, sizeof params);
  params.device = "cuda";
  params.progress = [](const char *stage, uint64_t done, uint64_t total, void *ud) {
    Told &t = *static_cast<Told *>(ud);
    if (t.stages.empty() || t.stages.back() != stage)
      t.stages.push_back(stage);
    if (std::string(stage) != "kernels")
      return true;
    EXPECT_EQ(done, t.next++);
    t.total = total;
    return done != t.stopAt;
  };
  params.progress_ud = &told;
  llmc_model *loaded = nullptr;
  ASSERT_EQ(llmc_model_load(model.c_str(), &params, &loaded), LLMC_OK) << llmc_last_error();
  llmc_model_release(loaded);
  EXPECT_GT(told.total, 5u);
  EXPECT_EQ(told.next, told.total);
  EXPECT_EQ(told.stages, (std::vector<std::string>{"kernels", "weights", "load"}));
  told = {.stopAt = 2};
  EXPECT_EQ(llmc_model_load(model.c_str(), &params, &loaded), LLMC_ECANCELLED);
  EXPECT_NE(std::string(llmc_last_error()).find("cancelled while its kernels were compiled"),
            std::string::npos);
}

/// There is PTX of each kernel for sm_80, and for sm_90, which is what the stub is.
TEST_F(CudaStub, an_image_that_is_refused_leaves_it_to_the_next) {
  const ScenarioResult well = runScenario(model, "cuda");
  ASSERT_EQ(well.error, "");
  for (const char *target : {"PTX sm_80", "PTX sm_90"}) {
    llmc_stub_refuse(target);
    const ScenarioResult result = runScenario(model, "cuda");
    EXPECT_EQ(result.error, "") << target;
    EXPECT_EQ(result.logits, well.logits) << target;
  }
  llmc_stub_refuse("PTX");
  const std::string error = runScenario(model, "cuda").error;
  EXPECT_EQ(error.rfind("cuda:0: cuModuleLoadDataEx: ", 0), 0u) << error;
  EXPECT_NE(error.find(": CUDA_ERROR_UNSUPPORTED_PTX_VERSION (from the stub)"), std::string::npos) << error;
}

TEST_F(CudaStub, any_thread_may_use_it) {
  // Each of these has the context for its own only if the runtime sees to it.
  auto elsewhere = [](auto work) { std::thread(work).join(); };
  llmc_model *loaded = nullptr;
  llmc_session *session = nullptr;
  elsewhere([&] { loaded = loadOnStub(); });
  ASSERT_TRUE(loaded);
  elsewhere([&] { session = newSession(loaded, 32, 8, 1); });
  ASSERT_TRUE(session);
  llmc_seq seq = -1;
  ASSERT_EQ(llmc_seq_new(session, &seq), LLMC_OK) << llmc_last_error();
  for (llmc_token token : {1, 2, 3, 4}) // launched, recorded and repeated
    elsewhere([&] { EXPECT_EQ(llmc_decode(session, seq, token), LLMC_OK) << llmc_last_error(); });
  elsewhere([&] { llmc_session_free(session); });
  elsewhere([&] { llmc_model_release(loaded); });
}

/// Once a step is recorded: the context, its head, the graph, a mark and the wait for it, the context as it
/// was; however large the page tables are.
TEST_F(CudaStub, a_decode_step_is_few_calls_and_few_bytes) {
  llmc_model *loaded = loadOnStub();
  ASSERT_TRUE(loaded);
  llmc_session *session = newSession(loaded, 2048, 512, 64);
  ASSERT_TRUE(session);
  llmc_sampling_params sampling;
  llmc_sampling_params_init(&sampling, sizeof sampling);
  llmc_sampler *sampler = nullptr;
  ASSERT_EQ(llmc_sampler_new(loaded, &sampling, &sampler), LLMC_OK);
  llmc_batch *batch = nullptr;
  ASSERT_EQ(llmc_batch_new(2, &batch), LLMC_OK);
  llmc_seq seqs[2];
  for (llmc_seq &seq : seqs)
    ASSERT_EQ(llmc_seq_new(session, &seq), LLMC_OK);
  for (bool samples : {false, true}) // rows of logits, and candidates
    for (llmc_token token = 1; token <= 8; ++token) {
      llmc_batch_clear(batch);
      for (llmc_seq seq : seqs) {
        ASSERT_EQ(llmc_batch_add(batch, seq, &token, 1, LLMC_OUT_LAST, nullptr), LLMC_OK);
        if (samples)
          ASSERT_EQ(llmc_batch_sample(batch, -1, sampler), LLMC_OK);
      }
      llmc_stub_fail_at(0);
      ASSERT_EQ(llmc_eval(session, batch), LLMC_OK) << llmc_last_error();
      if (token < 7) // 5 to 8 keys are of one shape, and 9 to 16: the second of them records it
        continue;
      EXPECT_EQ(llmc_stub_calls(), 6u);
      EXPECT_LE(llmc_stub_bytes_in(), 256u);
    }
  llmc_batch_free(batch);
  llmc_sampler_free(sampler);
  llmc_session_free(session);
  llmc_model_release(loaded);
}

/// Each write of kernels is looked at, those to memory of the host among them.
TEST_F(CudaStub, kernels_write_where_they_may) {
  setenv("LLMC_STUB_CODE", LLMC_DEVICE_MODELS "/llama-gqa.checked.simt", 1);
  const ScenarioResult checked = runScenario(model, "cuda");
  EXPECT_EQ(checked.error, "") << llmc_stub_last_error();
  EXPECT_TRUE(llmc_stub_is_checked());
}

/// The stub itself: what a driver refuses, it refuses, too.
TEST_F(CudaStub, refuses_what_a_driver_refuses) {
  constexpr int invalidValue = 1, invalidContext = 201, captureUnsupported = 900, captureInvalidated = 901;
  void *context = nullptr, *stream = nullptr, *graph = nullptr;
  uint64_t memory = 0;
  std::thread([&] { // a thread without a context
    EXPECT_EQ(cuMemAlloc_v2(&memory, 16), invalidContext);
    EXPECT_EQ(cuStreamCreate(&stream, 0), invalidContext);
    ASSERT_EQ(cuDevicePrimaryCtxRetain(&context, 0), 0);
    EXPECT_EQ(cuMemAlloc_v2(&memory, 16), invalidContext); // to retain one is not to have it
    ASSERT_EQ(cuCtxPushCurrent_v2(context), 0);
    ASSERT_EQ(cuMemAlloc_v2(&memory, 16), 0);
    ASSERT_EQ(cuStreamCreate(&stream, 0), 0);
    for (auto [x, y, z, threads] :
         {std::array<unsigned, 4>{1, 65536, 1, 32}, {1, 1, 65536, 32}, {1, 0, 1, 32}, {1, 1, 1, 1025}})
      EXPECT_EQ(cuLaunchKernel(nullptr, x, y, z, threads, 1, 1, 0, stream, nullptr, nullptr), invalidValue);
    // What no graph can hold makes that which is being recorded useless.
    ASSERT_EQ(cuStreamBeginCapture_v2(stream, 1), 0);
    EXPECT_EQ(cuStreamSynchronize(stream), captureUnsupported);
    EXPECT_EQ(cuStreamEndCapture(stream, &graph), captureInvalidated);
    EXPECT_EQ(graph, nullptr);
    ASSERT_EQ(cuStreamBeginCapture_v2(stream, 1), 0);
    EXPECT_EQ(cuMemFree_v2(memory), captureUnsupported);
    EXPECT_EQ(cuStreamEndCapture(stream, &graph), captureInvalidated);
    // Kernels know of host memory only where it was allocated for that, and graphs copy only to such.
    void *host = nullptr;
    uint64_t mapped = 0, word = 0;
    ASSERT_EQ(cuMemHostAlloc(&host, 16, 0), 0);
    EXPECT_EQ(cuMemHostGetDevicePointer_v2(&mapped, host, 0), invalidValue);
    EXPECT_EQ(cuMemHostGetDevicePointer_v2(&mapped, &word, 0), invalidValue);
    ASSERT_EQ(cuStreamBeginCapture_v2(stream, 1), 0);
    EXPECT_EQ(cuMemcpyDtoHAsync_v2(&word, memory, 8, stream), invalidValue);
    EXPECT_EQ(cuStreamEndCapture(stream, &graph), 0);
    EXPECT_EQ(cuGraphDestroy(graph), 0);
    EXPECT_EQ(cuMemFreeHost(host), 0);
  })
      .join();
  EXPECT_EQ(cuMemFree_v2(memory), invalidContext);
  std::thread([&] {
    ASSERT_EQ(cuCtxPushCurrent_v2(context), 0);
    EXPECT_EQ(cuMemFree_v2(memory), 0);
    EXPECT_EQ(cuStreamDestroy_v2(stream), 0);
    EXPECT_EQ(cuDevicePrimaryCtxRelease_v2(0), 0);
    EXPECT_EQ(cuMemAlloc_v2(&memory, 16), invalidContext); // it went with its last user
  }).join();
}

} // namespace
