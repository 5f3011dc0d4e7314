//===- Budgets.cpp - how far a pass may move the numbers ------------------===//
#include "tools/gate/Budgets.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace llmc::tools {

// Sums of some hundred to some thousand f32 products round to 1e-6 of their size; 30 layers make some 1e-5 of
// it in some number, less than 5e-6 in the mean and 1e-5 in the logits, where the smallest mistake seen makes
// 4e-4.
static const Budget reassociation = {1e-4, 1e-5, 5e-5, "sums in another order"};

namespace {
/// What one rounding to a type does.
struct Rounding {
  const char *type;
  double error; // root mean square, of a number's size
  const char *reason;
};
} // namespace

// Half a step of p bits is up to 2^-p of a number, and spread evenly its root mean square is 1/sqrt(3) of
// that. In a group of 32 the step is 1/127 of the largest, which lies 2.3 standard deviations out: 2.3 / 127
// / sqrt(12).
static constexpr double of11Bits = 0x1p-12 / 1.732, of8Bits = 0x1p-9 / 1.732, inGroups = 2.3 / 127 / 3.464;

static constexpr std::array<Rounding, 3> caches = {{
    {"f16", of11Bits, "keys and values of 11 bits"},
    {"bf16", of8Bits, "keys and values of 8 bits"},
    {"q8", inGroups, "keys and values of 8 bits in groups of 32"},
}};
static constexpr std::array<Rounding, 3> activationTypes = {{
    {"f16", of11Bits, "inputs of matmuls of 11 bits"},
    {"bf16", of8Bits, "inputs of matmuls of 8 bits"},
    {"int8", inGroups, "inputs of matmuls of 8 bits in groups of 32"},
}};
// Roundings that follow one another in a layer: keys and values; the inputs of q, k and v, of the output, of
// gate and up, of down.
static constexpr int roundingsOfCache = 2, roundingsOfActivations = 4;
// Gates multiply errors of activations; scores, the exponents of a softmax, those of keys (4 times is seen
// where weights are random blocks and scores large).
static constexpr double growthOfCache = 6, growthOfActivations = 3;

/// Errors of n roundings add up to sqrt(n) times one, times what they grow by: that is allowed in the mean.
/// The largest of a value's numbers, ten thousand to a million with heavy tails, is allowed 24 times the
/// mean, a logit, which sums over all columns, 6 times.
template <typename Table>
static Budget budgetOf(const Table &table, const std::string &type, double growth, int perLayer,
                       int64_t layers) {
  for (const Rounding &entry : table)
    if (type == entry.type) {
      const double mean =
          growth * entry.error * std::sqrt(static_cast<double>(perLayer * std::max<int64_t>(layers, 1)));
      return {24 * mean, mean, std::min(6 * mean, 1.0), entry.reason, layers};
    }
  return reassociation; // f32
}

static Budget budgetOfCache(const std::string &type, int64_t layers) {
  return budgetOf(caches, type, growthOfCache, roundingsOfCache, layers);
}

static Budget widened(Budget budget, double tolerance) {
  for (double *allowed : {&budget.max, &budget.mean, &budget.logits})
    *allowed = std::max(*allowed, tolerance);
  budget.atLeast = tolerance;
  return budget;
}

/// What both allow, since both happen.
static Budget sum(const Budget &a, const Budget &b) {
  return {a.max + b.max, a.mean + b.mean, std::min(a.logits + b.logits, 1.0), a.reason + ", " + b.reason,
          std::max(a.layers, b.layers)};
}

Budget reassociationBudget(double tolerance) {
  if (tolerance > 0)
    return {tolerance, tolerance, tolerance, reassociation.reason};
  return reassociation;
}

Budget cacheBudget(const std::string &type, int64_t layers, double tolerance) {
  return type == "f32" ? reassociationBudget(tolerance) : widened(budgetOfCache(type, layers), tolerance);
}

Budget loweringBudget(const std::string &cacheType, int64_t layers, double tolerance) {
  Budget budget = reassociationBudget(tolerance);
  if (cacheType == "f32")
    return budget;
  // A sum in another order may fall to another number of the cache, which is no further than rounding it at
  // all.
  return widened(sum(budget, budgetOfCache(cacheType, layers)), tolerance);
}

Budget kernelBudget(const std::string &activations, const std::string &cacheType, int64_t layers,
                    double tolerance) {
  if (activations == "f32")
    return loweringBudget(cacheType, layers, tolerance);
  Budget budget = budgetOf(activationTypes, activations, growthOfActivations, roundingsOfActivations, layers);
  // Other numbers fall to other ones of the cache. Where activations have 8 bits, attention may be in bf16,
  // as if the cache were.
  const bool inBF16 = cacheType == "f16" && activations != "f16";
  if (cacheType != "f32")
    budget = sum(budget, budgetOfCache(inBF16 ? "bf16" : cacheType, layers));
  return widened(budget, tolerance);
}

Budget equalBits(const char *why) { return {0, 0, 0, why}; }

} // namespace llmc::tools
