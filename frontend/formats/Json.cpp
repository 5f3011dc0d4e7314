//===- Json.cpp - JSON files as checked plain data ------------------------===//
//
// The library's event interface, since its tree silently keeps the last of two members with one name.
//
//===----------------------------------------------------------------------===//
#include "frontend/formats/Json.h"

#include "frontend/formats/MappedFile.h"
#include "frontend/formats/Quote.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

namespace llmc::formats {

std::optional<double> JsonValue::number() const {
  if (const int64_t *i = integer())
    return static_cast<double>(*i);
  const double *d = std::get_if<double>(&data);
  return d ? std::optional<double>(*d) : std::nullopt;
}

std::optional<uint64_t> JsonValue::count() const {
  const int64_t *i = integer();
  return i && *i >= 0 ? std::optional<uint64_t>(*i) : std::nullopt;
}

size_t JsonValue::size() const { return array() ? array()->size() : object() ? object()->size() : 0; }

const JsonValue *JsonValue::findValue(std::string_view key) const {
  const JsonValue *found = find(key);
  return found && !found->isNull() ? found : nullptr;
}

const JsonValue *JsonValue::find(std::string_view key) const {
  if (const Object *members = object())
    for (const JsonMember &member : *members)
      if (member.key == key)
        return &member.value;
  return nullptr;
}

std::string JsonValue::describe() const {
  struct Describe {
    std::string operator()(std::monostate) const { return "null"; }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(int64_t value) const { return std::to_string(value); }
    std::string operator()(double value) const { return nlohmann::json(value).dump(); }
    std::string operator()(const std::string &value) const { return quotedText(value); }
    std::string operator()(const Array &) const { return "an array"; }
    std::string operator()(const Object &) const { return "an object"; }
  };
  return std::visit(Describe(), data);
}

namespace {

std::string lineAndByte(std::string_view text, size_t at) {
  size_t end = std::min(at, text.size());
  return " at line " + std::to_string(1 + std::count(text.begin(), text.begin() + end, '\n')) + ", byte " +
         std::to_string(at);
}

/// A value that is not complete yet, and the key that its next member gets.
struct Open {
  JsonValue value;
  std::string key;
};

class Handler : public nlohmann::json_sax<nlohmann::json> {
public:
  Handler(std::string_view text, const JsonLimits &limits, JsonValue &root)
      : text(text), limits(limits), root(root) {}
  std::string error;

  bool null() override { return add({}); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override {
    return value <= INT64_MAX ? add(static_cast<int64_t>(value)) : add(static_cast<double>(value));
  }
  bool number_float(number_float_t value, const string_t &) override { return add(value); }
  bool string(string_t &value) override { return add(std::move(value)); }
  bool binary(binary_t &) override { return false; } // JSON has none
  bool key(string_t &value) override {
    stack.back().key = std::move(value);
    return true;
  }
  bool start_object(size_t) override { return open(JsonValue::Object()); }
  bool start_array(size_t) override { return open(JsonValue::Array()); }
  bool end_array() override { return close(); }
  bool end_object() override {
    const JsonValue::Object &members = *stack.back().value.object();
    std::vector<uint32_t> order(members.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(),
              [&](uint32_t a, uint32_t b) { return members[a].key < members[b].key; });
    for (size_t i = 1; i < order.size(); ++i)
      if (members[order[i]].key == members[order[i - 1]].key)
        return fail("has the key " + quotedText(members[order[i]].key) + " twice in one object");
    return close();
  }
  bool parse_error(size_t position, const std::string &, const nlohmann::detail::exception &e) override {
    // The library's sentence ends in what was expected; its head repeats the place.
    std::string_view what = e.what();
    size_t detail = what.find("; ");
    std::string words = "is not valid JSON" + lineAndByte(text, position);
    if (what.find("out_of_range") != what.npos)
      words += ": a number is out of range";
    else if (detail != what.npos)
      words += ": " + printable(what.substr(detail + 2));
    return fail(words);
  }

private:
  /// The library quotes bytes of the file.
  static std::string printable(std::string_view words) {
    std::string out;
    for (char c : words.substr(0, 200))
      out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    return out;
  }
  bool fail(const std::string &words) {
    if (error.empty())
      error = words;
    return false;
  }
  bool add(JsonValue::Data data) {
    if (++numValues > limits.values)
      return fail("holds more than " + std::to_string(limits.values) + " values");
    put(JsonValue(std::move(data)));
    return true;
  }
  void put(JsonValue value) {
    if (stack.empty())
      root = std::move(value);
    else if (auto *array = std::get_if<JsonValue::Array>(&stack.back().value.data))
      array->push_back(std::move(value));
    else
      std::get<JsonValue::Object>(stack.back().value.data)
          .push_back({std::move(stack.back().key), std::move(value)});
  }
  bool open(JsonValue::Data data) {
    if (++numValues > limits.values)
      return fail("holds more than " + std::to_string(limits.values) + " values");
    if (stack.size() >= limits.depth)
      return fail("nests deeper than " + std::to_string(limits.depth) + " levels");
    stack.push_back({JsonValue(std::move(data)), {}});
    return true;
  }
  bool close() {
    JsonValue value = std::move(stack.back().value);
    stack.pop_back();
    put(std::move(value));
    return true;
  }

  std::string_view text;
  const JsonLimits &limits;
  JsonValue &root;
  std::vector<Open> stack;
  size_t numValues = 0;
};

} // namespace

bool parseJson(std::string_view text, const JsonLimits &limits, JsonValue &out, std::string &error) {
  Handler handler(text, limits, out);
  if (nlohmann::json::sax_parse(text.begin(), text.end(), &handler))
    return true;
  error = handler.error.empty() ? "is not valid JSON" : handler.error;
  return false;
}

bool readJsonFile(const std::string &path, size_t maxBytes, const JsonLimits &limits, JsonValue &out,
                  std::string &error) {
  auto map = MappedFile::open(path, error);
  if (!map)
    return false;
  auto bytes = map->bytes();
  if (bytes.size() > maxBytes) {
    error = path + ": has " + std::to_string(bytes.size()) + " bytes, expected at most " +
            std::to_string(maxBytes);
    return false;
  }
  if (parseJson({reinterpret_cast<const char *>(bytes.data()), bytes.size()}, limits, out, error))
    return true;
  error = path + ": " + error;
  return false;
}

} // namespace llmc::formats
