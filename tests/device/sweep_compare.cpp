// sweep_compare CPU_MODEL DEVICE_MODEL CODE SEED...: the largest difference of logits between the CPU and the
// emulator, which runs CODE (llmc-compile simt --checks) in orders of threads that each seed draws, in units
// of the logits' standard deviation. Prompts of 1, 5 and 35 tokens, a step of a token of each, and a chunk
// beside a few tokens.
#include "llmc/llmc.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace {

[[noreturn]] void fail(const std::string &words) {
  std::fprintf(stderr, "%s\n", words.c_str());
  std::exit(1);
}
void require(llmc_status status) {
  if (status != LLMC_OK)
    fail(llmc_last_error());
}

std::vector<float> logitsOf(const char *path, const std::string &device) {
  llmc_model_params params;
  llmc_model_params_init(&params, sizeof params);
  params.device = device.c_str();
  params.n_threads = 1;
  llmc_session_params limits;
  llmc_session_params_init(&limits, sizeof limits);
  limits.n_ctx = 64, limits.n_seq_max = 3, limits.n_batch = 40;
  llmc_model *model = nullptr;
  llmc_session *session = nullptr;
  llmc_batch *batch = nullptr;
  llmc_seq sequences[3];
  require(llmc_model_load(path, &params, &model));
  require(llmc_session_new(model, &limits, &session));
  require(llmc_batch_new(limits.n_batch, &batch));
  for (llmc_seq &sequence : sequences)
    require(llmc_seq_new(session, &sequence));
  int64_t vocab = 0;
  require(llmc_model_info(model, LLMC_INFO_VOCAB, &vocab));

  std::vector<float> logits;
  int64_t next = 0;
  auto step = [&](std::initializer_list<std::pair<int, size_t>> parts) {
    llmc_batch_clear(batch);
    for (auto [sequence, n] : parts) {
      std::vector<llmc_token> tokens(n);
      for (llmc_token &token : tokens)
        token = llmc_token((++next * 37 + 11) % vocab);
      require(llmc_batch_add(batch, sequences[sequence], tokens.data(), n, LLMC_OUT_ALL, nullptr));
    }
    require(llmc_eval(session, batch));
    const float *row;
    size_t n;
    for (int32_t i = 0; llmc_logits(session, i, &row, &n) == LLMC_OK; ++i)
      logits.insert(logits.end(), row, row + n);
  };
  step({{0, 1}});
  step({{1, 5}});
  step({{2, 35}});
  step({{2, 1}, {0, 1}, {1, 1}});
  step({{0, 9}, {1, 2}});
  llmc_batch_free(batch);
  llmc_session_free(session);
  llmc_model_release(model);
  return logits;
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 5)
    fail("sweep_compare CPU_MODEL DEVICE_MODEL CODE SEED...");
  const std::vector<float> expected = logitsOf(argv[1], "cpu");
  double sum = 0, squares = 0, largest = 0;
  for (double x : expected)
    sum += x, squares += x * x;
  const double n = double(expected.size()), deviation = std::sqrt(squares / n - sum / n * (sum / n));
  for (int i = 4; i < argc; ++i) {
    const std::string device =
        "simt:code=" + std::string(argv[3]) + ",checks=bounds+races,seed=" + std::string(argv[i]);
    const std::vector<float> found = logitsOf(argv[2], device);
    if (found.size() != expected.size())
      fail("another number of logits");
    for (size_t j = 0; j < found.size(); ++j)
      if (const double difference = std::abs(double(found[j]) - double(expected[j]));
          !(difference <= largest))
        largest = std::isnan(difference) ? INFINITY : difference;
  }
  std::printf("%.1e\n", largest / deviation);
}
