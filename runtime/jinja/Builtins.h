// What templates find ready-made: filters, tests, methods of the value types, global functions.
#pragma once

#include "Value.h"

#include <ctime>
#include <initializer_list>
#include <string_view>

namespace llmc::jinja {

using FilterFunction = Value (*)(Context &, const Value &subject, Args &);
using TestFunction = bool (*)(Context &, const Value &subject, Args &);
/// Null when there is none of that name.
FilterFunction findFilter(std::string_view name);
TestFunction findTest(std::string_view name);
/// Two tables, so that each file stays about one idea.
FilterFunction findSequenceFilter(std::string_view name);
FilterFunction findTextFilter(std::string_view name);

/// A bound method of a str, list or dict; false when the type has none of that name.
bool findMethod(Context &, const Value &self, std::string_view name, Value &out);

/// range, namespace, dict, raise_exception, strftime_now. `now` 0 means the clock.
using Variables = std::vector<std::pair<std::string, Value>>;
void addGlobals(Context &, Variables &, std::time_t now);

/// Binds arguments to parameter names and reports what does not fit.
class Bound {
public:
  Bound(Context &c, std::string_view function, Args &args, std::initializer_list<std::string_view> names);
  const Value *operator[](size_t i) const { return values[i]; }
  const Value &required(size_t i) const;
  bool flag(size_t i, bool fallback) const { return values[i] ? truth(*values[i]) : fallback; }
  /// None counts as not given; clamped to what fits an int64.
  int64_t integer(size_t i, int64_t fallback) const;
  /// A str argument; null when missing or None.
  const Text *text(size_t i) const;

private:
  Context &context;
  std::string function;
  std::vector<std::string_view> names;
  std::vector<const Value *> values;
};

// Pieces shared between the builtin files.
Value getAttribute(Context &, const Value &object, std::string_view name);
Value getItem(Context &, const Value &object, const Value &key);
bool contains(Context &, const Value &container, const Value &item);
Value callValue(Context &, const Value &callee, Args &args);
/// Offset of the first occurrence at or after `from`, and of the last one; npos when there is none. Both are
/// linear and charge what they read.
size_t findText(Context &, std::string_view hay, std::string_view needle, size_t from = 0);
size_t findLastText(Context &, std::string_view hay, std::string_view needle);
Text stripText(Context &, const Text &, bool left, bool right, const Text *chars = nullptr);
Text replaceText(Context &, const Text &subject, const Text &from, const Text &to, int64_t count);
/// With HTML's five special characters replaced.
Text escaped(Context &, const Text &);
Text upperCase(Context &, const Text &);
Text lowerCase(Context &, const Text &);
Text titleCase(Context &, const Text &);
Text capitalized(Context &, const Text &);
Text percentFormat(Context &, const Text &format, const Value &arguments);
Text braceFormat(Context &, const Text &format, Args &args);
std::vector<Value> splitLines(Context &, const Text &, bool keepEnds);
struct JsonStyle {
  bool ensureAscii = false, sortKeys = false, multiline = false;
  Text indent, itemSeparator{", ", false}, keySeparator{": ", false};
};
Text toJson(Context &, const Value &, const JsonStyle &);
bool parseInt(std::string_view s, int base, Int &out);
bool parseFloat(std::string_view s, double &out);
/// The items of a dict as a list of (key, value) tuples.
std::vector<Value> dictItems(Context &, Dict &);

} // namespace llmc::jinja
