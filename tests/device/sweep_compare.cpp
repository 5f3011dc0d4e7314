// sweep_compare CPU_MODEL DEVICE_MODEL CODE SEED...: the largest difference of logits between the CPU and the
// emulator, which runs CODE (llmc-compile simt --checks) in orders of threads that each seed draws, in units
// of the logits' standard deviation. Prompts of 1, 5 and 35 tokens, a step of a token of each, and a chunk
// beside a few tokens.
#include "tests/device/TestSession.h"

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
  llmc::test::TestSession test;
  require(test.open(path, device, {.nSeqs = 3, .nBatch = 40}));
  std::vector<float> logits;
  int64_t next = 0;
  auto step = [&](std::initializer_list<std::pair<int, size_t>> parts) {
    llmc_batch_clear(test.batch);
    for (auto [sequence, n] : parts) {
      std::vector<llmc_token> tokens(n);
      for (llmc_token &token : tokens)
        token = test.token(++next);
      require(llmc_batch_add(test.batch, test.seqs[sequence], tokens.data(), n, LLMC_OUT_ALL, nullptr));
    }
    require(llmc_eval(test.session, test.batch));
    require(test.eachRow([&](const float *row, size_t n) { logits.insert(logits.end(), row, row + n); }));
  };
  step({{0, 1}});
  step({{1, 5}});
  step({{2, 35}});
  step({{2, 1}, {0, 1}, {1, 1}});
  step({{0, 9}, {1, 2}});
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
  std::printf("%.3e\n", largest / deviation);
}
