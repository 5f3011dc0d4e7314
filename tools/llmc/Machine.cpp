//===- Machine.cpp - this machine: its roofline, remembered, and devices --===//
#include "tools/llmc/Machine.h"
#include "tools/llmc/NewFile.h"
#include "tools/support/CacheFolder.h"
#include "tools/support/Progress.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fstream>
#include <nlohmann/json.hpp>

namespace llmc::cli {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

namespace {

std::string cpuName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name"))
      if (size_t colon = line.find(": "); colon != std::string::npos)
        return line.substr(colon + 2);
  return "cpu";
}

/// What the file says of all machines; an empty object if there is none or it is no such file.
Json readMachines(const fs::path &path) {
  std::ifstream file(path);
  Json known = Json::parse(file, nullptr, /*allow_exceptions=*/false);
  return known.is_object() ? known : Json::object();
}

bool recall(const Json &machines, const std::string &key, std::string_view variant, Roofline &roofline) {
  auto found = machines.find(key);
  if (found == machines.end() || !found->is_object())
    return false;
  auto number = [&](const char *field, auto &out) {
    auto value = found->find(field);
    bool isGood = value != found->end() && value->is_number() && value->template get<double>() >= 0 &&
                  value->template get<double>() < 1e15;
    if (isGood)
      out = value->template get<std::remove_reference_t<decltype(out)>>();
    return isGood;
  };
  return number("read_gb_s", roofline.readGBs) && number("cache_bytes", roofline.cacheBytes) &&
         std::ranges::all_of(allArithmetic, [&](Arithmetic arithmetic) {
           const std::string name = nameOf(arithmetic);
           Peak &peak = roofline.of(arithmetic);
           peak.unit = kernelLoop(arithmetic, variant).unit;
           return found->value(name + "_unit", Json()) == peak.unit &&
                  number((name + "_gops").c_str(), peak.gops);
         });
}

/// As well as it goes: the next one measures again if this fails.
void remember(const fs::path &path, Json machines, const std::string &key, const Roofline &roofline) {
  machines[key] = jsonOf(roofline);
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  try {
    NewFile file(path.string());
    const std::string text = machines.dump(1) + "\n";
    file.write(text.data(), text.size());
    file.finish();
  } catch (const Failure &) {
  }
}

std::vector<std::string> devicesHere() {
  size_t count = 0;
  check(llmc_device_count(&count));
  std::vector<std::string> names;
  for (size_t i = 0; i < count; ++i) {
    char name[64] = "";
    check(llmc_device_name(i, name, sizeof name, nullptr));
    names.push_back(name);
  }
  return names;
}

} // namespace

Json jsonOf(const Roofline &roofline) {
  Json object = {{"read_gb_s", roofline.readGBs}};
  for (Arithmetic arithmetic : allArithmetic) {
    object[std::string(nameOf(arithmetic)) + "_gops"] = roofline.of(arithmetic).gops;
    object[std::string(nameOf(arithmetic)) + "_unit"] = roofline.of(arithmetic).unit;
  }
  object["cache_bytes"] = roofline.cacheBytes;
  return object;
}

std::string textOf(const Roofline &roofline) {
  std::string text = fmt::format("reads {:.1f} GB/s", roofline.readGBs);
  const char *separator = "; ";
  for (Arithmetic arithmetic : allArithmetic)
    if (const Peak &peak = roofline.of(arithmetic); peak.gops) {
      text += fmt::format("{}{} {:.0f} GOPS ({})", separator, nameOf(arithmetic), peak.gops, peak.unit);
      separator = ", ";
    }
  return text;
}

int devices(const DevicesOptions &options) {
  const std::vector<std::string> names = devicesHere();
  print(options.json ? nlohmann::ordered_json({{"devices", names}}).dump() + "\n"
                     : fmt::format("{}\n", fmt::join(names, "\n")));
  flushOutput();
  return 0;
}

Roofline machineRoofline(const llmc_model *model, bool anew) {
  const auto threads = uint32_t(modelInfo(model, LLMC_INFO_THREADS));
  const std::string_view variant = llmc_model_cpu_variant(model);
  if (const auto names = devicesHere();
      std::ranges::find(names, variant) != names.end()) // these loops do not run there
    return {};
  const std::string key = fmt::format("{}, {} threads, {}", cpuName(), threads, variant);
  fs::path path = llmc::cacheFolder();
  if (!path.empty()) // else nothing is remembered
    path /= "machine.json";
  Json machines = path.empty() ? Json::object() : readMachines(path);
  Roofline roofline;
  if (!anew && recall(machines, key, variant, roofline))
    return roofline;
  InterruptScope scope;
  Progress progress("measure the machine", 0);
  progress.update(0);
  roofline = measureRoofline(threads, variant);
  scope.check();
  if (!path.empty())
    remember(path, std::move(machines), key, roofline);
  return roofline;
}

} // namespace llmc::cli
