//===- GgufWriter.h - GGUF bytes for tests ----------------------*- C++ -*-===//
//
// Writes small GGUF files, correct by default; every field can be overridden to make a file that breaks one
// rule.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TESTS_SUPPORT_GGUFWRITER_H
#define LLMC_TESTS_SUPPORT_GGUFWRITER_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace llmc::test {

class GgufWriter {
public:
  /// A scalar; the value type follows from T (uint32_t, int64_t, float, bool, ...).
  template <typename T> GgufWriter &add(std::string_view key, T value) {
    static_assert(std::is_arithmetic_v<T>);
    return addRaw(key, valueType<T>(), rawBytes(value));
  }
  GgufWriter &addString(std::string_view key, std::string_view value) {
    return addRaw(key, 8, string(value));
  }
  GgufWriter &addStrings(std::string_view key, const std::vector<std::string> &values) {
    std::string elements;
    for (const std::string &v : values)
      elements += string(v);
    return addArray(key, 8, values.size(), elements);
  }
  template <typename T> GgufWriter &addNumbers(std::string_view key, const std::vector<T> &values) {
    std::string elements;
    for (T v : values)
      elements += rawBytes(v);
    return addArray(key, valueType<T>(), values.size(), elements);
  }
  /// Whatever is given, unchecked.
  GgufWriter &addArray(std::string_view key, uint32_t elementType, uint64_t count,
                       std::string_view elements) {
    return addRaw(key, 9, rawBytes(elementType) + rawBytes(count) + std::string(elements));
  }
  GgufWriter &addRaw(std::string_view key, uint32_t type, std::string_view value);

  /// `shape` outermost first, as GgufTensor has it; `data` of any size. Without `offset`, behind the one
  /// before.
  GgufWriter &addTensor(std::string_view name, std::vector<uint64_t> shape, uint32_t type, std::string data,
                        std::optional<uint64_t> offset = {});

  /// Tensor data starts and lies at multiples of this. No key is written for it.
  GgufWriter &alignTo(uint64_t n) { return alignment = n, *this; }

  std::string bytes() const;
  bool write(const std::string &path) const;

  // The header, as it is written.
  std::string magic = "GGUF";
  uint32_t version = 3;
  std::optional<uint64_t> tensorCount, keyCount;

  template <typename T> static std::string rawBytes(T v) {
    return {reinterpret_cast<const char *>(&v), sizeof v};
  }
  static std::string string(std::string_view s) { return rawBytes(uint64_t(s.size())) + std::string(s); }

private:
  uint64_t alignment = 32;
  uint64_t keys = 0, tensors = 0, nextOffset = 0;
  std::string metadata, infos, data;

  template <typename T> static constexpr uint32_t valueType() {
    if constexpr (std::is_same_v<T, bool>)
      return 7;
    else if constexpr (std::is_floating_point_v<T>)
      return sizeof(T) == 4 ? 6 : 12;
    else
      return (sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 2 : sizeof(T) == 4 ? 4 : 10) + std::is_signed_v<T>;
  }
};

} // namespace llmc::test
#endif
