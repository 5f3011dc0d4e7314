//===- GgufConfig.h - hyper-parameters from GGUF metadata -------*- C++ -*-===//
//
// Typed, range-checked reads of the keys of one architecture. The first problem is kept as a sentence that
// names file, key, what was found and what is expected; later reads go on with harmless values, so that an
// architecture reads all its keys first and asks once whether that went well.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_FRONTEND_GGUFCONFIG_H
#define LLMC_FRONTEND_GGUFCONFIG_H

#include "frontend/formats/Gguf.h"

#include <optional>
#include <string>
#include <string_view>

namespace llmc::frontend {

class GgufConfig {
public:
  /// Keys are `prefix.name`.
  GgufConfig(const formats::GgufFile &file, std::string prefix) : file(file), prefix(std::move(prefix)) {}

  /// An integer in [low, high]; an array with one entry a layer counts as an integer if all entries are
  /// equal.
  int64_t integer(const std::string &name, int64_t low, int64_t high);
  std::optional<int64_t> optionalInteger(const std::string &name, int64_t low, int64_t high);
  /// A finite number. f32 values become the shortest decimal that rounds to them: 1e-5, not 9.99999974e-6.
  double number(const std::string &name);
  std::optional<double> optionalNumber(const std::string &name);
  std::optional<bool> optionalBool(const std::string &name);
  std::optional<std::string> optionalString(const std::string &name);

  std::string key(const std::string &name) const { return prefix + "." + name; }
  /// Records `file: key 'prefix.name' is FOUND, expected EXPECTED`.
  void refuse(const std::string &name, const std::string &found, const std::string &expected);
  /// Records `file: WHAT`.
  void fail(const std::string &what);
  bool ok() const { return error.empty(); }
  const std::string &firstError() const { return error; }

  const formats::GgufFile &file;

private:
  /// Takes over what the reader reported; whether there was something.
  bool keep(const std::string &reported);
  std::string prefix, error;
};

} // namespace llmc::frontend
#endif
