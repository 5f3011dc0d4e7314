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

#include "frontend/formats/MappedFile.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

namespace llmc::formats {

/// Tensor storage types, with the numbers of the format.
enum class GgmlType : uint32_t {
  F32 = 0,
  F16 = 1,
  Q4_0 = 2,
  Q4_1 = 3,
  Q5_0 = 6,
  Q5_1 = 7,
  Q8_0 = 8,
  Q8_1 = 9,
  Q2_K = 10,
  Q3_K = 11,
  Q4_K = 12,
  Q5_K = 13,
  Q6_K = 14,
  Q8_K = 15,
  IQ4_NL = 20,
  IQ4_XS = 23,
  I8 = 24,
  I16 = 25,
  I32 = 26,
  I64 = 27,
  F64 = 28,
  BF16 = 30,
  MXFP4 = 39,
};

/// Values per block, bytes per block and name of a type; null for a number the format does not define.
struct GgmlTypeInfo {
  const char *name; // "q4_1"
  uint32_t blockValues, blockBytes;
};
const GgmlTypeInfo *ggmlTypeInfo(uint32_t type);

struct GgufTensor {
  std::string name;
  std::vector<uint64_t> shape; // outermost first: [out, in] for a matrix (the file stores innermost first)
  uint32_t type;               // a GgmlType, or a number we do not know (data is then empty)
  std::span<const uint8_t> data;
};

/// An array of one element type. Strings point into the map.
struct GgufArray {
  uint32_t elementType; // GGUF value type number
  std::vector<std::string_view> strings;
  std::vector<double> numbers; // every numeric or bool element (f64 holds 32-bit values exactly)
  size_t size() const { return elementType == 8 ? strings.size() : numbers.size(); }
};

using GgufValue = std::variant<uint64_t, int64_t, double, bool, std::string_view, GgufArray>;

/// An open GGUF file. Immutable after open; may be shared by threads.
class GgufFile {
public:
  /// Opens and checks `path`. On failure returns null and fills `error` with one sentence that names file and
  /// field.
  static std::unique_ptr<GgufFile> open(const std::string &path, std::string &error);
  /// The same on bytes in memory, which must outlive the result; `name` stands for the path in errors.
  static std::unique_ptr<GgufFile> parse(std::span<const uint8_t> bytes, const std::string &name,
                                         std::string &error);

  const std::string &path() const;
  uint32_t version() const;
  const std::vector<GgufTensor> &tensors() const;                         // in file order
  const GgufTensor *tensor(std::string_view name) const;                  // null if absent
  const std::vector<std::pair<std::string, GgufValue>> &metadata() const; // in file order
  const GgufValue *value(std::string_view key) const;                     // null if absent

  /// Typed reads. Absent key: nullopt, error untouched. Wrong type or out of range: nullopt, `error` names
  /// file, key, and what was expected.
  std::optional<uint64_t> integer(std::string_view key,
                                  std::string &error) const; // any integer type, not negative
  std::optional<double> number(std::string_view key, std::string &error) const; // any numeric type
  std::optional<bool> boolean(std::string_view key, std::string &error) const;
  std::optional<std::string_view> string(std::string_view key, std::string &error) const;
  const GgufArray *array(std::string_view key, std::string &error) const;

private:
  struct Impl;
  std::shared_ptr<const Impl> impl;
};

} // namespace llmc::formats
#endif
