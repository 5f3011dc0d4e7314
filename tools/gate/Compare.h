//===- Compare.h - how far two evaluations lie apart ------------*- C++ -*-===//
//
// Values are aligned by layer and name, rows by token. Errors are in units of the reference's standard
// deviation over all rows of a value, so that one budget serves values of any size; that of a single number
// in units of its size, the root of its square and the variance: rounding moves what lies far out in
// proportion.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_GATE_COMPARE_H
#define LLMC_TOOLS_GATE_COMPARE_H

#include "tools/gate/Evaluation.h"

#include <cstdint>
#include <optional>
#include <string>

namespace llmc::tools {

/// How much two evaluations may differ, and why.
struct Budget {
  // 0: equal bits
  double max = 0;    // of any number of a value, in its size
  double mean = 0;   // over the numbers of a value, in standard deviations
  double logits = 0; // of any logit, in its size
  std::string reason;
  // That the model has, where errors grow from layer to layer: above is what is allowed behind the last one.
  // 0: all layers are allowed the same.
  int64_t layers = 0;
  double atLeast = 0; // whatever the layer

  /// For the values of a layer (-1: outside of them) alone.
  Budget of(int64_t layer) const;
};

/// A value that is not the same on both sides.
struct Difference {
  ValueKey key;
  std::string kernel, location; // on the side that is checked
  double max = 0, mean = 0;     // infinite where no number is
  double allowedMax = 0, allowedMean = 0;
  // The number that differs most.
  RowPlace row = {};
  uint64_t column = 0;
  double expected = 0, found = 0;
  bool isBeyond() const { return !(max <= allowedMax) || isMeanBeyond(); }
  bool isMeanBeyond() const { return !(mean <= allowedMean); }
};

struct Comparison {
  size_t values = 0;               // that both sides have
  double used = 0;                 // the largest part of what was allowed
  double max = 0;                  // the largest of all errors
  double mean = 0;                 // the largest of the values' means
  double logits = 0;               // the largest error of a logit
  double kl = 0;                   // of the logits: the mean over rows of KL(reference || checked), in nats
  std::optional<Difference> first; // beyond the budget, in the order of execution; the logits come last
  bool isWithin() const { return !first; }
};

/// Values that only one side has, or with another width, are passed over; logits of another width are
/// infinitely far.
Comparison compare(const Evaluation &reference, const Evaluation &checked, const Budget &budget);

} // namespace llmc::tools
#endif
