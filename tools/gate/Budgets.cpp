//===- Budgets.cpp - how far a pass may move the numbers ------------------===//
#include "tools/gate/Budgets.h"

#include <algorithm>
#include <array>

namespace llmc::tools {

namespace {
/// Errors of a model of some layers, in standard deviations of each value.
struct Rounding {
  const char *type;
  double max, mean, logits;
  const char *reason;
};
} // namespace

// Sums of some hundred to some thousand f32 products round to 1e-6 of their size. 30 layers make 1.5e-4 of it
// in some number far out, less than 5e-6 in the mean and 1e-5 in the logits, where the smallest mistake seen
// makes 4e-4.
static constexpr Rounding reassociation = {"f32", 1e-3, 1e-5, 1e-4, "sums in another order"};

// About four times what a model of 30 layers and 135 M parameters (SmolLM2) shows on random tokens.
static constexpr std::array<Rounding, 3> caches = {{
    {"f16", 0.15, 2e-3, 0.02, "keys and values of 11 bits"},
    {"bf16", 1.5, 2e-2, 0.1, "keys and values of 8 bits"},
    {"q8", 8, 0.1, 0.3, "keys and values of 8 bits in groups of 32"},
}};

static constexpr std::array<Rounding, 3> activationTypes = {{
    {"f16", 0.5, 5e-3, 0.05, "inputs of matmuls of 11 bits"},
    {"bf16", 5, 5e-2, 0.2, "inputs of matmuls of 8 bits"},
    {"int8", 12, 0.25, 0.6, "inputs of matmuls of 8 bits in groups of 32"},
}};

template <typename Table> static Rounding entryOf(const Table &table, const std::string &type) {
  for (const Rounding &entry : table)
    if (type == entry.type)
      return entry;
  return reassociation; // f32
}

static Budget budgetOf(const Rounding &entry) { return {entry.max, entry.mean, entry.logits, entry.reason}; }

static Budget widened(Budget budget, double tolerance) {
  for (double *allowed : {&budget.max, &budget.mean, &budget.logits})
    *allowed = std::max(*allowed, tolerance);
  return budget;
}

/// What both allow, since both happen.
static Budget sum(const Budget &a, const Budget &b) {
  return {a.max + b.max, a.mean + b.mean, a.logits + b.logits, a.reason + ", " + b.reason};
}

Budget reassociationBudget(double tolerance) {
  if (tolerance > 0)
    return {tolerance, tolerance, tolerance, reassociation.reason};
  return budgetOf(reassociation);
}

Budget cacheBudget(const std::string &type, double tolerance) {
  return type == "f32" ? reassociationBudget(tolerance) : widened(budgetOf(entryOf(caches, type)), tolerance);
}

Budget loweringBudget(const std::string &cacheType, double tolerance) {
  Budget budget = reassociationBudget(tolerance);
  if (cacheType == "f32")
    return budget;
  // A sum in another order may fall to another number of the cache; few do, and each is off by one step.
  Budget cache = budgetOf(entryOf(caches, cacheType));
  for (double *allowed : {&cache.max, &cache.mean, &cache.logits})
    *allowed /= 4;
  return widened(sum(budget, cache), tolerance);
}

Budget kernelBudget(const std::string &activations, const std::string &cacheType, double tolerance) {
  if (activations == "f32")
    return loweringBudget(cacheType, tolerance);
  Budget budget = budgetOf(entryOf(activationTypes, activations));
  // Other numbers fall to other ones of the cache.
  if (cacheType != "f32")
    budget = sum(budget, budgetOf(entryOf(caches, cacheType)));
  return widened(budget, tolerance);
}

Budget equalBits() { return {0, 0, 0, "the same bits however tokens are cut"}; }

} // namespace llmc::tools
