//===- Json.h - JSON files as checked plain data ----------------*- C++ -*-===//
//
// Reads JSON into a tree of values. Depth and number of values are bounded, strings are valid UTF-8, and a
// key that occurs twice in an object is an error: readers that keep the first and readers that keep the last
// would see two different files.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_FRONTEND_FORMATS_JSON_H
#define LLMC_FRONTEND_FORMATS_JSON_H

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace llmc::formats {

struct JsonMember;

class JsonValue {
public:
  using Array = std::vector<JsonValue>;
  using Object = std::vector<JsonMember>; // in the order of the file
  /// A whole number outside of int64 is a double, as any with a point or exponent.
  using Data = std::variant<std::monostate, bool, int64_t, double, std::string, Array, Object>;

  JsonValue() = default;
  explicit JsonValue(Data data);

  bool isNull() const { return data.index() == 0; }
  /// Null if the value is of another kind.
  const bool *boolean() const;
  const int64_t *integer() const;
  const std::string *string() const;
  const Array *array() const;
  const Object *object() const;
  /// An integer or a double.
  std::optional<double> number() const;
  /// An integer from 0 on.
  std::optional<uint64_t> count() const;
  /// Of an array or an object; 0 for anything else.
  size_t size() const;

  /// The member of an object; null if it has none of this name, or is no object. Linear in its members.
  const JsonValue *find(std::string_view key) const;
  /// The same without members that are null.
  const JsonValue *findValue(std::string_view key) const;

  /// The value in a few words, for messages: "'yarn'", "7", "null", "an array", "an object".
  std::string describe() const;

  Data data;
};

struct JsonMember {
  std::string key;
  JsonValue value;
};

inline JsonValue::JsonValue(Data data) : data(std::move(data)) {}
inline const bool *JsonValue::boolean() const { return std::get_if<bool>(&data); }
inline const int64_t *JsonValue::integer() const { return std::get_if<int64_t>(&data); }
inline const std::string *JsonValue::string() const { return std::get_if<std::string>(&data); }
inline const JsonValue::Array *JsonValue::array() const { return std::get_if<Array>(&data); }
inline const JsonValue::Object *JsonValue::object() const { return std::get_if<Object>(&data); }

struct JsonLimits {
  size_t depth = 64;
  size_t values = 1 << 20;
};

/// False with what is wrong in `error`: "is not valid JSON at line 3, byte 41: …". The caller says of which
/// file.
bool parseJson(std::string_view text, const JsonLimits &limits, JsonValue &out, std::string &error);

/// Reads and parses a file of at most `maxBytes`; `error` names it.
bool readJsonFile(const std::string &path, size_t maxBytes, const JsonLimits &limits, JsonValue &out,
                  std::string &error);

} // namespace llmc::formats
#endif
