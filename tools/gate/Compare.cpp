//===- Compare.cpp - how far two evaluations lie apart --------------------===//
#include "tools/gate/Compare.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace llmc::tools {

/// Where inputs have 8 bits, gates make 1.4 of it in one of a million numbers of a real model (SmolLM2).
static constexpr double mostOfSize = 2;

Budget Budget::of(int64_t layer) const {
  Budget budget = *this;
  if (layers == 0)
    return budget;
  // Roundings add up like the steps of a random walk.
  const double part = layer < 0 || layer >= layers
                          ? 1
                          : std::sqrt(static_cast<double>(layer + 1) / static_cast<double>(layers));
  budget.mean *= part;
  budget.max = std::min(max * part, mostOfSize);
  for (double *allowed : {&budget.max, &budget.mean})
    *allowed = std::max(*allowed, atLeast);
  return budget;
}

/// What errors are measured in: how far the values lie apart, or how large they are if all are one.
static double unitOf(double sum, double squares, double n) {
  const double mean = sum / n, variance = squares / n - mean * mean;
  const double unit = variance > 1e-12 * squares / n ? std::sqrt(variance) : std::sqrt(squares / n);
  return unit > 0 && std::isfinite(unit) ? unit : 1;
}

/// The size of a number among those of its value: a rounding moves one that lies far out in proportion.
static double sizeOf(double number, double unit) {
  return std::isfinite(number) ? std::hypot(number, unit) : unit;
}

/// Zero where both are the same, also the same infinity or no number at all.
static double distance(float a, float b) {
  if (a == b || (std::isnan(a) && std::isnan(b)))
    return 0;
  const double d = std::fabs(static_cast<double>(a) - b);
  return std::isfinite(d) ? d : std::numeric_limits<double>::infinity();
}

namespace {
struct Measured {
  Difference difference;
  size_t numbers = 0;
};
} // namespace

static Measured measure(const EvaluatedValue &reference, const EvaluatedValue &checked) {
  Measured result;
  Difference &difference = result.difference;
  difference.key = checked.key;
  difference.kernel = checked.kernel;
  difference.location = checked.location;
  std::vector<std::pair<RowPlace, std::pair<const float *, const float *>>> rows; // that both have
  size_t width = 0;
  double sum = 0, squares = 0, differences = 0, finite = 0;
  for (const auto &[place, expected] : reference.rows) {
    auto found = checked.rows.find(place);
    if (found == checked.rows.end() || found->second.size() != expected.size())
      continue;
    rows.push_back({place, {expected.data(), found->second.data()}});
    width = expected.size();
    for (float a : expected)
      if (std::isfinite(a)) {
        sum += a;
        squares += static_cast<double>(a) * a;
        ++finite;
      }
  }
  const double unit = finite > 0 ? unitOf(sum, squares, finite) : 1;
  for (const auto &[place, row] : rows)
    for (size_t i = 0; i < width; ++i) {
      const float a = row.first[i], b = row.second[i];
      const double d = distance(a, b), error = d / sizeOf(a, unit);
      differences += d;
      if (error > difference.max) {
        difference.max = error;
        difference.row = place;
        difference.column = i * reference.stride;
        difference.expected = a;
        difference.found = b;
      }
    }
  result.numbers = rows.size() * width;
  difference.mean = result.numbers ? differences / unit / static_cast<double>(result.numbers) : 0;
  return result;
}

/// KL(p || q) of the distributions that two rows of logits stand for.
static double divergence(const std::vector<float> &p, const std::vector<float> &q) {
  auto logSum = [](const std::vector<float> &row) {
    const double top = *std::max_element(row.begin(), row.end());
    double sum = 0;
    for (float x : row)
      sum += std::exp(x - top);
    return top + std::log(sum);
  };
  if (p.empty() || p.size() != q.size())
    return 0;
  const double sumP = logSum(p), sumQ = logSum(q);
  double kl = 0;
  for (size_t i = 0; i < p.size(); ++i)
    kl += std::exp(p[i] - sumP) * ((p[i] - sumP) - (q[i] - sumQ));
  return std::max(kl, 0.0); // rounding may leave a little less than nothing
}

Comparison compare(const Evaluation &reference, const Evaluation &checked, const Budget &budget) {
  Comparison result;
  auto take = [&](const EvaluatedValue &a, const EvaluatedValue &b) {
    Measured measured;
    if (a.columns == b.columns)
      measured = measure(a, b);
    if (!measured.numbers)
      return 0.0;
    Difference &difference = measured.difference;
    const Budget allowed = budget.of(b.key.layer);
    difference.allowedMax = b.key == checked.logits.key ? allowed.logits : allowed.max;
    difference.allowedMean = allowed.mean;
    ++result.values;
    for (auto [error, most] :
         {std::pair(difference.max, difference.allowedMax), {difference.mean, difference.allowedMean}})
      if (error > 0)
        result.used = std::max(result.used, error / most);
    result.max = std::max(result.max, difference.max);
    result.mean = std::max(result.mean, difference.mean);
    if (!result.first && difference.isBeyond())
      result.first = difference;
    return difference.max;
  };
  std::map<ValueKey, const EvaluatedValue *> values;
  for (const EvaluatedValue &value : reference.values)
    values[value.key] = &value;
  for (const EvaluatedValue &value : checked.values)
    if (auto found = values.find(value.key); found != values.end())
      take(*found->second, value);
  result.logits = take(reference.logits, checked.logits);
  if (reference.logits.columns != checked.logits.columns && !reference.logits.rows.empty() &&
      !checked.logits.rows.empty()) {
    result.max = result.mean = result.logits = result.used = std::numeric_limits<double>::infinity();
    if (!result.first) {
      result.first.emplace().key = checked.logits.key;
      result.first->max = result.first->mean = result.max;
    }
  }
  size_t rows = 0;
  for (const auto &[place, p] : reference.logits.rows)
    if (auto q = checked.logits.rows.find(place); q != checked.logits.rows.end()) {
      result.kl += divergence(p, q->second);
      ++rows;
    }
  if (rows)
    result.kl /= static_cast<double>(rows);
  return result;
}

} // namespace llmc::tools
