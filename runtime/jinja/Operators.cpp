// Arithmetic, comparison, attribute and item access after Python's and Jinja's rules.
#include "Operators.h"

#include "Builtins.h"

#include <algorithm>
#include <cmath>

namespace llmc::jinja {
namespace {

const char *spelling(Op op) {
  static const char *const names[] = {
      "+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", "<=", ">", ">=", "in", "not in"};
  return names[static_cast<int>(op)];
}

[[noreturn]] void tooLarge(Context &c) { c.fail("integer result is too large"); }

Int floorDivide(Context &c, Int a, Int b, bool wantRemainder) {
  if (b == 0)
    c.fail("division by zero");
  if (b == -1) {
    Int negated;
    if (__builtin_sub_overflow(Int(0), a, &negated))
      tooLarge(c);
    return wantRemainder ? 0 : negated;
  }
  const Int quotient = a / b, remainder = a % b;
  const bool adjust = remainder != 0 && (remainder < 0) != (b < 0);
  return wantRemainder ? (adjust ? remainder + b : remainder) : (adjust ? quotient - 1 : quotient);
}

Value integerPower(Context &c, Int base, Int exponent) {
  if (exponent < 0) {
    if (base == 0)
      c.fail("0 cannot be raised to a negative power");
    return Value::number(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  }
  Int result = 1;
  while (exponent) {
    if ((exponent & 1) && __builtin_mul_overflow(result, base, &result))
      tooLarge(c);
    exponent >>= 1;
    if (exponent && __builtin_mul_overflow(base, base, &base))
      tooLarge(c);
  }
  return Value::integer(result);
}

Value integerArithmetic(Context &c, Op op, Int a, Int b) {
  Int r = 0;
  bool overflow = false;
  switch (op) {
  case Op::Add:
    overflow = __builtin_add_overflow(a, b, &r);
    break;
  case Op::Sub:
    overflow = __builtin_sub_overflow(a, b, &r);
    break;
  case Op::Mul:
    overflow = __builtin_mul_overflow(a, b, &r);
    break;
  case Op::Div:
    if (b == 0)
      c.fail("division by zero");
    return Value::number(static_cast<double>(a) / static_cast<double>(b));
  case Op::FloorDiv:
    r = floorDivide(c, a, b, false);
    break;
  case Op::Mod:
    r = floorDivide(c, a, b, true);
    break;
  default:
    return integerPower(c, a, b);
  }
  if (overflow)
    tooLarge(c);
  return Value::integer(r);
}

Value floatArithmetic(Context &c, Op op, double a, double b) {
  if ((op == Op::Div || op == Op::FloorDiv || op == Op::Mod) && b == 0)
    c.fail("division by zero");
  switch (op) {
  case Op::Add:
    return Value::number(a + b);
  case Op::Sub:
    return Value::number(a - b);
  case Op::Mul:
    return Value::number(a * b);
  case Op::Div:
    return Value::number(a / b);
  case Op::FloorDiv:
    return Value::number(std::floor(a / b));
  case Op::Mod: {
    double r = std::fmod(a, b);
    if (r != 0 && (r < 0) != (b < 0))
      r += b;
    return Value::number(r == 0 ? std::copysign(0.0, b) : r);
  }
  default:
    if (a < 0 && b != std::floor(b))
      c.fail("a negative number cannot be raised to a fractional power");
    if (a == 0 && b < 0)
      c.fail("0 cannot be raised to a negative power");
    return Value::number(std::pow(a, b));
  }
}

Value repeat(Context &c, const Value &v, Int count) {
  if (count < 0)
    count = 0;
  const size_t unit = v.isString() ? v.text().size() : v.list().items.size() * sizeof(Value);
  if (unit == 0 || count == 0)
    return v.isString() ? c.string("") : c.list({}, v.list().kind);
  if (count > Int(c.limits.maxMemoryBytes / unit))
    c.fail("a repeated value grows beyond " + std::to_string(c.limits.maxMemoryBytes) + " bytes");
  c.step(static_cast<size_t>(count));
  if (v.isString()) {
    Text out;
    for (Int i = 0; i < count; ++i)
      out.append(v.text());
    return c.string(std::move(out));
  }
  std::vector<Value> items;
  for (Int i = 0; i < count; ++i)
    items.insert(items.end(), v.list().items.begin(), v.list().items.end());
  return c.list(std::move(items), v.list().kind);
}

bool isPlainList(const Value &v) { return v.is(Kind::List) && v.list().kind <= ListKind::Tuple; }

std::string objectName(const Value &v) {
  return v.is(Kind::None) ? "None" : std::string(typeName(v)) + " object";
}

Value missing(Context &c, const Value &object, const Value &key) {
  c.stepBytes(key.isString() ? key.text().size() : 0);
  if (key.isString())
    return Value::undefined("'" + objectName(object) + "' has no attribute '" + key.str() + "'");
  return Value::undefined(objectName(object) + " has no element " + repr(c, key).str());
}

bool loopAttribute(Context &c, const Value &self, std::string_view name, Value &out) {
  LoopState &loop = self.loop();
  const size_t size = loop.items.size(), index = loop.index;
  const auto integer = [&](size_t n) {
    out = Value::integer(Int(n));
    return true;
  };
  if (name == "index0")
    return integer(index);
  if (name == "index")
    return integer(index + 1);
  if (name == "length")
    return integer(size);
  if (name == "revindex")
    return integer(size > index ? size - index : 0);
  if (name == "revindex0")
    return integer(size > index + 1 ? size - index - 1 : 0);
  if (name == "depth0")
    return integer(loop.depth0);
  if (name == "depth")
    return integer(loop.depth0 + 1);
  if (name == "first" || name == "last") {
    out = Value::boolean(name == "first" ? index == 0 : index + 1 >= size);
    return true;
  }
  if (name == "previtem") {
    out = index > 0 && index <= size ? loop.items[index - 1] : Value::undefined("there is no previous item");
    return true;
  }
  if (name == "nextitem") {
    out = index + 1 < size ? loop.items[index + 1] : Value::undefined("there is no next item");
    return true;
  }
  if (name == "cycle") {
    out = c.function("cycle", [self](Context &c, Args &args) {
      if (args.positional.empty())
        c.fail("'cycle' needs values");
      return args.positional[self.loop().index % args.positional.size()];
    });
    return true;
  }
  if (name == "changed") {
    out = c.function("changed", [self](Context &c, Args &args) {
      LoopState &loop = self.loop();
      bool same = loop.hasLast && loop.lastChanged.size() == args.positional.size();
      for (size_t i = 0; same && i < args.positional.size(); ++i)
        same = equal(c, loop.lastChanged[i], args.positional[i]);
      loop.hasLast = true;
      loop.lastChanged = args.positional;
      return Value::boolean(!same);
    });
    return true;
  }
  return false;
}

/// Attributes of the object itself, not items of a dict.
bool ownAttribute(Context &c, const Value &object, std::string_view name, Value &out) {
  switch (object.kind()) {
  case Kind::Namespace:
    if (Value *v = object.ns().find(name)) {
      out = *v;
      return true;
    }
    return false;
  case Kind::Loop:
    return loopAttribute(c, object, name, out);
  case Kind::Callable:
    if (name != "name")
      return false;
    out = c.string(object.callable().name);
    return true;
  default:
    return findMethod(c, object, name, out);
  }
}

} // namespace

Value arithmetic(Context &c, Op op, const Value &a, const Value &b) {
  if (a.isUndefined() || b.isUndefined())
    c.fail((a.isUndefined() ? a : b).undefinedMessage());
  if (a.isIntegral() && b.isIntegral())
    return integerArithmetic(c, op, a.asInt(), b.asInt());
  if (a.isNumber() && b.isNumber())
    return floatArithmetic(c, op, a.asDouble(), b.asDouble());
  if (op == Op::Add && a.isString() && b.isString()) {
    const bool markup = a.isMarkup() || b.isMarkup();
    c.checkSize(a.text().size() + b.text().size());
    Text out = markup && !a.isMarkup() ? escaped(c, a.text()) : a.text();
    out.append(markup && !b.isMarkup() ? escaped(c, b.text()) : b.text());
    const Value sum = c.string(std::move(out));
    return markup ? sum.asMarkup() : sum;
  }
  if (op == Op::Add && isPlainList(a) && isPlainList(b) && a.list().kind == b.list().kind) {
    std::vector<Value> items = a.list().items;
    items.insert(items.end(), b.list().items.begin(), b.list().items.end());
    return c.list(std::move(items), a.list().kind);
  }
  if (op == Op::Mul && (a.isString() || isPlainList(a)) && b.isIntegral())
    return repeat(c, a, b.asInt());
  if (op == Op::Mul && (b.isString() || isPlainList(b)) && a.isIntegral())
    return repeat(c, b, a.asInt());
  if (op == Op::Mod && a.isString())
    return c.string(percentFormat(c, a.text(), b));
  c.fail(std::string("unsupported operands for '") + spelling(op) + "': '" + typeName(a) + "' and '" +
         typeName(b) + "'");
}

Value negate(Context &c, const Value &v) {
  if (v.isUndefined())
    c.fail(v.undefinedMessage());
  if (v.is(Kind::Float))
    return Value::number(-v.asDouble());
  if (!v.isIntegral())
    c.fail(std::string("unsupported operand for unary '-': '") + typeName(v) + "'");
  return integerArithmetic(c, Op::Sub, 0, v.asInt());
}

bool compare(Context &c, Op op, const Value &a, const Value &b) {
  switch (op) {
  case Op::Eq:
    return equal(c, a, b);
  case Op::Ne:
    return !equal(c, a, b);
  case Op::Lt:
    return lessThan(c, a, b, "<");
  case Op::Gt:
    return lessThan(c, b, a, ">");
  // Not the negation: NaN is neither below nor above.
  case Op::Le:
    return lessThan(c, a, b, "<=") || equal(c, a, b);
  case Op::Ge:
    return lessThan(c, b, a, ">=") || equal(c, a, b);
  case Op::In:
    return contains(c, b, a);
  default:
    return !contains(c, b, a);
  }
}

bool contains(Context &c, const Value &container, const Value &item) {
  switch (container.kind()) {
  case Kind::String:
    if (!item.isString())
      c.fail(std::string("'in <string>' requires a string on the left, not '") + typeName(item) + "'");
    return findText(c, container.str(), item.str()) != std::string::npos;
  case Kind::Dict:
    return c.find(container.dict(), item) != nullptr;
  default:
    for (const Value &v : iterate(c, container))
      if (equal(c, v, item))
        return true;
    return false;
  }
}

Value slice(Context &c, const Value &object, const Value *start, const Value *stop, const Value *step) {
  if (object.isUndefined())
    c.fail(object.undefinedMessage());
  auto bound = [&](const Value *v, bool &given) -> Int {
    given = v && !v->is(Kind::None);
    if (given && !v->isIntegral())
      c.fail(std::string("slice indices must be integers or None, not '") + typeName(*v) + "'");
    return given ? v->asInt() : 0;
  };
  const bool sliceable =
      object.isString() || (object.is(Kind::List) && object.list().kind != ListKind::Generator);
  if (!sliceable)
    c.fail(std::string("'") + typeName(object) + "' object cannot be sliced");
  bool hasStart, hasStop, hasStep;
  Int from = bound(start, hasStart), to = bound(stop, hasStop), by = bound(step, hasStep);
  if (!hasStep)
    by = 1;
  if (by == 0)
    c.fail("slice step cannot be zero");
  // Offsets of the characters of a string; ASCII needs none.
  const std::string *s = object.isString() ? &object.str() : nullptr;
  std::vector<size_t> offsets;
  if (s) {
    c.step(s->size() / 16);
    if (std::any_of(s->begin(), s->end(), [](char ch) { return ch & 0x80; })) {
      c.stepCharacters(s->size());
      if (s->size() > c.limits.maxMemoryBytes / sizeof(size_t))
        c.fail("a string of " + std::to_string(s->size()) + " bytes is too long to slice");
      for (size_t pos = 0; pos < s->size(); pos += decodeUtf8(*s, pos).length)
        offsets.push_back(pos);
      offsets.push_back(s->size());
    }
  }
  const Int size = !s ? object.list().items.size() : offsets.empty() ? s->size() : offsets.size() - 1;
  const Int low = by > 0 ? 0 : -1, high = by > 0 ? size : size - 1;
  auto clamp = [&](Int i) {
    return std::clamp<Int>(i < 0 && i >= -size ? i + size : i, low, std::max(low, high));
  };
  from = hasStart ? clamp(from) : (by > 0 ? 0 : size - 1);
  to = hasStop ? clamp(to) : (by > 0 ? size : -1);
  auto offset = [&](Int i) {
    return offsets.empty() ? static_cast<size_t>(i) : offsets[static_cast<size_t>(i)];
  };
  if (s && by == 1)
    return c.string(from < to ? object.text().slice(offset(from), offset(to)) : Text());
  Text text;
  std::vector<Value> items;
  for (Int i = from; by > 0 ? i < to : i > to; i += by) {
    if (s)
      text.appendSlice(object.text(), offset(i), offset(i + 1));
    else
      items.push_back(object.list().items[static_cast<size_t>(i)]);
    if (by > size || by < -size)
      break; // the next index is outside and i + by might overflow
  }
  if (s)
    return c.string(std::move(text));
  const bool isTuple = object.list().kind == ListKind::Tuple;
  return c.list(std::move(items), isTuple ? ListKind::Tuple : ListKind::List);
}

Value getAttribute(Context &c, const Value &object, std::string_view name) {
  if (object.isUndefined())
    c.fail(object.undefinedMessage());
  Value out;
  if (ownAttribute(c, object, name, out))
    return out;
  if (object.is(Kind::Dict))
    if (Value *v = object.dict().findString(name))
      return *v;
  return missing(c, object, Value::constant(Text(name, false)));
}

Value getItem(Context &c, const Value &object, const Value &key) {
  if (object.isUndefined())
    c.fail(object.undefinedMessage());
  if (object.is(Kind::Dict)) {
    const bool hashable = !key.is(Kind::Dict) && !(key.is(Kind::List) && key.list().kind == ListKind::List);
    if (Value *v = hashable ? c.find(object.dict(), key) : nullptr)
      return *v;
  } else if (key.isIntegral() && object.is(Kind::List) && object.list().kind != ListKind::Generator) {
    const std::vector<Value> &items = object.list().items;
    const Int size = items.size(), i = key.asInt() < 0 ? key.asInt() + size : key.asInt();
    if (i >= 0 && i < size)
      return items[static_cast<size_t>(i)];
  } else if (key.isIntegral() && object.isString()) {
    const Int size = length(c, object), i = key.asInt() < 0 ? key.asInt() + size : key.asInt();
    if (i >= 0 && i < size) {
      const Value start = Value::integer(i), stop = Value::integer(i + 1);
      return slice(c, object, &start, &stop, nullptr);
    }
  }
  Value out;
  if (key.isString() && ownAttribute(c, object, key.str(), out))
    return out;
  return missing(c, object, key);
}

Value callValue(Context &c, const Value &callee, Args &args) {
  if (callee.isUndefined())
    c.fail(callee.undefinedMessage());
  if (callee.is(Kind::Loop) && callee.loop().recurse) {
    // A copy: the loop may end, and with it the function, while it runs.
    const Function recurse = callee.loop().recurse;
    return recurse(c, args);
  }
  if (!callee.is(Kind::Callable) || !callee.callable().call)
    c.fail(std::string("'") + typeName(callee) + "' object is not callable");
  return callee.callable().call(c, args);
}

} // namespace llmc::jinja
