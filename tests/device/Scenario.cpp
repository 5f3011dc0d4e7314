#include "tests/device/Scenario.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace llmc::test {

namespace {

class Run : TestSession {
public:
  explicit Run(ScenarioResult &result) : result(result) {}
  ~Run() { llmc_sampler_free(sampler); }
  void all(const std::string &path, const std::string &device) {
    if (!well(open(path, device, {.nSeqs = 2, .nBatch = 16})))
      return;
    const std::vector<llmc_token> first{token(1), token(2), token(3), token(4), token(5), token(6), token(7)};
    const std::vector<llmc_token> second{token(11), token(12), token(13), token(14), token(15)};
    if (!step([&] { llmc_batch_add(batch, seqs[0], first.data(), first.size(), LLMC_OUT_ALL, nullptr); }) ||
        !step([&] { llmc_batch_add(batch, seqs[1], second.data(), second.size(), LLMC_OUT_LAST, nullptr); }))
      return;
    if (!choose())
      return;
    for (int i = 0; i < 4; ++i)
      if (!step([&] {
            for (int s : {0, 1}) {
              const llmc_token next = token(20 + i * 2 + s);
              llmc_batch_add(batch, seqs[s], &next, 1, LLMC_OUT_LAST, nullptr);
            }
          }))
        return;
  }

  void all(const std::string &path, const std::string &device, const SessionShape &shape,
           const Steps &steps) {
    if (!well(open(path, device, shape)))
      return;
    int64_t last = 0;
    for (const auto &parts : steps)
      if (!step([&] {
            for (auto [sequence, n] : parts) {
              std::vector<llmc_token> tokens(n);
              for (llmc_token &next : tokens)
                next = token(++last);
              llmc_batch_add(batch, seqs[sequence], tokens.data(), n, LLMC_OUT_ALL, nullptr);
            }
          }))
        return;
  }

private:
  bool well(llmc_status status) {
    if (status == LLMC_OK)
      return true;
    result.status = status;
    result.error = llmc_last_error();
    return false;
  }
  /// A step whose rows a sampler reads, and then others do.
  bool choose() {
    llmc_sampling_params params;
    llmc_sampling_params_init(&params, sizeof params);
    if (!well(llmc_sampler_new(model, &params, &sampler)))
      return false;
    return step([&] {
      for (llmc_seq seq : seqs) {
        const llmc_token next = 19;
        llmc_batch_add(batch, seq, &next, 1, LLMC_OUT_LAST, nullptr);
        llmc_batch_sample(batch, -1, sampler);
      }
    });
  }
  bool step(const std::function<void()> &fill) {
    llmc_batch_clear(batch);
    fill();
    const llmc_pos before[] = {llmc_seq_len(session, seqs[0]), llmc_seq_len(session, seqs[1])};
    if (!well(llmc_eval(session, batch))) {
      result.lengths = {llmc_seq_len(session, seqs[0]) - before[0],
                        llmc_seq_len(session, seqs[1]) - before[1]};
      result.wasRepeated = llmc_eval(session, batch) == LLMC_OK;
      return false;
    }
    return well(eachRow([&](const float *row, size_t n) { result.logits.emplace_back(row, row + n); }));
  }

  ScenarioResult &result;
  llmc_sampler *sampler = nullptr;
};

} // namespace

ScenarioResult runScenario(const std::string &path, const std::string &device) {
  ScenarioResult result;
  Run(result).all(path, device);
  return result;
}

ScenarioResult runSteps(const std::string &path, const std::string &device, const SessionShape &shape,
                        const Steps &steps) {
  ScenarioResult result;
  Run(result).all(path, device, shape, steps);
  return result;
}

static llmc_status write(llmc_session *session, llmc_sampler *sampler, llmc_token first, Text &text) {
  llmc_seq seq = -1;
  if (llmc_status status = llmc_seq_new(session, &seq))
    return status;
  const llmc_token prompt[] = {first, first + 1, first + 2};
  if (llmc_status status = llmc_prefill(session, seq, prompt, 3))
    return status;
  llmc_generate_params params;
  llmc_generate_params_init(&params, sizeof params);
  params.max_tokens = textTokens, params.flags = LLMC_GENERATE_IGNORE_EOS;
  auto note = [](const llmc_event *event, void *ud) {
    static_cast<Text *>(ud)->tokens.push_back(event->token);
    return true;
  };
  int32_t stop = 0;
  if (llmc_status status = llmc_generate(session, seq, sampler, &params, note, &text, &stop))
    return status;
  for (llmc_token token : prompt)
    if (llmc_status status = llmc_decode(session, seq, token))
      return status;
  const float *row = nullptr;
  size_t n = 0;
  const llmc_status status = llmc_logits(session, -1, &row, &n);
  text.logits.assign(row, row + n);
  return status;
}

Text writeText(llmc_model *model, llmc_token first) {
  Text text;
  llmc_session_params limits;
  llmc_session_params_init(&limits, sizeof limits);
  limits.n_ctx = 32, limits.n_batch = 8;
  llmc_sampling_params sampling;
  llmc_sampling_params_init(&sampling, sizeof sampling);
  llmc_session *session = nullptr;
  llmc_sampler *sampler = nullptr;
  if (llmc_session_new(model, &limits, &session) || llmc_sampler_new(model, &sampling, &sampler) ||
      write(session, sampler, first, text))
    text.error = llmc_last_error();
  llmc_sampler_free(sampler);
  llmc_session_free(session);
  return text;
}

double difference(const ScenarioResult &a, const ScenarioResult &b) {
  if (a.logits.size() != b.logits.size() || a.logits.empty())
    return INFINITY;
  double sum = 0, squares = 0, n = 0, most = 0;
  for (size_t row = 0; row < a.logits.size(); ++row)
    for (size_t i = 0; i < a.logits[row].size(); ++i) {
      const double x = a.logits[row][i], delta = std::abs(x - b.logits[row][i]);
      sum += x, squares += x * x, n += 1;
      most = delta <= most ? most : std::isnan(delta) ? INFINITY : delta;
    }
  return most / std::sqrt(squares / n - sum / n * (sum / n));
}

} // namespace llmc::test
