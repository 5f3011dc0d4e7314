//===- HfConfig.h - hyper-parameters from config.json -----------*- C++ -*-===//
//
// Typed, range-checked reads of the keys of a Hugging Face checkpoint.
//
// A key is looked for in `text_config` first, where models of several modalities keep those of the language
// model. A key whose value is null counts as absent. `a.b` is the member b of the object a.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_FRONTEND_HFCONFIG_H
#define LLMC_FRONTEND_HFCONFIG_H

#include "frontend/ConfigErrors.h"
#include "frontend/formats/Json.h"
#include "frontend/formats/WeightFile.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llmc::frontend {

class HfConfig : public ConfigErrors {
public:
  /// `path` is that of the file, for messages. The others must outlive the object.
  HfConfig(const std::string &path, const formats::JsonValue &config, const formats::WeightFile &weights);

  /// An integer in [low, high].
  int64_t integer(const std::string &name, int64_t low, int64_t high);
  std::optional<int64_t> optionalInteger(const std::string &name, int64_t low, int64_t high);
  /// A number that is finite as f32.
  double number(const std::string &name);
  std::optional<double> optionalNumber(const std::string &name);
  std::optional<bool> optionalBool(const std::string &name);
  std::optional<std::string> optionalString(const std::string &name);
  /// Arrays; empty if the key is absent.
  std::vector<double> numbers(const std::string &name);
  std::vector<std::string> strings(const std::string &name);
  /// Null if the key is absent.
  const formats::JsonValue *value(const std::string &name) const;

  /// The tensor that the language model alone would call `name` ("model.norm.weight"), as the file calls it:
  /// models of several modalities put something before it. `{i}` may stand for the layer.
  std::string tensorName(const std::string &name) const;
  /// The tensor, with {i} as layer 0; null if there is none.
  const formats::WeightTensor *tensor(const std::string &name) const;
  const formats::WeightFile &weights;

  std::string key(const std::string &name) const override;
  using ConfigErrors::refuse;
  /// The same for a key that is there.
  void refuse(const std::string &name, const std::string &expected);

private:
  const formats::JsonValue &config;
  const formats::JsonValue *text; // config.text_config, or null
  std::string modelPrefix, headPrefix;
};

} // namespace llmc::frontend
#endif
