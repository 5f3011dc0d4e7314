//===- Profile.cpp - measured times for a report --------------------------===//
#include "tools/explore/Profile.h"

#include "tools/explore/Fields.h"

using namespace llmc;
using namespace llmc::explore;

constexpr size_t maxProfileBytes = 64u << 20;

/// {"dispatch": 3, "kernel": …, "calls": 30, "seconds": …, …}
static Json readWork(const Fields &row) {
  Json json{{"kernel", row.string("kernel")},
            {"calls", row.integer("calls")},
            {"seconds", row.number("seconds")},
            {"waiting", row.numberOr("waiting_seconds", 0)},
            {"predicted", row.numberOr("predicted_seconds", 0)},
            {"bytes", row.number("bytes")},
            {"operations", row.number("operations")},
            {"arithmetic", row.stringOr("arithmetic", "f32")}};
  if (row.has("dispatch"))
    json["dispatch"] = row.integer("dispatch");
  return json;
}

Json llmc::explore::readProfile(const std::string &path) {
  if (path.empty())
    return nullptr;
  formats::JsonValue value;
  std::string error;
  if (!formats::readJsonFile(path, maxProfileBytes, {}, value, error))
    throw std::runtime_error(error);
  const Fields root(value, path), machine = root.object("machine");
  Json phases = Json::array();
  for (const Fields &phase : root.objects("phases")) {
    Json dispatches = Json::array();
    for (const Fields &row : phase.objects("dispatches"))
      dispatches.push_back(readWork(row));
    phases.push_back({{"name", phase.string("name")},
                      {"steps", phase.integer("steps")},
                      {"tokens", phase.integer("tokens")},
                      {"seconds", phase.number("seconds")},
                      {"dispatches", std::move(dispatches)}});
  }
  return {{"machine",
           {{"read_gb_s", machine.number("read_gb_s")},
            {"f32_gops", machine.number("f32_gops")},
            {"int8_gops", machine.number("int8_gops")}}},
          {"phases", std::move(phases)}};
}
