//===- Machine.cpp - this machine's roofline, remembered ------------------===//
#include "tools/llmc/Machine.h"
#include "tools/llmc/NewFile.h"
#include "tools/support/CacheFolder.h"
#include "tools/support/Progress.h"

#include <algorithm>
#include <fmt/format.h>
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
  roofline.f32Unit = peakLoop(Arithmetic::F32, variant).unit;
  roofline.int8Unit = int8KernelLoop(variant).unit;
  return found->value("f32_unit", Json()) == roofline.f32Unit &&
         found->value("int8_unit", Json()) == roofline.int8Unit && number("read_gb_s", roofline.readGBs) &&
         number("f32_gops", roofline.f32Gops) && number("int8_gops", roofline.int8Gops) &&
         number("cache_bytes", roofline.cacheBytes);
}

/// As well as it goes: the next one measures again if this fails.
void remember(const fs::path &path, Json machines, const std::string &key, const Roofline &roofline) {
  machines[key] = {{"read_gb_s", roofline.readGBs},  {"f32_gops", roofline.f32Gops},
                   {"f32_unit", roofline.f32Unit},   {"int8_gops", roofline.int8Gops},
                   {"int8_unit", roofline.int8Unit}, {"cache_bytes", roofline.cacheBytes}};
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

bool isDevice(std::string_view variant) {
  size_t count = 0;
  llmc_device_count(&count);
  for (size_t i = 0; i < count; ++i) {
    char name[64] = "";
    llmc_device_name(i, name, sizeof name, nullptr);
    if (variant == name)
      return true;
  }
  return false;
}

} // namespace

Roofline machineRoofline(const llmc_model *model, bool anew) {
  const auto threads = uint32_t(modelInfo(model, LLMC_INFO_THREADS));
  const std::string_view variant = llmc_model_cpu_variant(model);
  if (isDevice(variant)) // these loops do not run there
    return {};
  const std::string key = fmt::format("{}, {} threads, {}", cpuName(), threads, variant);
  fs::path path = llmc::cacheFolder();
  if (!path.empty()) // else nothing is remembered
    path /= "machine.json";
  Json machines = path.empty() ? Json::object() : readMachines(path);
  Roofline roofline;
  if (!anew && recall(machines, key, variant, roofline))
    return roofline;
  Progress progress("measure the machine", 0);
  progress.update(0);
  roofline = measureRoofline(threads, variant);
  if (!path.empty())
    remember(path, std::move(machines), key, roofline);
  return roofline;
}

} // namespace llmc::cli
