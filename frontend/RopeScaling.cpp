//===- RopeScaling.cpp - rotary frequencies of long contexts --------------===//
#include "frontend/RopeScaling.h"

#include "frontend/ShortestF32.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <numbers>

namespace llmc::frontend {
namespace {

/// Checks what the rule reads, before it is read.
class Checker {
public:
  explicit Checker(std::string &problem) : problem(problem) {}
  void expect(bool holds, const char *name, double found, const char *expected) {
    if (!holds && problem.empty())
      problem = fmt::format("{} is {}, expected {}", name, found, expected);
  }
  void positive(const char *name, double found) {
    expect(std::isfinite(found) && found > 0, name, found, "a number above 0");
  }
  void divisors(const char *name, const std::vector<double> &found, int64_t dims) {
    if (static_cast<int64_t>(found.size()) != dims / 2 && problem.empty())
      problem = fmt::format("{} has {} numbers, expected {}, one for each pair of the {} rotated dimensions",
                            name, found.size(), dims / 2, dims);
    for (double divisor : found)
      if (!(std::isfinite(divisor) && divisor > 0) && problem.empty())
        problem = fmt::format("{} holds {}, expected numbers above 0", name, divisor);
  }

private:
  std::string &problem;
};

void check(const RopeScaling &s, int64_t dims, std::string &problem) {
  Checker c(problem);
  c.positive("factor", s.factor);
  if (s.attentionFactor)
    c.positive("attention factor", *s.attentionFactor);
  bool readsContext = s.rule == RopeRule::Dynamic || s.rule == RopeRule::Llama3 || s.rule == RopeRule::Yarn ||
                      s.rule == RopeRule::LongRope;
  if (readsContext)
    c.positive("original context", s.originalContext);
  switch (s.rule) {
  case RopeRule::Dynamic:
    c.expect(dims > 2, "rotated dimensions", static_cast<double>(dims), "more than 2 for dynamic scaling");
    c.expect(s.factor >= 1, "factor", s.factor, "at least 1 for dynamic scaling");
    break;
  case RopeRule::Llama3:
    c.positive("low frequency factor", s.lowFreqFactor);
    c.expect(s.highFreqFactor > s.lowFreqFactor, "high frequency factor", s.highFreqFactor,
             "more than the low frequency factor");
    break;
  case RopeRule::Yarn:
    c.positive("beta fast", s.betaFast);
    c.positive("beta slow", s.betaSlow);
    c.expect(std::isfinite(s.mscale) && s.mscale >= 0, "mscale", s.mscale, "a number from 0 on");
    c.expect(std::isfinite(s.mscaleAllDim) && s.mscaleAllDim >= 0, "mscale_all_dim", s.mscaleAllDim,
             "a number from 0 on");
    break;
  case RopeRule::LongRope:
    c.expect(s.originalContext > 1, "original context", s.originalContext,
             "more than 1 for longrope scaling");
    c.divisors("the list of short factors", s.shortDivisors, dims);
    c.divisors("the list of long factors", s.longDivisors, dims);
    break;
  case RopeRule::Divisors:
    c.divisors("the list of divisors", s.shortDivisors, dims);
    break;
  case RopeRule::None:
  case RopeRule::Linear:
    break;
  }
}

/// How far pair j stands on Yarn's ramp: 0 keeps its frequency, 1 divides it by the factor.
double yarnRamp(const RopeScaling &s, double base, double dims, int64_t j) {
  auto pairOf = [&](double rotations) {
    return dims * std::log(s.originalContext / (rotations * 2 * std::numbers::pi)) / (2 * std::log(base));
  };
  double low = pairOf(s.betaFast), high = pairOf(s.betaSlow);
  if (s.truncate)
    low = std::floor(low), high = std::ceil(high);
  low = std::max(low, 0.0);
  high = std::min(high, dims - 1);
  if (low == high)
    high += 0.001;
  return std::clamp((static_cast<double>(j) - low) / (high - low), 0.0, 1.0);
}

double llama3Frequency(const RopeScaling &s, double freq) {
  double wavelength = 2 * std::numbers::pi / freq;
  if (wavelength < s.originalContext / s.highFreqFactor)
    return freq;
  if (wavelength > s.originalContext / s.lowFreqFactor)
    return freq / s.factor;
  double smooth = (s.originalContext / wavelength - s.lowFreqFactor) / (s.highFreqFactor - s.lowFreqFactor);
  return (1 - smooth) * freq / s.factor + smooth * freq;
}

double attentionFactor(const RopeScaling &s) {
  if (s.attentionFactor)
    return *s.attentionFactor;
  if (s.rule == RopeRule::LongRope)
    return s.factor <= 1 ? 1 : std::sqrt(1 + std::log(s.factor) / std::log(s.originalContext));
  if (s.rule != RopeRule::Yarn)
    return 1;
  auto magnitude = [&](double scale) { return s.factor <= 1 ? 1 : 0.1 * scale * std::log(s.factor) + 1; };
  return s.mscale != 0 && s.mscaleAllDim != 0 ? magnitude(s.mscale) / magnitude(s.mscaleAllDim)
                                              : magnitude(1);
}

/// The base for sequences of `context` tokens.
double dynamicBase(const RopeScaling &s, double base, double dims, int64_t context) {
  double length = std::max(static_cast<double>(context), s.originalContext);
  return base * std::pow(s.factor * length / s.originalContext - (s.factor - 1), dims / (dims - 2));
}

double frequency(const RopeScaling &s, double base, double dims, int64_t context, int64_t j) {
  double exponent = -2.0 * static_cast<double>(j) / dims;
  double freq = std::pow(base, exponent);
  switch (s.rule) {
  case RopeRule::None:
    return freq;
  case RopeRule::Linear:
    return freq / s.factor;
  case RopeRule::Dynamic:
    return std::pow(dynamicBase(s, base, dims, context), exponent);
  case RopeRule::Llama3:
    return llama3Frequency(s, freq);
  case RopeRule::Yarn: {
    double ramp = yarnRamp(s, base, dims, j);
    return freq / s.factor * ramp + freq * (1 - ramp);
  }
  case RopeRule::LongRope:
    return freq / (static_cast<double>(context) > s.originalContext ? s.longDivisors : s.shortDivisors)[j];
  case RopeRule::Divisors:
    return freq / s.factor / s.shortDivisors[j];
  }
  return freq;
}

} // namespace

std::optional<RopeNumbers> ropeNumbers(const RopeScaling &scaling, double base, int64_t dims, int64_t context,
                                       std::string &problem) {
  problem.clear();
  check(scaling, dims, problem);
  if (!problem.empty())
    return std::nullopt;
  RopeNumbers numbers;
  numbers.factor = shortestF32(attentionFactor(scaling));
  bool changes = false;
  for (int64_t j = 0; j < dims / 2; ++j) {
    auto d = static_cast<double>(dims);
    double scaled = frequency(scaling, base, d, context, j);
    changes |= static_cast<float>(scaled) != static_cast<float>(frequency({}, base, d, context, j));
    if (!std::isfinite(static_cast<float>(scaled))) {
      problem = fmt::format("base {} and factor {} give pair {} a frequency that is not finite", base,
                            scaling.factor, j);
      return std::nullopt;
    }
    numbers.freqs.push_back(shortestF32(scaled));
  }
  if (!changes)
    numbers.freqs.clear(); // the base alone says it
  return numbers;
}

std::optional<std::pair<int64_t, int64_t>> contextsOfRope(const RopeScaling &scaling, int64_t context) {
  if (scaling.rule != RopeRule::Dynamic && scaling.rule != RopeRule::LongRope)
    return std::nullopt;
  auto original = static_cast<int64_t>(scaling.originalContext);
  if (context <= original)
    return std::pair(int64_t(1), original);
  return scaling.rule == RopeRule::Dynamic
             ? std::pair(context, context)
             : std::pair<int64_t, int64_t>(original + 1, std::numeric_limits<int32_t>::max());
}

std::string fixedRopeNote(const RopeScaling &scaling, int64_t context) {
  auto original = static_cast<int64_t>(scaling.originalContext);
  if (scaling.rule == RopeRule::Dynamic)
    return fmt::format("rope scaling 'dynamic' is fixed for sequences of up to {} tokens",
                       std::max(context, original));
  if (scaling.rule == RopeRule::LongRope)
    return context > original
               ? fmt::format("rope scaling 'longrope' is fixed to its long factors, for more than {} tokens",
                             original)
               : fmt::format("rope scaling 'longrope' is fixed to its short factors, for up to {} tokens",
                             original);
  return "";
}

} // namespace llmc::frontend
