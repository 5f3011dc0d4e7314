//===- Report.cpp - what a bisection found --------------------------------===//
#include "tools/bisect/Bisect.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

#include <cmath>

using namespace llmc::tools;
namespace json = llvm::json;

static std::string number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", x);
  return text;
}

/// Which side runs the pass, where it is not both.
static const char *whoRuns(const BisectStage &stage) {
  return stage.isInA && stage.isInB ? "" : stage.isInA ? "only a" : "only b";
}

std::string llmc::tools::describeFirst(const BisectResult &result) {
  const BisectStage *stage = result.first();
  if (!stage)
    return "";
  const Difference &first = *stage->result.first;
  std::string text = stage->pass == kernelStage ? "the kernels" : "pass " + stage->pass;
  text += ": ";
  text += result.op.empty() ? "kernel " + first.kernel : result.op;
  text += " makes " + first.key.describe();
  if (!first.location.empty())
    text += " (" + first.location + ")";
  text += llvm::formatv(", which differs by {0} of its size, allowed {1}: sequence {2} position {3} "
                        "column {4} is {5} in a and {6} in b",
                        number(first.max), number(first.allowedMax), first.row.sequence, first.row.position,
                        first.column, number(first.expected), number(first.found))
              .str();
  return text;
}

std::string llmc::tools::bisectTable(const BisectResult &result, double tolerance) {
  std::string text = llvm::formatv("{0,-24} {1,-7} {2,7} {3,10} {4,10} {5,10}\n", "after", "run by", "values",
                                   "max", "mean", "KL")
                         .str();
  for (const BisectStage &stage : result.stages) {
    text += llvm::formatv("{0,-24} {1,-7} ", stage.pass, whoRuns(stage)).str();
    if (stage.isSameText)
      text += "        the same text\n";
    else
      text += llvm::formatv("{0,7} {1,10} {2,10} {3,10}{4}\n", stage.result.values, number(stage.result.max),
                            number(stage.result.mean), number(stage.result.kl),
                            stage.result.isWithin() ? "" : "  beyond")
                  .str();
  }
  text += "max: of the difference, in parts of a's number or standard deviation, together; mean: in standard "
          "deviations; tolerance " +
          number(tolerance) + "\n";
  return text + (result.first() ? "the first: " + describeFirst(result) : "no difference") + "\n";
}

/// JSON has no infinity.
static json::Value finiteOrNull(double x) { return std::isfinite(x) ? json::Value(x) : json::Value(nullptr); }

std::string llmc::tools::bisectJson(const BisectResult &result, double tolerance) {
  json::Array stages;
  for (const BisectStage &stage : result.stages)
    stages.push_back(json::Object{{"pass", stage.pass},
                                  {"in_a", stage.isInA},
                                  {"in_b", stage.isInB},
                                  {"same_text", stage.isSameText},
                                  {"values", static_cast<int64_t>(stage.result.values)},
                                  {"max", finiteOrNull(stage.result.max)},
                                  {"mean", finiteOrNull(stage.result.mean)},
                                  {"kl", finiteOrNull(stage.result.kl)},
                                  {"beyond", !stage.result.isWithin()}});
  json::Value first = nullptr;
  if (const BisectStage *stage = result.first()) {
    const Difference &found = *stage->result.first;
    first = json::Object{{"pass", stage->pass},
                         {"op", result.op.empty() ? json::Value(nullptr) : json::Value(result.op)},
                         {"layer", found.key.layer < 0 ? json::Value(nullptr) : json::Value(found.key.layer)},
                         {"value", found.key.name},
                         {"number", static_cast<int64_t>(found.key.number)},
                         {"kernel", found.kernel},
                         {"location", found.location},
                         {"error", finiteOrNull(found.max)},
                         {"mean", finiteOrNull(found.mean)},
                         {"allowed", found.allowedMax},
                         {"sequence", found.row.sequence},
                         {"position", found.row.position},
                         {"column", static_cast<int64_t>(found.column)},
                         {"a", finiteOrNull(found.expected)},
                         {"b", finiteOrNull(found.found)}};
  }
  return llvm::formatv("{0}", json::Value(json::Object{{"agree", !result.first()},
                                                       {"tolerance", tolerance},
                                                       {"first", std::move(first)},
                                                       {"stages", std::move(stages)}}))
             .str() +
         "\n";
}
