// Choosing a token from a row of logits: penalties and biases, the caller's stages, then temperature, top-k,
// top-p, min-p, typical-p and a seeded draw. The same seed and logits give the same tokens on every machine
// with the same libm.
//
// Order and formulas of the filters are those of Hugging Face transformers (logits_process.py): temperature
// first, each filter over what the one before left, with probabilities that sum to 1 again. The repeat
// penalty is CTRL's (Keskar et al. 2019), presence and frequency penalties are OpenAI's, typical-p is Meister
// et al. 2022.
#pragma once

#include "runtime/Busy.h"

#include "llmc/module_abi.h"

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

namespace llmc {

/// log(sum(exp(row))), and the logit of the same row minus it, is a log-probability. NaN counts as -infinity.
double logSumExp(std::span<const float> row);
/// The same bits from the row's largest number and the sums of exp(logit - largest) that a device made.
double logSumExp(float highest, std::span<const float> sums);

/// The index of the largest number, the lowest on ties; -1 when there is none.
int32_t argmax(std::span<const float> row);

/// The k best ids with their log-probabilities, best first, lower ids first on ties.
void topLogprobs(std::span<const float> row, size_t k, llmc_token *tokens, float *logprobs);

/// What a device has found out about a row (llmc_device_sampling).
struct RowSummary {
  std::span<const llmc_candidate> best; ///< best first
  std::span<const float> sums;
};

class Sampler {
public:
  Sampler(const llmc_sampling_params &params, uint32_t vocab)
      : params(params), vocab(vocab), state(params.seed) {}
  Sampler(const Sampler &other);
  ~Sampler();

  /// `logprob` (may be null) is that of the row as the model gave it.
  llmc_status sample(std::span<const float> row, llmc_token &token, float *logprob);
  /// The same from a row's best logits; `wanted()` of them, or all that the row has, must be there.
  llmc_status sample(const RowSummary &row, llmc_token &token, float *logprob);
  /// How many of a row's best logits decide, now and after any accept(); 0: the whole row does.
  uint32_t wanted() const;
  llmc_status accept(llmc_token token);
  void addBias(llmc_token token, float bias) { biases.push_back({token, bias}); }
  void addStage(const llmc_sampler_stage &stage) { stages.push_back(stage); }
  bool hasStages() const { return !stages.empty(); }
  /// Where the draws stand, for a step that is undone.
  uint64_t drawState() const { return state; }
  void setDrawState(uint64_t before) { state = before; }
  uint32_t vocabulary() const { return vocab; }

  BusyFlag busy;

private:
  struct Bias {
    llmc_token token;
    float value;
  };
  using Candidate = llmc_candidate;
  static bool isBefore(const Candidate &a, const Candidate &b);
  bool penalizes() const;
  bool hasPenalties() const;
  void penalize(std::vector<float> &logits) const;
  llmc_token draw(std::span<const float> logits);
  llmc_token drawFromCandidates(llmc_token best, double highest);
  double leastLogit(double highest) const;
  void keepTopK();
  void keepTopP(double highest);
  void keepTypical(double highest);
  double weightOf(const Candidate &candidate, double highest) const;
  double uniform();

  llmc_sampling_params params;
  uint32_t vocab;
  uint64_t state;
  std::vector<Bias> biases;
  std::vector<llmc_sampler_stage> stages;
  std::deque<llmc_token> history;
  std::vector<float> changed;
  std::vector<Candidate> candidates; ///< of the draw under way, in order of ids until a filter sorts them
  std::vector<double> weights;
};

} // namespace llmc

struct llmc_sampler final : llmc::Sampler {
  using llmc::Sampler::Sampler;
};
