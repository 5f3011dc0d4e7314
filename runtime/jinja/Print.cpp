// str() and repr() of values as Python writes them; the origin of each byte of a string is kept.
#include "Value.h"

#include <charconv>
#include <cmath>
#include <utf8proc.h>

namespace llmc::jinja {

std::string formatInt(Int i) {
  if (i == 0)
    return "0";
  const bool negative = i < 0;
  unsigned __int128 rest = negative ? -static_cast<unsigned __int128>(i) : i;
  std::string digits;
  for (; rest; rest /= 10)
    digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(rest % 10)));
  return negative ? "-" + digits : digits;
}

// Python's repr(float): shortest digits that read back, exponent form below 1e-4 and from 1e16 on.
std::string formatFloat(double d) {
  if (std::isnan(d))
    return "nan";
  if (std::isinf(d))
    return d < 0 ? "-inf" : "inf";
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, d, std::chars_format::scientific).ptr;
  std::string text(buffer, end);
  const size_t e = text.find('e');
  const int exponent = std::stoi(text.substr(e + 1));
  std::string sign, digits;
  for (char c : text.substr(0, e))
    if (c == '-')
      sign = "-";
    else if (c != '.')
      digits += c;
  if (exponent < -4 || exponent >= 16) {
    std::string result = sign + digits.substr(0, 1);
    if (digits.size() > 1)
      result += "." + digits.substr(1);
    const int magnitude = exponent < 0 ? -exponent : exponent;
    return result + (exponent < 0 ? "e-" : "e+") + (magnitude < 10 ? "0" : "") + std::to_string(magnitude);
  }
  if (exponent < 0)
    return sign + "0." + std::string(-exponent - 1, '0') + digits;
  const size_t whole = exponent + 1;
  if (digits.size() <= whole)
    return sign + digits + std::string(whole - digits.size(), '0') + ".0";
  return sign + digits.substr(0, whole) + "." + digits.substr(whole);
}

static bool isPrintable(uint32_t c) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
  case UTF8PROC_CATEGORY_CC:
  case UTF8PROC_CATEGORY_CF:
  case UTF8PROC_CATEGORY_CS:
  case UTF8PROC_CATEGORY_CO:
  case UTF8PROC_CATEGORY_CN:
  case UTF8PROC_CATEGORY_ZL:
  case UTF8PROC_CATEGORY_ZP:
    return false;
  case UTF8PROC_CATEGORY_ZS:
    return c == ' ';
  default:
    return true;
  }
}

static Text reprString(Context &c, const Text &text) {
  const std::string &s = text.str();
  const bool useDouble = s.find('\'') != std::string::npos && s.find('"') == std::string::npos;
  const char quote = useDouble ? '"' : '\'';
  Text out(std::string_view(&quote, 1), false);
  static const char *hex = "0123456789abcdef";
  text.forEachRun([&](std::string_view run, bool input) {
    std::string piece;
    for (size_t pos = 0; pos < run.size();) {
      const CodePoint cp = decodeUtf8(run, pos);
      const uint32_t v = cp.value;
      if (v == '\\' || v == static_cast<unsigned char>(quote))
        piece += '\\', piece += static_cast<char>(v);
      else if (v == '\n')
        piece += "\\n";
      else if (v == '\t')
        piece += "\\t";
      else if (v == '\r')
        piece += "\\r";
      else if (cp.valid && isPrintable(v))
        piece.append(run.substr(pos, cp.length));
      else {
        const int digits = v < 0x100 ? 2 : v < 0x10000 ? 4 : 8;
        piece += digits == 2 ? "\\x" : digits == 4 ? "\\u" : "\\U";
        for (int i = digits - 1; i >= 0; --i)
          piece += hex[v >> (4 * i) & 15];
      }
      pos += cp.length;
    }
    out.append(piece, input);
    c.checkSize(out.size());
  });
  out.append(std::string_view(&quote, 1), false);
  return out;
}

static Text reprList(Context &c, const List &list) {
  if (list.kind == ListKind::Range) {
    std::string s = "range(" + formatInt(list.start) + ", " + formatInt(list.stop);
    return Text(s + (list.step == 1 ? ")" : ", " + formatInt(list.step) + ")"), false);
  }
  if (list.kind == ListKind::Generator)
    return Text("<generator object>", false);
  const bool isTuple = list.kind == ListKind::Tuple;
  Text out(isTuple ? "(" : "[", false);
  for (size_t i = 0; i < list.items.size(); ++i) {
    if (i)
      out.append(", ", false);
    out.append(repr(c, list.items[i]));
    c.checkSize(out.size());
  }
  out.append(isTuple ? (list.items.size() == 1 ? ",)" : ")") : "]", false);
  return out;
}

static Text reprDict(Context &c, const Dict &dict) {
  Text out("{", false);
  for (size_t i = 0; i < dict.entries.size(); ++i) {
    if (i)
      out.append(", ", false);
    out.append(repr(c, dict.entries[i].first));
    out.append(": ", false);
    out.append(repr(c, dict.entries[i].second));
    c.checkSize(out.size());
  }
  out.append("}", false);
  return out;
}

Text repr(Context &c, const Value &v) {
  Context::Depth guard(c);
  c.step();
  switch (v.kind()) {
  case Kind::Undefined:
    return Text("Undefined", false);
  case Kind::None:
    return Text("None", false);
  case Kind::Bool:
    return Text(v.asBool() ? "True" : "False", false);
  case Kind::Int:
    return Text(formatInt(v.asInt()), false);
  case Kind::Float:
    return Text(formatFloat(v.asDouble()), false);
  case Kind::String:
    c.step(v.text().size() / 16);
    return reprString(c, v.text());
  case Kind::List:
    return reprList(c, v.list());
  case Kind::Dict:
    return reprDict(c, v.dict());
  case Kind::Namespace: {
    Text out("<Namespace>", false);
    return out;
  }
  case Kind::Callable:
    return Text("<function " + v.callable().name + ">", false);
  case Kind::Loop:
    return Text("<LoopContext " + std::to_string(v.loop().index + 1) + "/" +
                    std::to_string(v.loop().items.size()) + ">",
                false);
  }
  return {};
}

Text toText(Context &c, const Value &v) {
  if (v.isString()) {
    c.stepBytes(v.text().size());
    return v.text();
  }
  return v.isUndefined() ? Text() : repr(c, v);
}

} // namespace llmc::jinja
