//===- CompareTrace.cpp - llmc compare-trace ------------------------------===//
//
// Two traces side by side: what has the same layer and name, for the tokens that both have. Where both hold
// the values they are compared one by one, elsewhere by their statistics.
//
//===----------------------------------------------------------------------===//
#include "tools/llmc/TraceFile.h"

#include "tools/llmc/Common.h"
#include "tools/support/Progress.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

namespace llmc::cli {
namespace {

constexpr double infinite = std::numeric_limits<double>::infinity();

/// Two values, or statistics, that stand in the same place.
struct Place {
  TokenPlace token;
  uint64_t column = 0;
  double a = 0, b = 0;
};

struct Comparison {
  ValuePlace place;
  uint64_t rows = 0, columns = 0;
  double max = 0, mean = 0;                                 // in standard deviations of A
  double cosine = std::numeric_limits<double>::quiet_NaN(); // without values there is none
  bool hasValues = true, isIdentical = false, isShapeSame = true;
  std::optional<Place> first; // beyond the tolerance
  bool isBeyond(double tolerance) const { return !(max <= tolerance); }
};

/// Row by row: where a token's value stands in a trace. A later step's counts.
struct RowOf {
  const TraceRecord *record;
  uint64_t row;
};
using Rows = std::map<TokenPlace, RowOf>;

using Places = std::map<ValuePlace, std::vector<const TraceRecord *>>;

Places placesOf(const TraceFile &trace) {
  Places places;
  for (const TraceRecord &record : trace.records())
    places[record.place].push_back(&record);
  return places;
}

Rows rowsOf(const std::vector<const TraceRecord *> &records) {
  Rows rows;
  for (const TraceRecord *record : records)
    for (uint64_t i = 0; i < record->rows; ++i)
      rows[(*record->tokens)[i]] = {record, i};
  return rows;
}

/// Reads each file of one value once.
class Values {
public:
  explicit Values(const TraceFile &trace) : trace(trace) {}
  const float *row(const RowOf &at) {
    auto [entry, isNew] = read.try_emplace(at.record);
    if (isNew)
      entry->second = trace.valuesOf(*at.record);
    return entry->second.values.data() + at.row * at.record->columns;
  }

private:
  const TraceFile &trace;
  std::map<const TraceRecord *, Matrix> read;
};

/// Zero where both are the same, also the same infinity or no number at all.
double difference(double a, double b) {
  if (a == b || (std::isnan(a) && std::isnan(b)))
    return 0;
  double d = std::abs(a - b);
  return std::isfinite(d) ? d : infinite;
}

/// What errors are measured in: how far the values lie apart, or how large they are if all are one.
double unitOf(double squares, double sum, double n) {
  double mean = sum / n, variance = std::max(squares / n - mean * mean, 0.0);
  double unit = variance > 1e-12 * squares / n ? std::sqrt(variance) : std::sqrt(squares / n);
  return unit > 0 && std::isfinite(unit) ? unit : 1;
}

class Comparer {
public:
  Comparer(const TraceFile &a, const TraceFile &b, double tolerance)
      : traceA(a), traceB(b), tolerance(tolerance) {}

  Comparison compare(const ValuePlace &place, const std::vector<const TraceRecord *> &a,
                     const std::vector<const TraceRecord *> &b) const {
    Comparison result;
    result.place = place;
    result.columns = a.front()->columns;
    auto isOther = [&](const TraceRecord *record) { return record->columns != result.columns; };
    if (std::ranges::any_of(a, isOther) || std::ranges::any_of(b, isOther)) {
      result.isShapeSame = false;
      result.max = result.mean = infinite;
      return result;
    }
    auto isWithout = [](const TraceRecord *record) { return record->file.empty(); };
    result.hasValues = std::ranges::none_of(a, isWithout) && std::ranges::none_of(b, isWithout);
    if (result.hasValues)
      values(rowsOf(a), rowsOf(b), result);
    else
      statistics(a, b, result);
    return result;
  }

private:
  void values(const Rows &a, const Rows &b, Comparison &result) const {
    Values valuesA(traceA), valuesB(traceB);
    std::vector<std::pair<RowOf, RowOf>> pairs;
    double n = 0, sum = 0, squaresA = 0, squaresB = 0, product = 0, differences = 0;
    for (const auto &[token, at] : a) {
      auto found = b.find(token);
      if (found == b.end())
        continue;
      pairs.push_back({at, found->second});
      const float *x = valuesA.row(at), *y = valuesB.row(found->second);
      for (uint64_t i = 0; i < result.columns; ++i) {
        double d = difference(x[i], y[i]);
        result.max = std::max(result.max, d);
        differences += d;
        if (!std::isfinite(x[i]) || !std::isfinite(y[i]))
          continue;
        ++n;
        sum += x[i];
        squaresA += double(x[i]) * x[i];
        squaresB += double(y[i]) * y[i];
        product += double(x[i]) * y[i];
      }
    }
    result.rows = pairs.size();
    result.isIdentical = result.max == 0;
    const double unit = n ? unitOf(squaresA, sum, n) : 1;
    result.max /= unit;
    result.mean = differences / unit / std::max<double>(1, double(result.rows * result.columns));
    if (squaresA > 0 && squaresB > 0)
      result.cosine = product / std::sqrt(squaresA) / std::sqrt(squaresB);
    if (!result.isBeyond(tolerance))
      return;
    for (const auto &[inA, inB] : pairs)
      for (uint64_t i = 0; i < result.columns && !result.first; ++i) {
        double x = valuesA.row(inA)[i], y = valuesB.row(inB)[i];
        if (difference(x, y) / unit > tolerance)
          result.first = {(*inA.record->tokens)[inA.row], i, x, y};
      }
  }

  /// Records of the very same tokens only: statistics cannot be taken apart.
  void statistics(const std::vector<const TraceRecord *> &a, const std::vector<const TraceRecord *> &b,
                  Comparison &result) const {
    result.isIdentical = true;
    for (const TraceRecord *x : a)
      for (const TraceRecord *y : b) {
        if (*x->tokens != *y->tokens)
          continue;
        result.rows += x->rows;
        if (!x->checksum.empty() && x->checksum == y->checksum)
          continue;
        result.isIdentical = false;
        double unit = x->std > 0 ? x->std : x->rms > 0 ? x->rms : 1;
        double largest = x->nan != y->nan || x->inf != y->inf ? infinite : 0;
        auto take = [&](double p, double q) { largest = std::max(largest, difference(p, q) / unit); };
        take(x->min, y->min);
        take(x->max, y->max);
        take(x->mean, y->mean);
        take(x->std, y->std);
        take(x->rms, y->rms);
        for (size_t i = 0; i < std::min(x->first.size(), y->first.size()); ++i)
          take(x->first[i].value_or(NAN), y->first[i].value_or(NAN));
        result.max = std::max(result.max, largest);
        result.mean = std::max(result.mean, difference(x->mean, y->mean) / unit);
        break;
      }
  }

  const TraceFile &traceA, &traceB;
  double tolerance;
};

struct Report {
  std::vector<Comparison> list; // in A's order
  std::set<std::string> onlyA, onlyB;
  const Comparison *first = nullptr;
  size_t beyond = 0;
};

Report compareAll(const TraceFile &a, const TraceFile &b, double tolerance) {
  Report report;
  Places inA = placesOf(a), inB = placesOf(b);
  for (const auto &[place, records] : inB)
    if (!inA.contains(place))
      report.onlyB.insert(place.name);
  Comparer comparer(a, b, tolerance);
  Progress progress("compare", inA.size());
  std::set<ValuePlace> done;
  for (const TraceRecord &record : a.records()) {
    if (!done.insert(record.place).second)
      continue;
    progress.update(done.size());
    auto found = inB.find(record.place);
    if (found == inB.end()) {
      report.onlyA.insert(record.place.name);
      continue;
    }
    Comparison one = comparer.compare(record.place, inA[record.place], found->second);
    if (one.rows || !one.isShapeSame)
      report.list.push_back(std::move(one));
  }
  for (const Comparison &one : report.list)
    if (one.isBeyond(tolerance)) {
      report.first = report.first ? report.first : &one;
      ++report.beyond;
    }
  return report;
}

std::string describe(const Comparison &one) {
  if (!one.isShapeSame)
    return fmt::format("'{}' has rows of other lengths", one.place.text());
  std::string text = fmt::format("'{}' differs by {:.3g} standard deviations", one.place.text(), one.max);
  if (one.first)
    text +=
        fmt::format(", first at sequence {} position {} column {}: {:.6g} and {:.6g}", one.first->token.seq,
                    one.first->token.pos, one.first->column, one.first->a, one.first->b);
  return text;
}

void printTable(const Report &report, double tolerance) {
  print(fmt::format("{:<28} {:>6} {:>10} {:>10} {:>12}\n", "value", "rows", "max", "mean", "cosine"));
  for (const Comparison &one : report.list) {
    std::string cosine = std::isnan(one.cosine) ? "" : fmt::format("{:.9f}", one.cosine);
    print(fmt::format("{:<28} {:>6} {:>10.3g} {:>10.3g} {:>12}{}\n", one.place.text(), one.rows, one.max,
                      one.mean, cosine,
                      one.isBeyond(tolerance) ? "  beyond"
                      : one.isIdentical       ? "  identical"
                      : one.hasValues         ? ""
                                              : "  by statistics"));
  }
  print("max and mean: of the difference, in standard deviations of the first trace\n");
  for (auto [names, which] : {std::pair(&report.onlyA, "first"), {&report.onlyB, "second"}})
    if (!names->empty())
      print(fmt::format("only in the {}: {}\n", which, fmt::join(*names, ", ")));
}

void printJson(const Report &report, double tolerance) {
  using Json = nlohmann::ordered_json;
  Json values = Json::array(), first;
  auto number = [](double x) { return std::isfinite(x) ? Json(x) : Json(); };
  for (const Comparison &one : report.list)
    values.push_back({{"layer", one.place.layer < 0 ? Json() : Json(one.place.layer)},
                      {"value", one.place.name},
                      {"rows", one.rows},
                      {"columns", one.columns},
                      {"max", number(one.max)},
                      {"mean", number(one.mean)},
                      {"cosine", number(one.cosine)},
                      {"identical", one.isIdentical},
                      {"by_values", one.hasValues},
                      {"beyond", one.isBeyond(tolerance)}});
  if (report.first) {
    first = {{"layer", report.first->place.layer < 0 ? Json() : Json(report.first->place.layer)},
             {"value", report.first->place.name}};
    if (const std::optional<Place> &at = report.first->first)
      first.update({{"sequence", at->token.seq},
                    {"position", at->token.pos},
                    {"column", at->column},
                    {"a", number(at->a)},
                    {"b", number(at->b)}});
  }
  Json object = {
      {"tolerance", tolerance}, {"compared", report.list.size()}, {"beyond", report.beyond}, {"first", first},
      {"values", values},       {"only_a", report.onlyA},         {"only_b", report.onlyB}};
  print(object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

} // namespace

int compareTrace(const CompareTraceOptions &options) {
  TraceFile a(options.first), b(options.second);
  Report report = compareAll(a, b, options.tolerance);
  if (report.list.empty())
    throw Failure(fmt::format("{} and {}: nothing to compare: no value stands in both for the same tokens in "
                              "one step (traces of other tokens, or cut into other steps, need --trace-values)",
                              options.first, options.second));
  options.json ? printJson(report, options.tolerance) : printTable(report, options.tolerance);
  flushOutput();
  if (report.first)
    throw Failure(fmt::format("{} of {} values are beyond the tolerance of {}; the first: {}", report.beyond,
                              report.list.size(), options.tolerance, describe(*report.first)));
  return 0;
}

} // namespace llmc::cli
