//===- kernel_shares.cpp - where the time of a step goes, by kernel -------===//
//
// Prefills a prompt and decodes behind it, both seen by an observer, and prints for each kernel the shortest
// time of several runs and its share. With one thread it is the processor's time, so that other programs
// disturb little.
//
//   kernel_shares MODEL.so [PROMPT_TOKENS [THREADS [RUNS [KV_TYPE]]]]      (KV_TYPE: a number of
//   llmc_kv_type)
//
//===----------------------------------------------------------------------===//
#include "tests/e2e/Reference.h"

#include <algorithm>
#include <ctime>
#include <map>

using namespace llmc::e2e;

namespace {

bool isAlone = false; // one thread

double now() {
  timespec time;
  clock_gettime(isAlone ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &time);
  return double(time.tv_sec) * 1e3 + double(time.tv_nsec) * 1e-6;
}

struct Times {
  double last = now();
  std::map<std::string, double> milliseconds;

  static bool note(const llmc_dispatch_info *info, void *self) {
    auto &times = *static_cast<Times *>(self);
    times.milliseconds[info->kernel] += now() - times.last;
    times.last = now();
    return true;
  }
};

/// The run with the shortest sum stands for all.
struct Best {
  double total = INFINITY;
  std::map<std::string, double> milliseconds;
  void add(const Times &times) {
    double sum = 0;
    for (auto &[kernel, ms] : times.milliseconds)
      sum += ms;
    if (sum < total)
      total = sum, milliseconds = times.milliseconds;
  }
  void print(const char *what) const {
    std::printf("%s: %.2f ms\n", what, total);
    for (auto &[kernel, ms] : milliseconds)
      std::printf("  %6.2f %%  %9.3f ms  %s\n", 100 * ms / total, ms, kernel.c_str());
  }
};

} // namespace

int main(int argc, char **argv) {
  if (argc < 2)
    die("usage: kernel_shares MODEL.so [PROMPT_TOKENS [THREADS [RUNS [KV_TYPE]]]]");
  auto number = [&](int i, int fallback) { return argc > i ? std::atoi(argv[i]) : fallback; };
  const int tokens = number(2, 512), runs = number(4, 5);
  cacheType = number(5, LLMC_KV_AUTO);
  llmc_model_params params;
  llmc_model_params_init(&params, sizeof params);
  params.n_threads = static_cast<uint32_t>(number(3, 2));
  isAlone = params.n_threads == 1;
  llmc_model *loaded = nullptr;
  LLMC_CHECK(llmc_model_load(argv[1], &params, &loaded));
  Model model(loaded);
  int64_t vocab = 0;
  LLMC_CHECK(llmc_model_info(model.get(), LLMC_INFO_VOCAB, &vocab));
  Tokens prompt;
  for (int i = 0; i < tokens; ++i)
    prompt.push_back(static_cast<llmc_token>((int64_t(i) * 7919 + 13) % vocab));

  Best prefill, decode;
  Session session = newSession(model, static_cast<size_t>(tokens) + 8, 1, 512);
  for (int run = 0; run < runs; ++run) {
    llmc_seq seq = newSequence(session);
    for (Best *best : {&prefill, &decode}) {
      Times times;
      LLMC_CHECK(llmc_session_observe(session.get(), Times::note, &times));
      if (best == &prefill)
        LLMC_CHECK(llmc_prefill(session.get(), seq, prompt.data(), prompt.size()));
      else
        LLMC_CHECK(llmc_decode(session.get(), seq, 1));
      LLMC_CHECK(llmc_session_observe(session.get(), nullptr, nullptr));
      best->add(times);
    }
    LLMC_CHECK(llmc_seq_free(session.get(), seq));
  }
  prefill.print("prefill");
  decode.print("decode behind it");
  return 0;
}
