//===- GgufConfig.cpp - hyper-parameters from GGUF metadata ---------------===//
#include "frontend/GgufConfig.h"

#include "frontend/ShortestF32.h"

#include <cmath>
#include <fmt/format.h>

namespace llmc::frontend {

std::optional<int64_t> GgufConfig::optionalInteger(const std::string &name, int64_t low, int64_t high) {
  const formats::GgufValue *value = file.value(key(name));
  if (!value)
    return std::nullopt;
  std::string expected = fmt::format("{} to {}", low, high);
  if (const auto *array = std::get_if<formats::GgufArray>(value)) {
    if (array->numbers.empty()) {
      refuse(name, array->strings.empty() ? "an empty array" : "an array of strings", expected);
      return low;
    }
    double first = array->numbers.front();
    for (double number : array->numbers)
      if (number != first) {
        refuse(name, fmt::format("an array with {} and {}", first, number), "the same number for all layers");
        return low;
      }
    if (!(first >= static_cast<double>(low) && first <= static_cast<double>(high)) ||
        first != std::floor(first)) {
      refuse(name, fmt::format("an array of {}", first), expected);
      return low;
    }
    return static_cast<int64_t>(first);
  }
  std::string reported;
  auto found = file.integer(key(name), reported);
  if (keep(reported) || !found)
    return low;
  if (*found > static_cast<uint64_t>(high) || static_cast<int64_t>(*found) < low) {
    refuse(name, std::to_string(*found), expected);
    return low;
  }
  return static_cast<int64_t>(*found);
}

int64_t GgufConfig::integer(const std::string &name, int64_t low, int64_t high) {
  auto found = optionalInteger(name, low, high);
  if (!found)
    refuse(name, "missing", fmt::format("{} to {}", low, high));
  return found.value_or(low);
}

std::optional<double> GgufConfig::optionalNumber(const std::string &name) {
  std::string reported;
  auto found = file.number(key(name), reported);
  if (keep(reported))
    return 1.0;
  if (!found)
    return std::nullopt;
  if (!std::isfinite(static_cast<float>(*found))) {
    refuse(name, fmt::format("{}", *found), "a finite number");
    return 1.0;
  }
  return shortestF32(*found);
}

double GgufConfig::number(const std::string &name) {
  auto found = optionalNumber(name);
  if (!found)
    refuse(name, "missing", "a number");
  return found.value_or(1.0);
}

std::optional<bool> GgufConfig::optionalBool(const std::string &name) {
  std::string reported;
  auto found = file.boolean(key(name), reported);
  keep(reported);
  return found;
}

std::optional<std::string> GgufConfig::optionalString(const std::string &name) {
  std::string reported;
  auto found = file.string(key(name), reported);
  keep(reported);
  return found ? std::optional<std::string>(*found) : std::nullopt;
}

} // namespace llmc::frontend
