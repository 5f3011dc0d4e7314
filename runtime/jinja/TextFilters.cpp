// Filters on single values: case, trimming, replacing, conversion, JSON.
#include "Builtins.h"

#include "Operators.h"

#include <algorithm>
#include <cmath>
#include <fmt/core.h>
#include <utf8proc.h>

namespace llmc::jinja {

// --- case ---

static void appendMapped(std::string &out, uint32_t c, bool upper) {
  if (c == 0xDF && upper)
    out += "SS"; // ß has no single capital
  else
    encodeUtf8(static_cast<uint32_t>(upper ? utf8proc_toupper(static_cast<utf8proc_int32_t>(c))
                                           : utf8proc_tolower(static_cast<utf8proc_int32_t>(c))),
               out);
}

/// Maps each character to upper or lower case as the callback says.
template <typename Fn> static Text mapCase(Context &c, const Text &text, Fn wantsUpper) {
  c.step(text.size() / 8);
  Text out;
  text.forEachRun([&](std::string_view run, bool input) {
    std::string piece;
    for (size_t pos = 0; pos < run.size();) {
      const CodePoint cp = decodeUtf8(run, pos);
      if (cp.valid)
        appendMapped(piece, cp.value, wantsUpper(cp.value));
      else
        piece += run[pos];
      pos += cp.length;
    }
    out.append(piece, input);
  });
  return out;
}

Text upperCase(Context &c, const Text &text) {
  return mapCase(c, text, [](uint32_t) { return true; });
}

Text lowerCase(Context &c, const Text &text) {
  return mapCase(c, text, [](uint32_t) { return false; });
}

Text capitalized(Context &c, const Text &text) {
  bool first = true;
  return mapCase(c, text, [&](uint32_t) { return std::exchange(first, false); });
}

// str.title(): a letter after a non-letter starts a word.
Text titleCase(Context &c, const Text &text) {
  bool inWord = false;
  return mapCase(c, text, [&](uint32_t v) {
    const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(v));
    const bool letter = category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LT;
    return !std::exchange(inWord, letter);
  });
}

Text stripText(Context &c, const Text &text, bool left, bool right, const Text *chars) {
  // The set of characters is a table of up to 140 KB.
  if (chars)
    c.step(64 + chars->size() / 8);
  c.stepCharacters(text.size());
  return text.strip(left, right, chars ? &chars->str() : nullptr);
}

Text replaceText(Context &c, const Text &subject, const Text &from, const Text &to, int64_t count) {
  const std::string &s = subject.str();
  Text out;
  size_t pos = 0;
  auto grow = [&] {
    c.checkSize(out.size());
    c.step();
    c.stepBytes(to.size());
  };
  c.stepBytes(s.size());
  if (from.empty()) { // before each character and at the end
    for (; count != 0; --count) {
      out.append(to);
      grow();
      if (pos >= s.size())
        return out;
      const size_t next = pos + decodeUtf8(s, pos).length;
      out.appendSlice(subject, pos, next);
      pos = next;
    }
  }
  for (; count != 0; --count) {
    const size_t hit = from.empty() ? std::string::npos : findText(c, s, from.str(), pos);
    if (hit == std::string::npos)
      break;
    out.appendSlice(subject, pos, hit);
    out.append(to);
    grow();
    pos = hit + from.size();
  }
  out.appendSlice(subject, pos, s.size());
  return out;
}

// --- numbers ---

bool parseInt(std::string_view s, int base, Int &out) {
  const std::string trimmed = Text(s, false).strip(true, true).str();
  size_t pos = 0;
  const bool negative = !trimmed.empty() && trimmed[0] == '-';
  if (!trimmed.empty() && (trimmed[0] == '-' || trimmed[0] == '+'))
    ++pos;
  if (pos + 1 < trimmed.size() && trimmed[pos] == '0') {
    const char mark = static_cast<char>(trimmed[pos + 1] | 32);
    const int marked = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
    if (marked && (base == marked || base == 0)) {
      base = marked;
      pos += 2;
    }
  }
  if (base == 0)
    base = 10;
  Int value = 0;
  bool digitBefore = false;
  if (pos >= trimmed.size())
    return false;
  for (; pos < trimmed.size(); ++pos) {
    const char c = trimmed[pos];
    if (c == '_' && digitBefore && pos + 1 < trimmed.size()) {
      digitBefore = false;
      continue;
    }
    const int digit = c >= '0' && c <= '9'                 ? c - '0'
                      : (c | 32) >= 'a' && (c | 32) <= 'z' ? (c | 32) - 'a' + 10
                                                           : 99;
    if (digit >= base || __builtin_mul_overflow(value, base, &value) ||
        __builtin_add_overflow(value, digit, &value))
      return false;
    digitBefore = true;
  }
  out = negative ? -value : value;
  return true;
}

bool parseFloat(std::string_view s, double &out) {
  std::string trimmed = Text(s, false).strip(true, true).str();
  if (trimmed.empty() || trimmed.size() > 1000 || trimmed.find_first_of("xX") != std::string::npos)
    return false;
  char *end = nullptr;
  out = std::strtod(trimmed.c_str(), &end);
  return end == trimmed.c_str() + trimmed.size();
}

namespace {

const Text &textOf(Context &c, const Value &v, const char *filter) {
  if (v.isUndefined())
    c.fail(v.undefinedMessage());
  if (!v.isString())
    c.fail(fmt::format("'{}' expects a string, found {}", filter, typeName(v)));
  return v.text();
}

Value fromDouble(Context &c, double d, const Value &fallback) {
  (void)c;
  if (!std::isfinite(d) || std::fabs(d) > 1e37)
    return fallback;
  return Value::integer(static_cast<Int>(d));
}

Value toInt(Context &c, const Value &v, Args &args) {
  Bound b(c, "int", args, {"default", "base"});
  const Value fallback = b[0] ? *b[0] : Value::integer(0);
  const int64_t base = b.integer(1, 10);
  if (v.isUndefined())
    c.fail(v.undefinedMessage());
  if (v.isIntegral())
    return Value::integer(v.asInt());
  if (v.is(Kind::Float))
    return fromDouble(c, v.asDouble(), fallback);
  Int i;
  double d;
  c.stepCharacters(v.isString() ? v.text().size() : 0);
  if (v.isString() && base >= 0 && base <= 36 && base != 1 && parseInt(v.str(), static_cast<int>(base), i))
    return Value::integer(i);
  return v.isString() && parseFloat(v.str(), d) ? fromDouble(c, d, fallback) : fallback;
}

Value toFloat(Context &c, const Value &v, Args &args) {
  Bound b(c, "float", args, {"default"});
  if (v.isUndefined())
    c.fail(v.undefinedMessage());
  double d;
  if (v.isNumber())
    return Value::number(v.asDouble());
  c.stepCharacters(v.isString() ? v.text().size() : 0);
  if (v.isString() && parseFloat(v.str(), d))
    return Value::number(d);
  return b[0] ? *b[0] : Value::number(0);
}

Value roundFilter(Context &c, const Value &v, Args &args) {
  Bound b(c, "round", args, {"precision", "method"});
  if (!v.isNumber())
    c.fail(v.isUndefined() ? v.undefinedMessage()
                           : std::string("'round' expects a number, found ") + typeName(v));
  const int64_t precision = std::clamp<int64_t>(b.integer(0, 0), -300, 300);
  const std::string method = b.text(1) ? b.text(1)->str() : "common";
  if (method != "common" && method != "ceil" && method != "floor")
    c.fail("'round' method must be common, ceil or floor");
  if (method == "common") {
    if (v.isIntegral() && precision >= 0)
      return Value::integer(v.asInt());
    if (v.isIntegral()) {
      const double unit = std::pow(10, -precision), rounded = std::nearbyint(v.asDouble() / unit) * unit;
      if (std::fabs(rounded) > 1e37)
        c.fail("integer result is too large");
      return Value::integer(static_cast<Int>(rounded));
    }
    if (precision >= 0) // correct decimal rounding, as the decimal text rounds
      return Value::number(std::strtod(fmt::format("{:.{}f}", v.asDouble(), precision).c_str(), nullptr));
  }
  const double scale = std::pow(10, static_cast<double>(precision)), scaled = v.asDouble() * scale;
  const double rounded = method == "ceil"    ? std::ceil(scaled)
                         : method == "floor" ? std::floor(scaled)
                                             : std::nearbyint(scaled);
  return Value::number(rounded / scale);
}

Value absolute(Context &c, const Value &v, Args &args) {
  Bound b(c, "abs", args, {});
  if (v.is(Kind::Float))
    return Value::number(std::fabs(v.asDouble()));
  if (!v.isIntegral())
    c.fail(v.isUndefined() ? v.undefinedMessage()
                           : std::string("'abs' expects a number, found ") + typeName(v));
  return v.asInt() < 0 ? negate(c, v) : Value::integer(v.asInt());
}

// --- text ---

Value indent(Context &c, const Value &v, Args &args) {
  Bound b(c, "indent", args, {"width", "first", "blank"});
  const Text &text = textOf(c, v, "indent");
  Text margin;
  if (b[0] && b[0]->isString()) {
    margin = b[0]->text();
  } else {
    const int64_t width = std::clamp<int64_t>(b.integer(0, 4), 0, 1000);
    margin.append(std::string(static_cast<size_t>(width), ' '), false);
  }
  const bool blank = b.flag(2, false);
  Text out;
  bool first = true;
  // Every line of the text, a last empty one included.
  std::vector<Value> lines = splitLines(c, text, false);
  const std::string &s = text.str();
  if (s.empty() || s.back() == '\n' || s.back() == '\r')
    lines.push_back(c.string(""));
  for (const Value &line : lines) {
    if (!first)
      out.append("\n", false);
    if (first ? b.flag(1, false) : (blank || !line.text().empty()))
      out.append(margin);
    out.append(line.text());
    c.checkSize(out.size());
    first = false;
  }
  return c.string(std::move(out));
}

Value forceEscape(Context &c, const Value &v, Args &) {
  return c.string(escaped(c, toText(c, v))).asMarkup();
}

Value escape(Context &c, const Value &v, Args &args) { return v.isMarkup() ? v : forceEscape(c, v, args); }

Value tojson(Context &c, const Value &v, Args &args) {
  Bound b(c, "tojson", args, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ensureAscii = b.flag(0, false);
  style.sortKeys = b.flag(3, false);
  if (b[1] && !b[1]->is(Kind::None)) {
    style.multiline = true;
    style.itemSeparator = Text(",", false);
    if (b[1]->isString())
      style.indent = b[1]->text();
    else
      style.indent.append(std::string(static_cast<size_t>(std::clamp<int64_t>(b.integer(1, 0), 0, 100)), ' '),
                          false);
  }
  if (b[2] && !b[2]->is(Kind::None)) {
    const std::vector<Value> separators = iterate(c, *b[2]);
    if (separators.size() != 2 || !separators[0].isString() || !separators[1].isString())
      c.fail("'tojson' separators must be two strings");
    style.itemSeparator = separators[0].text();
    style.keySeparator = separators[1].text();
  }
  return c.string(toJson(c, v, style));
}

Value center(Context &c, const Value &v, Args &args) {
  Bound b(c, "center", args, {"width"});
  const Text text = toText(c, v);
  const int64_t width = std::min<int64_t>(b.integer(0, 80), 100000);
  c.stepCharacters(text.size());
  const int64_t room = width - static_cast<int64_t>(countCodePoints(text.str()));
  if (room <= 0)
    return c.string(text);
  const int64_t left = room / 2 + (room & width & 1);
  Text out(std::string(static_cast<size_t>(left), ' '), false);
  out.append(text);
  out.append(std::string(static_cast<size_t>(room - left), ' '), false);
  return c.string(std::move(out));
}

Value trim(Context &c, const Value &v, Args &args) {
  Bound b(c, "trim", args, {"chars"});
  return c.string(stripText(c, toText(c, v), true, true, b.text(0)));
}

Value replace(Context &c, const Value &v, Args &args) {
  Bound b(c, "replace", args, {"old", "new", "count"});
  const Text from = toText(c, b.required(0)), to = toText(c, b.required(1));
  return c.string(replaceText(c, toText(c, v), from, to, b.integer(2, -1)));
}

Value fallback(Context &c, const Value &v, Args &args) {
  Bound b(c, "default", args, {"default_value", "boolean"});
  if (v.isUndefined() || (b.flag(1, false) && !truth(v)))
    return b[0] ? *b[0] : c.string("");
  return v;
}

Value wordCount(Context &c, const Value &v, Args &) {
  const Text text = toText(c, v);
  c.stepCharacters(text.size());
  Int count = 0;
  bool inWord = false;
  for (size_t pos = 0; pos < text.size();) {
    const CodePoint cp = decodeUtf8(text.str(), pos);
    const auto k = utf8proc_category(static_cast<utf8proc_int32_t>(cp.value));
    const bool word = cp.value == '_' || (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO) ||
                      (k >= UTF8PROC_CATEGORY_ND && k <= UTF8PROC_CATEGORY_NO);
    count += word && !inWord;
    inWord = word;
    pos += cp.length;
  }
  return Value::integer(count);
}

// The filter's own title-casing: words start after white space, '-', or an opening bracket.
Value title(Context &c, const Value &v, Args &) {
  bool start = true;
  return c.string(mapCase(c, toText(c, v), [&](uint32_t ch) {
    const bool upper = start;
    start = isSpace(ch) || ch == '-' || ch == '(' || ch == '{' || ch == '[' || ch == '<';
    return upper;
  }));
}

Value percent(Context &c, const Value &v, Args &args) {
  if (!args.keywords.empty() && !args.positional.empty())
    c.fail("'format' takes either positional or keyword arguments");
  Value arguments;
  if (args.keywords.empty()) {
    arguments = c.list(args.positional, ListKind::Tuple);
  } else {
    arguments = c.dict();
    for (auto &[key, value] : args.keywords)
      c.set(arguments.dict(), c.string(key), value);
  }
  return c.string(percentFormat(c, toText(c, v), arguments));
}

using F = std::pair<std::string_view, FilterFunction>;
template <Text (*function)(Context &, const Text &)> Value textual(Context &c, const Value &v, Args &args) {
  Bound b(c, "the filter", args, {});
  return c.string(function(c, toText(c, v)));
}
Value stringify(Context &c, const Value &v, Args &args) {
  Bound b(c, "string", args, {});
  return v.isString() ? v : c.string(toText(c, v));
}
Value safe(Context &c, const Value &v, Args &args) { return stringify(c, v, args).asMarkup(); }

const F filters[] = {
    {"abs", absolute},
    {"capitalize", textual<capitalized>},
    {"center", center},
    {"d", fallback},
    {"default", fallback},
    {"e", escape},
    {"escape", escape},
    {"float", toFloat},
    {"forceescape", forceEscape},
    {"format", percent},
    {"indent", indent},
    {"int", toInt},
    {"lower", textual<lowerCase>},
    {"replace", replace},
    {"round", roundFilter},
    {"safe", safe},
    {"string", stringify},
    {"title", title},
    {"tojson", tojson},
    {"trim", trim},
    {"upper", textual<upperCase>},
    {"wordcount", wordCount},
};

} // namespace

Text escaped(Context &c, const Text &text) {
  c.stepCharacters(text.size());
  Text out;
  text.forEachRun([&](std::string_view run, bool input) {
    for (char ch : run) {
      const std::string_view one(&ch, 1);
      out.append(ch == '&'    ? "&amp;"
                 : ch == '<'  ? "&lt;"
                 : ch == '>'  ? "&gt;"
                 : ch == '"'  ? "&#34;"
                 : ch == '\'' ? "&#39;"
                              : one,
                 input);
    }
    c.checkSize(out.size());
  });
  return out;
}

FilterFunction findTextFilter(std::string_view name) {
  for (const auto &[key, function] : filters)
    if (key == name)
      return function;
  return nullptr;
}

} // namespace llmc::jinja
