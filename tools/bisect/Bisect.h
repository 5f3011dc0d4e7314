//===- Bisect.h - where two compiles of a model part ------------*- C++ -*-===//
//
// After each pass that either side runs, both states are compiled from their decompositions, run on the same
// few tokens and compared, value by value; at the end the two model.so themselves. States that are the same
// text are not run.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_BISECT_BISECT_H
#define LLMC_TOOLS_BISECT_BISECT_H

#include "tools/bisect/Side.h"
#include "tools/gate/Compare.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace llmc::tools {

/// What comes behind all passes: the kernels of model.so.
inline constexpr const char *kernelStage = "kernels";

struct BisectStage {
  std::string pass;
  bool isInA = false, isInB = false; // which sides run the pass
  bool isSameText = false;           // of the two states: nothing to compare
  Comparison result;
};

struct BisectResult {
  std::vector<BisectStage> stages; // to the first that differs
  std::string op;                  // "lm.linear": what makes the first value beyond the tolerance, in B
  const BisectStage *first() const {
    return !stages.empty() && !stages.back().result.isWithin() ? &stages.back() : nullptr;
  }
};

struct BisectOptions {
  SideSource a, b;
  double tolerance = 1e-4; // in standard deviations of A's value
  int64_t layers = 0;      // only the first ones; 0: all
  std::string cacheDir;    // of compiled kernels
  CommandLimits limits;
  std::function<void(const std::string &what)> progress = [](const std::string &) {};
};

/// Nothing and one sentence where a side does not compile or run, or nothing can be compared; `isUsage` where
/// its compiler takes the options for wrong.
std::optional<BisectResult> bisect(const BisectOptions &options, std::string &error, bool &isUsage);

/// For people, and as JSON.
std::string bisectTable(const BisectResult &result, double tolerance);
std::string bisectJson(const BisectResult &result, double tolerance);
/// "pass quantize: lm.linear …": the first value beyond the tolerance.
std::string describeFirst(const BisectResult &result);

} // namespace llmc::tools
#endif
