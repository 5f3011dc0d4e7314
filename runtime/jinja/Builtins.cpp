// Argument binding, tests and global functions.
#include "Builtins.h"

#include "Operators.h"

#include <algorithm>
#include <ctime>
#include <limits>
#include <utf8proc.h>

namespace llmc::jinja {

Bound::Bound(Context &c, std::string_view function, Args &args, std::initializer_list<std::string_view> names)
    : context(c), function(function), names(names), values(names.size()) {
  if (args.positional.size() > names.size())
    c.fail("'" + this->function + "' takes at most " + std::to_string(names.size()) + " arguments, found " +
           std::to_string(args.positional.size()));
  for (size_t i = 0; i < args.positional.size(); ++i)
    values[i] = &args.positional[i];
  for (auto &[key, value] : args.keywords) {
    const auto it = std::find(names.begin(), names.end(), key);
    if (it == names.end())
      c.fail("'" + this->function + "' has no parameter '" + key + "'");
    const Value *&slot = values[it - names.begin()];
    if (slot)
      c.fail("'" + this->function + "' got two values for '" + key + "'");
    slot = &value;
  }
}

const Value &Bound::required(size_t i) const {
  if (!values[i])
    context.fail("'" + function + "' needs the argument '" + std::string(names[i]) + "'");
  return *values[i];
}

int64_t Bound::integer(size_t i, int64_t fallback) const {
  if (!values[i] || values[i]->is(Kind::None))
    return fallback;
  if (!values[i]->isIntegral())
    context.fail("'" + function + "' expects an integer for '" + std::string(names[i]) + "', found " +
                 typeName(*values[i]));
  using L = std::numeric_limits<int64_t>;
  return static_cast<int64_t>(std::clamp<Int>(values[i]->asInt(), L::min(), L::max()));
}

const Text *Bound::text(size_t i) const {
  if (!values[i] || values[i]->is(Kind::None))
    return nullptr;
  if (!values[i]->isString())
    context.fail("'" + function + "' expects a string for '" + std::string(names[i]) + "', found " +
                 typeName(*values[i]));
  return &values[i]->text();
}

// --- tests ---

namespace {

const Value &only(Context &c, Args &args) {
  if (args.positional.size() != 1)
    c.fail("the test needs one argument");
  return args.positional[0];
}

Int integerOf(Context &c, const Value &v) {
  if (!v.isIntegral())
    c.fail(v.isUndefined() ? v.undefinedMessage() : std::string("expected an integer, found ") + typeName(v));
  return v.asInt();
}

bool hasCase(Context &c, const Value &v, bool upper) {
  const Text text = toText(c, v);
  c.stepCharacters(text.size());
  bool cased = false;
  for (size_t pos = 0; pos < text.size();) {
    const CodePoint cp = decodeUtf8(text.str(), pos);
    const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(cp.value));
    if (category == (upper ? UTF8PROC_CATEGORY_LL : UTF8PROC_CATEGORY_LU) || category == UTF8PROC_CATEGORY_LT)
      return false;
    cased |= category == (upper ? UTF8PROC_CATEGORY_LU : UTF8PROC_CATEGORY_LL);
    pos += cp.length;
  }
  return cased;
}

template <Op op> bool comparison(Context &c, const Value &v, Args &a) {
  return compare(c, op, v, only(c, a));
}

bool isSame(Context &c, const Value &a, const Value &b) {
  c.stepBytes(a.isString() ? a.text().size() : 0);
  return a.identical(b);
}

bool isRepeatable(const Value &v) {
  return v.isUndefined() || v.isString() || v.is(Kind::Dict) ||
         (v.is(Kind::List) && v.list().kind != ListKind::Generator);
}

using T = std::pair<std::string_view, TestFunction>;
#define TEST(name, expression)                                                                               \
  T {                                                                                                        \
    name, [](Context &c, const Value &v, Args &a) -> bool {                                                  \
      (void)c, (void)v, (void)a;                                                                             \
      return expression;                                                                                     \
    }                                                                                                        \
  }
const T tests[] = {
    TEST("defined", !v.isUndefined()),
    TEST("undefined", v.isUndefined()),
    TEST("none", v.is(Kind::None)),
    TEST("boolean", v.is(Kind::Bool)),
    TEST("true", v.is(Kind::Bool) && v.asBool()),
    TEST("false", v.is(Kind::Bool) && !v.asBool()),
    TEST("integer", v.is(Kind::Int)),
    TEST("float", v.is(Kind::Float)),
    TEST("number", v.isNumber()),
    TEST("string", v.isString()),
    TEST("mapping", v.is(Kind::Dict)),
    TEST("iterable", isRepeatable(v) || v.is(Kind::List) || v.is(Kind::Loop)),
    TEST("sequence", isRepeatable(v)),
    TEST("callable", v.is(Kind::Callable)),
    TEST("sameas", isSame(c, v, only(c, a))),
    TEST("escaped", false),
    TEST("filter", v.isString() && findFilter(v.str())),
    TEST("test", v.isString() && findTest(v.str())),
    TEST("odd", (integerOf(c, v) & 1) != 0),
    TEST("even", (integerOf(c, v) & 1) == 0),
    TEST("lower", hasCase(c, v, false)),
    TEST("upper", hasCase(c, v, true)),
    TEST("in", contains(c, only(c, a), v)),
    {"divisibleby",
     [](Context &c, const Value &v, Args &a) {
       const Int divisor = integerOf(c, only(c, a));
       if (divisor == 0)
         c.fail("division by zero");
       return divisor == -1 || integerOf(c, v) % divisor == 0;
     }},
    {"eq", comparison<Op::Eq>},
    {"equalto", comparison<Op::Eq>},
    {"==", comparison<Op::Eq>},
    {"ne", comparison<Op::Ne>},
    {"!=", comparison<Op::Ne>},
    {"lt", comparison<Op::Lt>},
    {"lessthan", comparison<Op::Lt>},
    {"<", comparison<Op::Lt>},
    {"le", comparison<Op::Le>},
    {"<=", comparison<Op::Le>},
    {"gt", comparison<Op::Gt>},
    {"greaterthan", comparison<Op::Gt>},
    {">", comparison<Op::Gt>},
    {"ge", comparison<Op::Ge>},
    {">=", comparison<Op::Ge>},
};
#undef TEST

} // namespace

TestFunction findTest(std::string_view name) {
  for (const auto &[key, function] : tests)
    if (key == name)
      return function;
  return nullptr;
}

FilterFunction findFilter(std::string_view name) {
  if (const FilterFunction f = findTextFilter(name))
    return f;
  return findSequenceFilter(name);
}

// --- globals ---

namespace {

Value makeRange(Context &c, Args &args) {
  const size_t n = args.positional.size();
  if (n < 1 || n > 3 || !args.keywords.empty())
    c.fail("'range' takes 1 to 3 arguments");
  const Int start = n == 1 ? 0 : integerOf(c, args.positional[0]);
  const Int stop = integerOf(c, args.positional[n == 1 ? 0 : 1]);
  const Int step = n == 3 ? integerOf(c, args.positional[2]) : 1;
  constexpr Int bound = Int(1) << 100, maxItems = 100000;
  if (step == 0)
    c.fail("'range' step must not be zero");
  if (start > bound || start < -bound || stop > bound || stop < -bound || step > bound || step < -bound)
    c.fail("'range' arguments are too large");
  const Int span = step > 0 ? stop - start : start - stop, stride = step > 0 ? step : -step;
  const Int count = span <= 0 ? 0 : (span + stride - 1) / stride;
  if (count > maxItems)
    c.fail("'range' is too long: at most " + formatInt(maxItems) + " items");
  std::vector<Value> items;
  for (Int i = 0; i < count; ++i)
    items.push_back(Value::integer(start + i * step));
  Value result = c.list(std::move(items), ListKind::Range);
  result.list().start = start;
  result.list().stop = stop;
  result.list().step = step;
  return result;
}

Value makeDict(Context &c, Args &args) {
  if (args.positional.size() > 1)
    c.fail("'dict' takes at most one positional argument");
  Value result = c.dict();
  if (!args.positional.empty()) {
    const Value &source = args.positional[0];
    if (source.is(Kind::Dict)) {
      for (auto &[key, value] : source.dict().entries)
        c.set(result.dict(), key, value);
    } else {
      for (const Value &pair : iterate(c, source)) {
        const std::vector<Value> items = iterate(c, pair);
        if (items.size() != 2)
          c.fail("'dict' needs pairs of key and value");
        c.set(result.dict(), items[0], items[1]);
      }
    }
  }
  for (auto &[key, value] : args.keywords)
    c.set(result.dict(), c.string(key), value);
  return result;
}

Value makeNamespace(Context &c, Args &args) {
  const Value attributes = makeDict(c, args);
  Value result = c.nameSpace();
  for (auto &[key, value] : attributes.dict().entries)
    if (key.isString())
      result.ns().attributes.emplace_back(key.str(), value);
  return result;
}

Value formatTime(Context &c, Args &args, std::time_t now) {
  Bound bound(c, "strftime_now", args, {"format"});
  bound.required(0);
  const Text *format = bound.text(0);
  if (!format || format->size() > 1000)
    c.fail("'strftime_now' needs a format of at most 1000 bytes");
  std::tm local{};
  localtime_r(&now, &local);
  // A leading mark tells an empty result from a full buffer.
  const std::string marked = "x" + format->str();
  std::string buffer(16384, '\0');
  const size_t n = std::strftime(buffer.data(), buffer.size(), marked.c_str(), &local);
  return c.string(n > 1 ? std::string_view(buffer).substr(1, n - 1) : std::string_view());
}

} // namespace

void addGlobals(Context &c, Variables &variables, std::time_t now) {
  auto add = [&](const char *name, Function f) {
    variables.emplace_back(name, c.function(name, std::move(f)));
  };
  add("range", makeRange);
  add("dict", makeDict);
  add("namespace", makeNamespace);
  add("raise_exception", [](Context &c, Args &args) -> Value {
    Bound bound(c, "raise_exception", args, {"message"});
    c.fail("the template refuses this input: " + toText(c, bound.required(0)).str());
  });
  add("strftime_now",
      [now](Context &c, Args &args) { return formatTime(c, args, now ? now : std::time(nullptr)); });
}

} // namespace llmc::jinja
