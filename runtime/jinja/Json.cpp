// JSON in and out. Reading goes through a SAX handler, so that depth is bounded before anything recurses over
// it.
#include "Json.h"

#include "Builtins.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace llmc::jinja {
namespace {

constexpr size_t maxJsonDepth = 100;

class Handler : public nlohmann::json_sax<nlohmann::json> {
public:
  Handler(Context &c, Value &root) : context(c), root(root) {}
  std::string error;

  bool null() override { return add(Value::none()); }
  bool boolean(bool b) override { return add(Value::boolean(b)); }
  bool number_integer(number_integer_t i) override { return add(Value::integer(i)); }
  bool number_unsigned(number_unsigned_t i) override { return add(Value::integer(i)); }
  bool number_float(number_float_t d, const string_t &literal) override {
    Int i; // whole numbers beyond uint64 arrive here
    const bool whole = literal.find_first_not_of("-0123456789") == std::string::npos;
    return add(whole && parseInt(literal, 10, i) ? Value::integer(i) : Value::number(d));
  }
  bool string(string_t &s) override { return add(context.string(s, true)); }
  bool binary(binary_t &) override { return false; }
  bool start_object(size_t) override { return open(context.dict()); }
  bool start_array(size_t) override { return open(context.list({})); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t &s) override {
    keys.back() = context.string(s, true);
    return true;
  }
  bool parse_error(size_t position, const std::string &, const nlohmann::detail::exception &e) override {
    // The message ends in what was expected; its "[json.exception…]" head and parse position are noise.
    const std::string_view what = e.what();
    const size_t detail = what.find("; ");
    error = "is not valid JSON at byte " + std::to_string(position);
    if (what.find("out_of_range") != std::string_view::npos)
      error += ": a number is out of range";
    else if (detail != std::string_view::npos)
      error += ": " + std::string(what.substr(detail + 2));
    return false;
  }

private:
  Context &context;
  Value &root;
  std::vector<Value> stack, keys;

  bool add(Value v) {
    context.step();
    if (stack.empty())
      root = std::move(v);
    else if (stack.back().is(Kind::Dict))
      context.set(stack.back().dict(), keys.back(), std::move(v));
    else
      context.append(stack.back().list(), std::move(v));
    return true;
  }
  bool open(Value v) {
    if (stack.size() >= maxJsonDepth) {
      error = "nests deeper than " + std::to_string(maxJsonDepth) + " levels";
      return false;
    }
    add(v);
    stack.push_back(std::move(v));
    keys.emplace_back();
    return true;
  }
  bool close() {
    stack.pop_back();
    keys.pop_back();
    return true;
  }
};

} // namespace

bool parseJson(Context &c, std::string_view text, const std::string &what, Value &out, std::string &error) {
  if (const size_t bad = findInvalidUtf8(text); bad != std::string_view::npos) {
    error = what + ": invalid UTF-8 at byte " + std::to_string(bad);
    return false;
  }
  Handler handler(c, out);
  if (nlohmann::json::sax_parse(text.begin(), text.end(), &handler))
    return true;
  error = what + ": " + (handler.error.empty() ? "is not valid JSON" : handler.error);
  return false;
}

// --- output, as json.dumps writes it ---

namespace {

void appendJsonString(Context &c, const Text &text, bool ensureAscii, Text &out) {
  static const char *hex = "0123456789abcdef";
  c.stepCharacters(text.size());
  out.append("\"", false);
  text.forEachRun([&](std::string_view run, bool input) {
    std::string piece;
    auto escape16 = [&](uint32_t v) {
      piece += "\\u";
      for (int shift = 12; shift >= 0; shift -= 4)
        piece += hex[v >> shift & 15];
    };
    for (size_t pos = 0; pos < run.size();) {
      const CodePoint cp = decodeUtf8(run, pos);
      static constexpr std::string_view from = "\"\\\n\r\t\b\f", to = "\"\\nrtbf";
      const size_t known = cp.value < 0x80 ? from.find(static_cast<char>(cp.value)) : std::string_view::npos;
      if (known != std::string_view::npos) {
        piece += '\\';
        piece += to[known];
      } else if (cp.value < 0x20 ||
                 (ensureAscii && (cp.value == 0x7F ? false : cp.value > 0x7E) && cp.value < 0x10000)) {
        escape16(cp.value);
      } else if (ensureAscii && cp.value >= 0x10000) {
        escape16(0xD800 + ((cp.value - 0x10000) >> 10));
        escape16(0xDC00 + ((cp.value - 0x10000) & 0x3FF));
      } else {
        piece.append(run.substr(pos, cp.length));
      }
      pos += cp.length;
    }
    out.append(piece, input);
    c.checkSize(out.size());
  });
  out.append("\"", false);
}

struct Writer {
  Context &c;
  const JsonStyle &style;
  Text out;

  void newline(int level) {
    if (!style.multiline)
      return;
    out.append("\n", false);
    c.stepBytes(style.indent.size() * static_cast<size_t>(level));
    for (int i = 0; i < level; ++i)
      out.append(style.indent);
  }

  void appendSeparator(const Text &separator) {
    c.stepBytes(separator.size());
    out.append(separator);
  }

  void key(const Value &k) {
    if (k.isString())
      return appendJsonString(c, k.text(), style.ensureAscii, out);
    if (k.isNumber() || k.is(Kind::None)) {
      out.append("\"", false);
      write(k, 0);
      out.append("\"", false);
      return;
    }
    c.fail(std::string("'tojson' keys must be strings or numbers, found ") + typeName(k));
  }

  void write(const Value &v, int level) {
    Context::Depth guard(c);
    c.step();
    c.checkSize(out.size());
    switch (v.kind()) {
    case Kind::None:
      return out.append("null", false);
    case Kind::Bool:
      return out.append(v.asBool() ? "true" : "false", false);
    case Kind::Int:
      return out.append(formatInt(v.asInt()), false);
    case Kind::Float: {
      const std::string s = formatFloat(v.asDouble());
      return out.append(s == "nan" ? "NaN" : s == "inf" ? "Infinity" : s == "-inf" ? "-Infinity" : s, false);
    }
    case Kind::String:
      return appendJsonString(c, v.text(), style.ensureAscii, out);
    case Kind::List:
      if (v.list().kind <= ListKind::Tuple)
        return writeList(v.list().items, level);
      break;
    case Kind::Dict:
      return writeDict(v.dict(), level);
    case Kind::Undefined:
      c.fail("'tojson' of an undefined value: " + v.undefinedMessage());
    default:
      break;
    }
    c.fail(std::string("object of type '") + typeName(v) + "' has no JSON form");
  }

  void writeList(const std::vector<Value> &items, int level) {
    out.append("[", false);
    for (size_t i = 0; i < items.size(); ++i) {
      if (i)
        appendSeparator(style.itemSeparator);
      newline(level + 1);
      write(items[i], level + 1);
    }
    if (!items.empty())
      newline(level);
    out.append("]", false);
  }

  void writeDict(const Dict &dict, int level) {
    std::vector<const std::pair<Value, Value> *> entries;
    for (const auto &entry : dict.entries)
      entries.push_back(&entry);
    if (style.sortKeys) {
      for (const auto *entry : entries)
        if (!entry->first.isString())
          c.fail("'tojson' can sort only string keys");
      c.step(entries.size());
      std::sort(entries.begin(), entries.end(),
                [](auto *a, auto *b) { return a->first.str() < b->first.str(); });
    }
    out.append("{", false);
    bool first = true;
    for (const auto *entry : entries) {
      if (!std::exchange(first, false))
        appendSeparator(style.itemSeparator);
      newline(level + 1);
      key(entry->first);
      appendSeparator(style.keySeparator);
      write(entry->second, level + 1);
    }
    if (!entries.empty())
      newline(level);
    out.append("}", false);
  }
};

} // namespace

Text toJson(Context &c, const Value &v, const JsonStyle &style) {
  Writer writer{c, style, {}};
  writer.write(v, 0);
  return std::move(writer.out);
}

} // namespace llmc::jinja
