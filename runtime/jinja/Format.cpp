// "%s %d" % args and "{} {name}".format(args). Brace fields reach attributes only through the value model.
#include "Builtins.h"

#include <algorithm>
#include <cmath>
#include <fmt/core.h>

namespace llmc::jinja {
namespace {

constexpr int64_t maxWidth = 10000;

struct Field {
  bool left = false, plus = false, space = false, zero = false, alternate = false;
  int64_t width = 0, precision = -1;
};

int64_t parseDigits(Context &c, const std::string &s, size_t &pos) {
  int64_t n = 0;
  for (; pos < s.size() && s[pos] >= '0' && s[pos] <= '9'; ++pos)
    if ((n = n * 10 + (s[pos] - '0')) > maxWidth)
      c.fail("format width is larger than " + std::to_string(maxWidth));
  return n;
}

std::string inBase(Int value, unsigned base, bool upper) {
  unsigned __int128 rest = value < 0 ? -static_cast<unsigned __int128>(value) : value;
  std::string digits;
  do {
    digits.insert(digits.begin(),
                  (upper ? "0123456789ABCDEF" : "0123456789abcdef")[static_cast<size_t>(rest % base)]);
    rest /= base;
  } while (rest);
  return digits;
}

/// The digits without sign for d i u x X o b e E f F g G %.
std::string formatMagnitude(Context &c, const Value &v, char type, const Field &f, bool &negative) {
  if (!v.isNumber())
    c.fail(std::string("format '") + type + "' expects a number, found " + typeName(v));
  if (std::string_view("dixXob").find(type) != std::string_view::npos) {
    Int i = 0;
    if (v.is(Kind::Float)) {
      if (type != 'd' && type != 'i')
        c.fail(std::string("format '") + type + "' expects an integer, found float");
      if (!std::isfinite(v.asDouble()) || std::fabs(v.asDouble()) > 1e37)
        c.fail("cannot format this float as an integer");
      i = static_cast<Int>(v.asDouble());
    } else {
      i = v.asInt();
    }
    negative = i < 0;
    const unsigned base = type == 'o' ? 8 : type == 'b' ? 2 : type == 'd' || type == 'i' ? 10 : 16;
    std::string digits = inBase(i, base, type == 'X');
    if (f.precision > static_cast<int64_t>(digits.size()))
      digits.insert(0, static_cast<size_t>(f.precision) - digits.size(), '0');
    if (f.alternate && base != 10)
      digits.insert(0, type == 'o' ? "0o" : type == 'b' ? "0b" : type == 'X' ? "0X" : "0x");
    return digits;
  }
  const double d = v.asDouble();
  negative = std::signbit(d) && !std::isnan(d);
  const int precision = f.precision < 0 ? 6 : static_cast<int>(f.precision);
  const double a = std::fabs(d);
  switch (type) {
  case 'e':
    return fmt::format("{:.{}e}", a, precision);
  case 'E':
    return fmt::format("{:.{}E}", a, precision);
  case 'g':
    return fmt::format("{:.{}g}", a, precision);
  case 'G':
    return fmt::format("{:.{}G}", a, precision);
  case '%':
    return fmt::format("{:.{}f}%", a * 100, precision);
  default:
    return fmt::format("{:.{}f}", a, precision);
  }
}

void appendPadded(Context &c, Text &out, const Text &body, int64_t width, char align, std::string_view fill) {
  c.stepCharacters(body.size());
  const int64_t room = width - static_cast<int64_t>(countCodePoints(body.str()));
  const int64_t left = room <= 0 || align == '<' ? 0 : align == '^' ? room / 2 : room;
  for (int64_t i = 0; i < left; ++i)
    out.append(fill, false);
  out.append(body);
  for (int64_t i = left; i < room; ++i)
    out.append(fill, false);
  c.checkSize(out.size());
}

void appendNumber(Context &c, Text &out, const Value &v, char type, const Field &f) {
  bool negative = false;
  std::string digits = formatMagnitude(c, v, type, f, negative);
  const std::string sign = negative ? "-" : f.plus ? "+" : f.space ? " " : "";
  const int64_t room = f.width - static_cast<int64_t>(sign.size() + digits.size());
  if (f.zero && !f.left && room > 0)
    digits.insert(0, static_cast<size_t>(room), '0');
  appendPadded(c, out, Text(sign + digits, false), f.width, f.left ? '<' : '>', " ");
}

Text truncated(const Text &text, int64_t precision) {
  size_t pos = 0;
  for (int64_t i = 0; i < precision && pos < text.size(); ++i)
    pos += decodeUtf8(text.str(), pos).length;
  return precision < 0 ? text : text.slice(0, pos);
}

} // namespace

Text percentFormat(Context &c, const Text &format, const Value &arguments) {
  const std::string &s = format.str();
  const bool isTuple = arguments.is(Kind::List) && arguments.list().kind == ListKind::Tuple;
  size_t used = 0;
  const size_t available = isTuple ? arguments.list().items.size() : 1;
  auto nextArgument = [&]() -> Value {
    if (used >= available)
      c.fail("not enough arguments for the format string");
    ++used;
    return isTuple ? arguments.list().items[used - 1] : arguments;
  };
  Text out;
  bool named = false;
  size_t pos = 0;
  while (true) {
    const size_t mark = std::min(s.find('%', pos), s.size());
    out.appendSlice(format, pos, mark);
    if (mark == s.size())
      break;
    pos = mark + 1;
    Value value;
    bool hasValue = false;
    if (pos < s.size() && s[pos] == '(') {
      const size_t close = s.find(')', pos);
      if (close == std::string::npos)
        c.fail("format key is not closed with ')'");
      if (!arguments.is(Kind::Dict))
        c.fail("the format needs a mapping");
      const Value *found = arguments.dict().findString(s.substr(pos + 1, close - pos - 1));
      if (!found)
        c.fail("the format names a missing key '" + s.substr(pos + 1, close - pos - 1) + "'");
      value = *found;
      hasValue = named = true;
      pos = close + 1;
    }
    Field f;
    for (; pos < s.size() && std::string_view("-+ 0#").find(s[pos]) != std::string_view::npos; ++pos)
      (s[pos] == '-'   ? f.left
       : s[pos] == '+' ? f.plus
       : s[pos] == ' ' ? f.space
       : s[pos] == '0' ? f.zero
                       : f.alternate) = true;
    f.width = parseDigits(c, s, pos);
    if (pos < s.size() && s[pos] == '.')
      f.precision = parseDigits(c, s, ++pos);
    if (pos >= s.size())
      c.fail("incomplete format");
    const char type = s[pos++];
    if (type == '%') {
      out.append("%", format.inputAt(pos - 1));
      continue;
    }
    if (!hasValue)
      value = nextArgument();
    const char align = f.left ? '<' : '>';
    if (type == 's' || type == 'r' || type == 'a')
      appendPadded(c, out, truncated(type == 's' ? toText(c, value) : repr(c, value), f.precision), f.width,
                   align, " ");
    else if (type == 'c' && value.isString() && countCodePoints(value.str()) == 1)
      appendPadded(c, out, value.text(), f.width, align, " ");
    else if (std::string_view("diuxXoeEfFgG").find(type) != std::string_view::npos)
      appendNumber(c, out, value, type == 'u' ? 'd' : type == 'F' ? 'f' : type, f);
    else
      c.fail(std::string("unsupported format character '") + type + "'");
    c.step();
  }
  if (!named && isTuple && used < available)
    c.fail("not all arguments were converted by the format string");
  if (!named && !isTuple && !arguments.is(Kind::Dict) && !arguments.is(Kind::List) && used < available)
    c.fail("not all arguments were converted by the format string");
  return out;
}

namespace {

/// The value that "0.name[key]" stands for.
Value fieldValue(Context &c, const std::string &name, Args &args, size_t &automatic) {
  const size_t rootEnd = std::min(name.find_first_of(".["), name.size());
  const std::string root = name.substr(0, rootEnd);
  Value value;
  if (root.empty() || root.find_first_not_of("0123456789") == std::string::npos) {
    const size_t index = root.empty() ? automatic++ : root.size() > 6 ? SIZE_MAX : std::stoul(root);
    if (index >= args.positional.size())
      c.fail("format argument " + (root.empty() ? std::to_string(index) : root) + " is missing");
    value = args.positional[index];
  } else {
    const auto given = std::find_if(args.keywords.begin(), args.keywords.end(),
                                    [&](const auto &keyword) { return keyword.first == root; });
    if (given == args.keywords.end())
      c.fail("format argument '" + root + "' is missing");
    value = given->second;
  }
  for (size_t pos = rootEnd; pos < name.size();) {
    const bool item = name[pos] == '[';
    const size_t end = item ? name.find(']', pos) : std::min(name.find_first_of(".[", pos + 1), name.size());
    if (end == std::string::npos)
      c.fail("format field is not closed with ']'");
    const std::string part = name.substr(pos + 1, end - pos - 1);
    const bool digits = item && !part.empty() && part.size() < 18 &&
                        part.find_first_not_of("0123456789") == std::string::npos;
    value = item ? getItem(c, value,
                           digits ? Value::integer(std::stoll(part)) : Value::constant(Text(part, false)))
                 : getAttribute(c, value, part);
    pos = end + item;
  }
  return value;
}

/// What stands after the colon of a brace field.
struct BraceSpec {
  std::string fill = " ";
  char align = 0, type = 0; // 0: not given
  bool comma = false;
  Field field;
};

/// [[fill]align][sign][#][0][width][,][.precision][type]
BraceSpec parseSpec(Context &c, const std::string &spec) {
  BraceSpec out;
  size_t pos = 0;
  const size_t first = spec.empty() ? 0 : decodeUtf8(spec, 0).length;
  auto isAlign = [&](size_t i) {
    return i < spec.size() && std::string_view("<>^").find(spec[i]) != std::string_view::npos;
  };
  if (isAlign(first)) {
    out.fill = spec.substr(0, first);
    out.align = spec[first];
    pos = first + 1;
  } else if (isAlign(0)) {
    out.align = spec[pos++];
  }
  Field &f = out.field;
  for (; pos < spec.size() && std::string_view("+- #0").find(spec[pos]) != std::string_view::npos; ++pos)
    (spec[pos] == '+'   ? f.plus
     : spec[pos] == ' ' ? f.space
     : spec[pos] == '#' ? f.alternate
     : spec[pos] == '0' ? f.zero
                        : f.left) = true;
  f.left = false;
  f.width = parseDigits(c, spec, pos);
  out.comma = pos < spec.size() && spec[pos] == ',';
  pos += out.comma;
  if (pos < spec.size() && spec[pos] == '.')
    f.precision = parseDigits(c, spec, ++pos);
  out.type = pos < spec.size() ? spec[pos++] : 0;
  if (pos < spec.size() ||
      (out.type && std::string_view("sdxXobeEfFgG%").find(out.type) == std::string_view::npos))
    c.fail("unsupported format '" + spec + "'");
  return out;
}

/// "1234567.8" => "1,234,567.8".
Text withCommas(const Text &number) {
  std::string digits = number.str();
  size_t end = std::min(digits.find_first_of(".e"), digits.size());
  const size_t begin = digits.find_first_of("0123456789");
  for (; end > begin + 3; digits.insert(end, ","))
    end -= 3;
  return Text(digits, false);
}

/// One "{…}" of a brace format: name, conversion, spec.
void appendBraceField(Context &c, Text &out, const std::string &field, Args &args, size_t &automatic) {
  const size_t colon = field.find(':');
  std::string name = field.substr(0, colon);
  const std::string given = colon == std::string::npos ? "" : field.substr(colon + 1);
  char conversion = 0;
  if (const size_t bang = name.find('!'); bang != std::string::npos) {
    conversion = bang + 1 < name.size() ? name[bang + 1] : '?';
    name.resize(bang);
    if (conversion != 's' && conversion != 'r')
      c.fail("unknown conversion in a format string");
  }
  Value value = fieldValue(c, name, args, automatic);
  if (conversion)
    value = c.string(conversion == 'r' ? repr(c, value) : toText(c, value));
  const BraceSpec spec = parseSpec(c, given);
  const Field &f = spec.field;
  Text body;
  const bool numeric = value.isNumber() && spec.type != 's' && !(value.is(Kind::Bool) && given.empty());
  if (numeric && (spec.type || f.plus || f.space || f.zero || spec.comma || f.precision >= 0)) {
    Field plain = f;
    plain.width = f.zero && !spec.align ? f.width : 0;
    appendNumber(c, body, value,
                 spec.type               ? (spec.type == 'F' ? 'f' : spec.type)
                 : value.is(Kind::Float) ? 'g'
                                         : 'd',
                 plain);
    if (spec.comma)
      body = withCommas(body);
  } else {
    if (spec.type && spec.type != 's')
      c.fail(std::string("format '") + spec.type + "' expects a number, found " + typeName(value));
    body = truncated(toText(c, value), f.precision);
  }
  appendPadded(c, out, body, f.width, spec.align ? spec.align : value.isNumber() ? '>' : '<', spec.fill);
}

} // namespace

Text braceFormat(Context &c, const Text &format, Args &args) {
  const std::string &s = format.str();
  Text out;
  size_t automatic = 0;
  for (size_t pos = 0; pos < s.size();) {
    const size_t mark = std::min(s.find_first_of("{}", pos), s.size());
    out.appendSlice(format, pos, mark);
    if (mark == s.size())
      break;
    if (mark + 1 < s.size() && s[mark + 1] == s[mark]) {
      out.appendSlice(format, mark, mark + 1);
      pos = mark + 2;
      continue;
    }
    const size_t close = s[mark] == '{' ? s.find('}', mark) : std::string::npos;
    if (close == std::string::npos)
      c.fail(std::string("single '") + s[mark] + "' in a format string");
    const std::string field = s.substr(mark + 1, close - mark - 1);
    if (field.find('{') != std::string::npos)
      c.fail("nested format fields are not supported");
    appendBraceField(c, out, field, args, automatic);
    c.step();
    pos = close + 1;
  }
  return out;
}

} // namespace llmc::jinja
