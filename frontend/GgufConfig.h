//===- GgufConfig.h - hyper-parameters from GGUF metadata -------*- C++ -*-===//
//
// Typed, range-checked reads of the keys of one architecture.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_FRONTEND_GGUFCONFIG_H
#define LLMC_FRONTEND_GGUFCONFIG_H

#include "frontend/ConfigErrors.h"
#include "frontend/formats/Gguf.h"

#include <optional>
#include <string>
#include <string_view>

namespace llmc::frontend {

class GgufConfig : public ConfigErrors {
public:
  /// Keys are `prefix.name`.
  GgufConfig(const formats::GgufFile &file, std::string prefix)
      : ConfigErrors(file.path()), file(file), prefix(std::move(prefix)) {}

  /// An integer in [low, high]; an array with one entry a layer counts as an integer if all entries are
  /// equal.
  int64_t integer(const std::string &name, int64_t low, int64_t high);
  std::optional<int64_t> optionalInteger(const std::string &name, int64_t low, int64_t high);
  /// A finite number. f32 values become the shortest decimal that rounds to them: 1e-5, not 9.99999974e-6.
  double number(const std::string &name);
  std::optional<double> optionalNumber(const std::string &name);
  std::optional<bool> optionalBool(const std::string &name);
  std::optional<std::string> optionalString(const std::string &name);

  std::string key(const std::string &name) const override { return prefix + "." + name; }

  const formats::GgufFile &file;

private:
  std::string prefix;
};

} // namespace llmc::frontend
#endif
