// The arithmetic of sampling.
#include "runtime/Sampler.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

namespace llmc {

namespace {

/// exp for x <= 0 in a form that vectorizes: 2^k * 2^f by a polynomial, to about one unit in the last place
/// of float.
inline float expNegative(float x) {
  float t = std::max(x * 1.44269504f, -126.0f);
  float shifted = t + 12582912.0f; // rounds to an integer
  float whole = shifted - 12582912.0f;
  float f = (t - whole) * 0.693147181f;
  float p = 1.0f + f * (1.0f + f * (0.5f + f * (0.166666667f +
                                                f * (0.0416666667f + f * (0.00833333f + f * 0.00138889f)))));
  int32_t exponent = std::bit_cast<int32_t>(shifted) << 23;
  return std::bit_cast<float>(std::bit_cast<int32_t>(p) + exponent);
}

bool isBetter(float a, int32_t tokenA, float b, int32_t tokenB) {
  return a > b || (a == b && tokenA < tokenB);
}

void sortById(std::vector<llmc_candidate> &candidates) {
  auto byId = [](const llmc_candidate &a, const llmc_candidate &b) { return a.token < b.token; };
  if (!std::is_sorted(candidates.begin(), candidates.end(), byId))
    std::sort(candidates.begin(), candidates.end(), byId);
}

} // namespace

int32_t argmax(std::span<const float> row) {
  int32_t best = -1;
  float bestLogit = -std::numeric_limits<float>::infinity();
  for (size_t i = 0; i < row.size(); ++i)
    if (row[i] > bestLogit || (best < 0 && row[i] == bestLogit)) {
      best = int32_t(i);
      bestLogit = row[i];
    }
  return best;
}

double logSumExp(std::span<const float> row) {
  int32_t best = argmax(row);
  if (best < 0)
    return -std::numeric_limits<double>::infinity();
  const float highest = row[best];
  if (std::isinf(highest))
    return highest;
  double sum = 0;
  for (size_t i = 0; i < row.size();) {
    float lanes[16] = {}; // a fixed order of additions, and one that vectorizes
    size_t end = std::min(row.size(), i + 1024);
    for (; i + 16 <= end; i += 16)
      for (size_t lane = 0; lane < 16; ++lane) {
        float x = row[i + lane] - highest;
        lanes[lane] += x > -80.0f ? expNegative(x) : 0.0f;
      }
    for (; i < end; ++i) {
      float x = row[i] - highest;
      lanes[0] += x > -80.0f ? expNegative(x) : 0.0f;
    }
    for (float lane : lanes)
      sum += lane;
  }
  return highest + std::log(sum);
}

double logSumExp(float highest, std::span<const float> sums) {
  if (std::isinf(highest))
    return highest;
  double sum = 0;
  for (float part : sums)
    sum += part;
  return highest + std::log(sum);
}

void topLogprobs(std::span<const float> row, size_t k, llmc_token *tokens, float *logprobs) {
  const double normalizer = logSumExp(row);
  auto key = [&](llmc_token token) {
    return std::isnan(row[token]) ? -std::numeric_limits<float>::infinity() : row[token];
  };
  std::vector<llmc_token> order(row.size());
  std::iota(order.begin(), order.end(), 0);
  std::partial_sort(order.begin(), order.begin() + k, order.end(),
                    [&](llmc_token a, llmc_token b) { return isBetter(key(a), a, key(b), b); });
  for (size_t i = 0; i < k; ++i) {
    tokens[i] = order[i];
    if (logprobs)
      logprobs[i] = float(key(order[i]) - normalizer);
  }
}

// The caller's stages own user data that nobody can copy; llmc_sampler_clone refuses them.
Sampler::Sampler(const Sampler &other)
    : params(other.params), vocab(other.vocab), state(other.state), biases(other.biases),
      history(other.history) {}

Sampler::~Sampler() {
  for (const llmc_sampler_stage &stage : stages)
    if (stage.destroy)
      stage.destroy(stage.ud);
}

double Sampler::uniform() {
  // splitmix64: one addition and two multiplications, full period, any seed is good.
  uint64_t z = state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  z ^= z >> 31;
  return double(z >> 11) * 0x1p-53;
}

/// Once a token was accepted.
bool Sampler::penalizes() const {
  return params.repeat_penalty != 1 || params.presence_penalty != 0 || params.frequency_penalty != 0;
}

bool Sampler::hasPenalties() const { return !history.empty() && penalizes(); }

void Sampler::penalize(std::vector<float> &logits) const {
  std::vector<llmc_token> recent(history.begin(), history.end());
  std::sort(recent.begin(), recent.end());
  for (size_t i = 0; i < recent.size();) {
    size_t end = i;
    while (end < recent.size() && recent[end] == recent[i])
      ++end;
    float &logit = logits[recent[i]];
    logit = logit > 0 ? logit / params.repeat_penalty : logit * params.repeat_penalty;
    logit -= params.presence_penalty + params.frequency_penalty * float(end - i);
    i = end;
  }
}

static bool isChoice(std::span<const float> logits, llmc_token token) {
  return token >= 0 && logits[token] > -std::numeric_limits<float>::infinity();
}

llmc_status Sampler::sample(std::span<const float> row, llmc_token &token, float *logprob) {
  std::span<const float> logits = row;
  if (!biases.empty() || !stages.empty() || hasPenalties()) {
    changed.assign(row.begin(), row.end());
    if (hasPenalties())
      penalize(changed);
    for (const Bias &bias : biases)
      changed[bias.token] += bias.value;
    for (const llmc_sampler_stage &stage : stages)
      if (stage.apply)
        if (llmc_status status = stage.apply(stage.ud, changed.data(), changed.size()))
          return setError(status, "a sampler stage failed with status %d", status);
    logits = changed;
  }
  llmc_token chosen = params.temperature <= 0 ? argmax(logits) : draw(logits);
  if (logits.data() != row.data() && !isChoice(logits, chosen) && isChoice(row, argmax(row)))
    return setError(LLMC_ESTATE, "biases, penalties and stages of the sampler leave no token to choose");
  if (chosen < 0)
    return setError(LLMC_EINTERNAL, "the logits hold no number to choose from");
  if (logprob)
    *logprob = float(double(row[chosen]) - logSumExp(row));
  token = chosen;
  return LLMC_OK;
}

bool Sampler::isBefore(const Candidate &a, const Candidate &b) {
  return isBetter(a.logit, a.token, b.logit, b.token);
}

double Sampler::weightOf(const Candidate &candidate, double highest) const {
  return std::exp((candidate.logit - highest) / params.temperature);
}

void Sampler::keepTopK() {
  if (params.top_k <= 0 || size_t(params.top_k) >= candidates.size())
    return;
  std::nth_element(candidates.begin(), candidates.begin() + params.top_k, candidates.end(), isBefore);
  candidates.resize(params.top_k);
  sortById(candidates); // sums over them do not depend on how they were found
}

/// The fewest best tokens that reach top_p; sorted in growing parts, since few usually suffice.
void Sampler::keepTopP(double highest) {
  if (params.top_p >= 1)
    return;
  double total = 0, sum = 0;
  for (const Candidate &candidate : candidates)
    total += weightOf(candidate, highest);
  size_t kept = 0;
  auto isShort = [&] { return kept == 0 || sum < params.top_p * total; };
  for (size_t sorted = 0, part = 128; isShort() && sorted < candidates.size(); part *= 8) {
    size_t end = std::min(candidates.size(), sorted + part);
    std::partial_sort(candidates.begin() + sorted, candidates.begin() + end, candidates.end(), isBefore);
    for (sorted = end; kept < end && isShort(); ++kept)
      sum += weightOf(candidates[kept], highest);
  }
  candidates.resize(kept);
}

/// The fewest tokens that reach typical_p, those first whose surprise is nearest to the entropy.
void Sampler::keepTypical(double highest) {
  if (params.typical_p >= 1)
    return;
  double total = 0, entropy = 0;
  for (const Candidate &candidate : candidates)
    total += weightOf(candidate, highest);
  const double logTotal = std::log(total);
  auto logOf = [&](const Candidate &candidate) {
    return (candidate.logit - highest) / params.temperature - logTotal;
  };
  for (const Candidate &candidate : candidates)
    entropy -= weightOf(candidate, highest) / total * logOf(candidate);
  struct Shift {
    double distance, probability;
    Candidate candidate;
  };
  std::vector<Shift> shifts;
  shifts.reserve(candidates.size());
  for (const Candidate &candidate : candidates)
    shifts.push_back({std::abs(-logOf(candidate) - entropy), std::exp(logOf(candidate)), candidate});
  std::sort(shifts.begin(), shifts.end(), [](const Shift &a, const Shift &b) {
    return a.distance < b.distance || (a.distance == b.distance && a.candidate.token < b.candidate.token);
  });
  double sum = 0;
  candidates.clear();
  for (const Shift &shift : shifts) {
    candidates.push_back(shift.candidate);
    if ((sum += shift.probability) >= params.typical_p)
      break;
  }
}

llmc_token Sampler::draw(std::span<const float> logits) {
  const int32_t best = argmax(logits);
  if (best < 0 || std::isinf(logits[best])) // one certain token, or nothing but -infinity
    return best >= 0 && logits[best] > 0 ? best : -1;
  const double highest = logits[best], minLogit = leastLogit(highest);
  candidates.clear();
  // min-p compares with the best token only, so it may come first where nothing before it looks at sums.
  const bool isFilteredFirst = params.top_k <= 0 && params.top_p >= 1;
  for (size_t i = 0; i < logits.size(); ++i)
    if (logits[i] > -std::numeric_limits<float>::infinity() && (!isFilteredFirst || logits[i] >= minLogit))
      candidates.push_back({logits[i], llmc_token(i)});
  keepTopK();
  return drawFromCandidates(best, highest);
}

/// min-p compares with the best token only.
double Sampler::leastLogit(double highest) const {
  return params.min_p > 0 ? highest + std::log(double(params.min_p)) * params.temperature
                          : -std::numeric_limits<double>::infinity();
}

/// The filters behind top-k, then the draw.
llmc_token Sampler::drawFromCandidates(llmc_token best, double highest) {
  keepTopP(highest);
  if (params.min_p > 0)
    std::erase_if(candidates, [least = leastLogit(highest)](const Candidate &candidate) {
      return candidate.logit < least;
    });
  keepTypical(highest);
  // The draw walks in order of ids, so that equal sets give equal tokens however they were filtered.
  sortById(candidates);
  weights.clear();
  double total = 0;
  for (const Candidate &candidate : candidates) {
    weights.push_back(weightOf(candidate, highest));
    total += weights.back();
  }
  double left = uniform() * total;
  for (size_t i = 0; i < weights.size(); ++i)
    if ((left -= weights[i]) < 0)
      return candidates[i].token;
  return candidates.empty() ? best : candidates.back().token; // rounding
}

uint32_t Sampler::wanted() const {
  const bool isPlain = biases.empty() && stages.empty() && !penalizes();
  return !isPlain ? 0 : params.temperature <= 0 ? 1 : uint32_t(params.top_k);
}

llmc_status Sampler::sample(const RowSummary &row, llmc_token &token, float *logprob) {
  const llmc_candidate best = row.best.front();
  // As for a whole row: one certain token, or nothing but -infinity.
  llmc_token chosen = best.token;
  if (params.temperature > 0 && chosen >= 0 && std::isinf(best.logit))
    chosen = best.logit > 0 ? chosen : -1;
  else if (params.temperature > 0 && chosen >= 0) {
    candidates.clear();
    for (const Candidate &candidate : row.best.first(std::min<size_t>(row.best.size(), params.top_k)))
      if (candidate.token >= 0 && candidate.logit > -std::numeric_limits<float>::infinity())
        candidates.push_back(candidate);
    sortById(candidates);
    chosen = drawFromCandidates(best.token, best.logit);
  }
  if (chosen < 0)
    return setError(LLMC_EINTERNAL, "the logits hold no number to choose from");
  if (logprob) {
    const auto found = std::find_if(row.best.begin(), row.best.end(),
                                    [&](const Candidate &each) { return each.token == chosen; });
    *logprob = float(double(found->logit) - logSumExp(best.logit, row.sums));
  }
  token = chosen;
  return LLMC_OK;
}

llmc_status Sampler::accept(llmc_token token) {
  for (const llmc_sampler_stage &stage : stages)
    if (stage.accept)
      if (llmc_status status = stage.accept(stage.ud, token))
        return setError(status, "a sampler stage failed with status %d", status);
  history.push_back(token);
  if (params.penalty_last_n >= 0)
    while (history.size() > size_t(params.penalty_last_n))
      history.pop_front();
  return LLMC_OK;
}

} // namespace llmc
