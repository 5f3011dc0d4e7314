//===- Gguf.h - GGUF files as checked plain data ----------------*- C++ -*-===//
//
// Reads the header, metadata and tensor table of a GGUF file (versions 2 and 3, little-endian) from a memory
// map. Every length is checked against the bytes that remain before it is used; a file that breaks a rule of
// the format yields an error that names the file and the field, never an assertion.
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_FRONTEND_FORMATS_GGUF_H
#define LLMC_FRONTEND_FORMATS_GGUF_H

#include "frontend/formats/WeightFile.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace llmc::formats {

using GgufTensor = WeightTensor;

/// An array of one element type. Strings point into the map.
struct GgufArray {
  uint32_t elementType; // GGUF value type number
  std::vector<std::string_view> strings;
  std::vector<double> numbers; // every numeric or bool element (f64 holds 32-bit values exactly)
  size_t size() const { return elementType == 8 ? strings.size() : numbers.size(); }
};

using GgufValue = std::variant<uint64_t, int64_t, double, bool, std::string_view, GgufArray>;
using GgufMetadata = std::vector<std::pair<std::string, GgufValue>>;

/// An open GGUF file. A model that is split into parts has the tensors of all, and the metadata of the first.
class GgufFile : public WeightFile {
public:
  /// Opens and checks `path`, and the other parts if it is one of several. On failure returns null and fills
  /// `error` with one sentence that names file and field.
  static std::unique_ptr<GgufFile> open(const std::string &path, std::string &error);
  static std::unique_ptr<GgufFile> open(std::unique_ptr<MappedFile> map, std::string &error);
  /// The same on bytes in memory, which must outlive the result; `name` stands for the path in errors. They
  /// are taken for the whole model.
  static std::unique_ptr<GgufFile> parse(std::span<const uint8_t> bytes, const std::string &name,
                                         std::string &error);

  uint32_t version() const { return versionNumber; }
  const GgufMetadata &metadata() const { return keys; } // in file order
  const GgufValue *value(std::string_view key) const;   // null if absent

  /// Typed reads. Absent key: nullopt, error untouched. Wrong type or out of range: nullopt, `error` names
  /// file, key, and what was expected.
  std::optional<uint64_t> integer(std::string_view key,
                                  std::string &error) const; // any integer type, not negative
  std::optional<double> number(std::string_view key, std::string &error) const; // any numeric type
  std::optional<bool> boolean(std::string_view key, std::string &error) const;
  std::optional<std::string_view> string(std::string_view key, std::string &error) const;
  const GgufArray *array(std::string_view key, std::string &error) const;

  const GgufFile *gguf() const override { return this; }

private:
  using WeightFile::WeightFile;
  static std::unique_ptr<GgufFile> parseOne(std::span<const uint8_t> bytes, const std::string &name,
                                            std::unique_ptr<MappedFile> map, std::string &error);
  static std::unique_ptr<GgufFile> openParts(std::unique_ptr<GgufFile> one, uint64_t count,
                                             std::string &error);

  uint32_t versionNumber = 0;
  GgufMetadata keys;
  std::vector<uint32_t> byKey; // positions in `keys`
};

} // namespace llmc::formats
#endif
