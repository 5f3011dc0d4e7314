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

/// Builds are told apart by their hash. Without one, names and the kernels of all dispatches must be the
/// same.
static void checkModel(const Fields &root, const ReportedModel &model) {
  const Fields profiled = root.object("model");
  const std::string name = profiled.string("name"), hash = profiled.string("head_hash");
  auto refuse = [&](const std::string &found, const std::string &expected) {
    root.fail("is a profile of " + found + ", but the report is about " + expected +
              ": run the model.so that it is about with --profile");
  };
  if (!model.headHash.empty()) {
    if (hash != model.headHash)
      refuse("'" + name + "' with the hash " + hash, "'" + model.name + "' with the hash " + model.headHash);
    return;
  }
  if (name != model.name)
    refuse("'" + name + "'", "'" + model.name + "'");
  for (const Fields &phase : root.objects("phases"))
    for (const Fields &row : phase.objects("dispatches")) {
      const auto number = static_cast<size_t>(row.integer("dispatch"));
      const std::string kernel = row.string("kernel"), at = "at dispatch " + std::to_string(number);
      if (number >= model.program.dispatches.size())
        refuse("a model with a dispatch " + std::to_string(number),
               "one with " + std::to_string(model.program.dispatches.size()));
      if (kernel != model.program.dispatches[number].kernel)
        refuse("a model with " + kernel + " " + at,
               "one with " + model.program.dispatches[number].kernel + " there");
    }
}

Json llmc::explore::readProfile(const std::string &path, const ReportedModel &model) {
  if (path.empty())
    return nullptr;
  formats::JsonValue value;
  std::string error;
  if (!formats::readJsonFile(path, maxProfileBytes, {}, value, error))
    throw std::runtime_error(error);
  const Fields root(value, path), machine = root.object("machine");
  checkModel(root, model);
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
            {"bf16_gops", machine.numberOr("bf16_gops", 0)},
            {"int8_gops", machine.number("int8_gops")}}},
          {"phases", std::move(phases)}};
}
