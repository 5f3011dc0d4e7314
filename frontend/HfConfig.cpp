//===- HfConfig.cpp - hyper-parameters from config.json -------------------===//
#include "frontend/HfConfig.h"

#include <cmath>
#include <fmt/format.h>
#include <tuple>

namespace llmc::frontend {

using formats::JsonValue;

/// What stands before the names of the language model's tensors, in models of several modalities, and in
/// place of "lm_head.".
static const std::pair<const char *, const char *> prefixes[] = {
    {"model.", "lm_head."},
    {"model.language_model.", "lm_head."},
    {"language_model.model.", "language_model.lm_head."},
    {"model.text_model.", "lm_head."},
};

HfConfig::HfConfig(const std::string &path, const JsonValue &config, const formats::WeightFile &weights)
    : ConfigErrors(path), weights(weights), config(config), text(config.find("text_config")) {
  if (text && !text->object())
    text = nullptr;
  std::tie(modelPrefix, headPrefix) = prefixes[0];
  for (auto [model, head] : prefixes)
    if (weights.tensor(std::string(model) + "embed_tokens.weight")) {
      std::tie(modelPrefix, headPrefix) = std::pair(model, head);
      break;
    }
}

static const JsonValue *find(const JsonValue *object, std::string_view name) {
  while (object) {
    size_t dot = name.find('.');
    object = object->find(name.substr(0, dot));
    if (dot == name.npos)
      break;
    name.remove_prefix(dot + 1);
  }
  return object && !object->isNull() ? object : nullptr;
}

const JsonValue *HfConfig::value(const std::string &name) const {
  const JsonValue *found = text ? find(text, name) : nullptr;
  return found ? found : find(&config, name);
}

std::string HfConfig::key(const std::string &name) const {
  return text && (find(text, name) || !find(&config, name)) ? "text_config." + name : name;
}

void HfConfig::refuse(const std::string &name, const std::string &expected) {
  const JsonValue *found = value(name);
  refuse(name, found ? found->describe() : "missing", expected);
}

std::optional<int64_t> HfConfig::optionalInteger(const std::string &name, int64_t low, int64_t high) {
  const JsonValue *found = value(name);
  if (!found)
    return std::nullopt;
  const int64_t *integer = found->integer();
  if (integer && *integer >= low && *integer <= high)
    return *integer;
  refuse(name, fmt::format("an integer from {} to {}", low, high));
  return low;
}

int64_t HfConfig::integer(const std::string &name, int64_t low, int64_t high) {
  auto found = optionalInteger(name, low, high);
  if (!found)
    refuse(name, fmt::format("an integer from {} to {}", low, high));
  return found.value_or(low);
}

std::optional<double> HfConfig::optionalNumber(const std::string &name) {
  const JsonValue *found = value(name);
  if (!found)
    return std::nullopt;
  auto number = found->number();
  if (number && std::isfinite(static_cast<float>(*number)))
    return number;
  refuse(name, "a number");
  return 1.0;
}

double HfConfig::number(const std::string &name) {
  auto found = optionalNumber(name);
  if (!found)
    refuse(name, "a number");
  return found.value_or(1.0);
}

std::optional<bool> HfConfig::optionalBool(const std::string &name) {
  const JsonValue *found = value(name);
  if (!found)
    return std::nullopt;
  if (const bool *boolean = found->boolean())
    return *boolean;
  refuse(name, "true or false");
  return std::nullopt;
}

std::optional<std::string> HfConfig::optionalString(const std::string &name) {
  const JsonValue *found = value(name);
  if (!found)
    return std::nullopt;
  if (const std::string *string = found->string())
    return *string;
  refuse(name, "a string");
  return std::nullopt;
}

std::vector<double> HfConfig::numbers(const std::string &name) {
  std::vector<double> result;
  const JsonValue *found = value(name);
  if (found && !found->array())
    refuse(name, "an array of numbers");
  if (!found || !found->array())
    return {};
  for (const JsonValue &entry : *found->array()) {
    auto number = entry.number();
    if (!number || !std::isfinite(static_cast<float>(*number))) {
      refuse(name, "an array with " + entry.describe(), "an array of numbers");
      return {};
    }
    result.push_back(*number);
  }
  return result;
}

std::vector<std::string> HfConfig::strings(const std::string &name) {
  std::vector<std::string> result;
  const JsonValue *found = value(name);
  if (found && !found->array())
    refuse(name, "an array of strings");
  if (!found || !found->array())
    return {};
  for (const JsonValue &entry : *found->array()) {
    if (!entry.string()) {
      refuse(name, "an array with " + entry.describe(), "an array of strings");
      return {};
    }
    result.push_back(*entry.string());
  }
  return result;
}

std::string HfConfig::tensorName(const std::string &name) const {
  for (auto [plain, prefix] : {std::pair("model.", &modelPrefix), {"lm_head.", &headPrefix}})
    if (name.starts_with(plain))
      return *prefix + name.substr(std::string_view(plain).size());
  return name;
}

const formats::WeightTensor *HfConfig::tensor(const std::string &name) const {
  std::string spelled = tensorName(name);
  if (size_t at = spelled.find("{i}"); at != spelled.npos)
    spelled.replace(at, 3, "0");
  return weights.tensor(spelled);
}

} // namespace llmc::frontend
