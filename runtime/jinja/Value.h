// The value model of the template interpreter: Python's None, bool, int, float, str, list, tuple, dict, and
// the few objects a template can hold (namespace, loop, callables). Nothing else is reachable from a
// template.
#pragma once

#include "Text.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace llmc::jinja {

/// Thrown inside the interpreter only; the public interface turns it into a message.
struct TemplateError : std::runtime_error {
  TemplateError(const std::string &message, int line) : std::runtime_error(message), line(line) {}
  int line; // 0: not known yet, filled in by the evaluator
};

struct Limits {
  size_t maxTemplateBytes = size_t(1) << 20;
  size_t maxSteps = 50'000'000; // one per evaluated node, plus one per 64 bytes produced
  size_t maxOutputBytes = size_t(64) << 20;
  size_t maxMemoryBytes = size_t(256) << 20; // strings and containers alive at once
  int maxDepth = 500;                        // nested evaluations, macro calls included
};

enum class Kind : uint8_t {
  Undefined,
  None,
  Bool,
  Int,
  Float,
  String,
  List,
  Dict,
  Namespace,
  Callable,
  Loop
};

using Int = __int128; // JSON numbers up to uint64 stay exact
struct List;
struct Dict;
struct Namespace;
struct Callable;
struct LoopState;

class Value {
public:
  Value() = default; // undefined
  static Value none() { return Value(Kind::None); }
  static Value boolean(bool b);
  static Value integer(Int i);
  static Value number(double d);
  /// A string outside any memory limit: constants of the syntax tree.
  static Value constant(Text text);
  static Value undefined(std::string message);
  /// Strings and containers made by a Context.
  Value(Kind kind, std::shared_ptr<const void> object) : ref(std::move(object)), kind_(kind) {}

  Kind kind() const { return kind_; }
  bool is(Kind k) const { return kind_ == k; }
  bool isString() const { return kind_ == Kind::String; }
  bool isUndefined() const { return kind_ == Kind::Undefined; }
  /// A string that "safe" or "escape" made: adding plain text to it escapes that text, as Jinja2's Markup
  /// does.
  bool isMarkup() const { return markup; }
  Value asMarkup() const {
    Value v = *this;
    v.markup = true;
    return v;
  }
  bool isIntegral() const { return kind_ == Kind::Int || kind_ == Kind::Bool; }
  bool isNumber() const { return isIntegral() || kind_ == Kind::Float; }

  bool asBool() const { return u.b; }
  Int asInt() const { return kind_ == Kind::Bool ? Int(u.b) : u.i; }
  double asDouble() const { return kind_ == Kind::Float ? u.d : static_cast<double>(asInt()); }
  const Text &text() const { return *static_cast<const Text *>(ref.get()); }
  const std::string &str() const { return text().str(); }
  List &list() const { return *get<List>(); }
  Dict &dict() const { return *get<Dict>(); }
  Namespace &ns() const { return *get<Namespace>(); }
  Callable &callable() const { return *get<Callable>(); }
  LoopState &loop() const { return *get<LoopState>(); }
  /// Same object (containers) or same scalar; used by "is sameas".
  bool identical(const Value &other) const;
  std::string undefinedMessage() const { return ref ? str() : "value is undefined"; }

private:
  explicit Value(Kind k) : kind_(k) {}
  template <typename T> T *get() const { return static_cast<T *>(const_cast<void *>(ref.get())); }

  std::shared_ptr<const void> ref; // the string or container, or the message of an undefined value
  union {
    bool b;
    Int i;
    double d;
  } u{};
  Kind kind_ = Kind::Undefined;
  bool markup = false;
};

class Context;
struct Args {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> keywords;
};
using Function = std::function<Value(Context &, Args &)>;

/// What dying containers held; destroyed in a loop, not by recursion, so that deep nests cannot exhaust the
/// stack.
struct Garbage {
  std::vector<std::vector<Value>> values;
  std::vector<Function> functions;
};

/// Base of what can take part in a reference cycle. The context links all of them and empties them at the
/// end.
struct Object {
  Object() = default;
  Object(const Object &) = delete;
  Object &operator=(const Object &) = delete;
  virtual ~Object() = default;
  virtual void surrender(Garbage &garbage) = 0;
  Object *previous = nullptr, *next = nullptr;
  size_t charged = 0;
};

enum class ListKind : uint8_t { List, Tuple, Range, Generator };

struct List : Object {
  std::vector<Value> items;
  ListKind kind = ListKind::List;
  Int start = 0, stop = 0, step = 1; // Range only, for printing
  void surrender(Garbage &garbage) override { garbage.values.push_back(std::move(items)); }
};

/// Insertion-ordered; string keys are indexed once the dict is not tiny.
struct Dict : Object {
  std::vector<std::pair<Value, Value>> entries;
  std::unordered_map<std::string, size_t> index; // string keys, filled from 8 entries on
  Value *findString(std::string_view key);
  void setString(const Value &key, Value value);
  void indexBack();
  void erase(size_t position);
  void surrender(Garbage &garbage) override;
};

struct Namespace : Object {
  std::vector<std::pair<std::string, Value>> attributes;
  Value *find(std::string_view name);
  void surrender(Garbage &garbage) override;
};

struct Callable : Object {
  std::string name;
  Function call;
  void surrender(Garbage &garbage) override { garbage.functions.push_back(std::move(call)); }
};

struct LoopState : Object {
  std::vector<Value> items;
  size_t index = 0;
  int depth0 = 0;
  bool hasLast = false;
  std::vector<Value> lastChanged;
  Function recurse; // only for "recursive" loops
  void surrender(Garbage &garbage) override;
};

/// Limits, counters and the memory of one rendering. Values must not outlive it.
class Context {
public:
  explicit Context(const Limits &limits) : limits(limits) {}
  Context(const Context &) = delete;
  Context &operator=(const Context &) = delete;
  virtual ~Context();

  const Limits limits;
  int line = 0;

  void step(size_t n = 1) {
    if ((steps += n) > limits.maxSteps)
      fail("the template runs too long: more than " + std::to_string(limits.maxSteps) + " steps");
  }
  /// One pass over the bytes of a string at the speed of a copy, or over its characters one by one. Whatever
  /// reads a string says so: the time of a rendering is bounded by its steps alone.
  void stepBytes(size_t bytes) { step(bytes / 64); }
  void stepCharacters(size_t bytes) { step(bytes / 8); }
  [[noreturn]] void fail(const std::string &message) const { throw TemplateError(message, line); }
  /// Call after each growth of a string under construction.
  void checkSize(size_t bytes) {
    if (bytes > limits.maxMemoryBytes)
      fail("a string grows beyond " + std::to_string(limits.maxMemoryBytes) + " bytes");
  }
  void charge(size_t bytes);

  Value string(Text text);
  Value string(std::string_view s, bool fromInput = false) { return string(Text(s, fromInput)); }
  Value list(std::vector<Value> items, ListKind kind = ListKind::List);
  Value dict();
  Value nameSpace();
  Value function(std::string name, Function call);
  Value loopState();
  void append(List &list, Value value);
  void set(Dict &dict, const Value &key, Value value);
  Value *find(Dict &dict, const Value &key);

  /// Guards recursion over values and syntax trees.
  struct Depth {
    explicit Depth(Context &c) : context(c) {
      if (++c.depth > c.limits.maxDepth)
        overflow();
    }
    ~Depth() { --context.depth; }
    Depth(const Depth &) = delete;
    Depth &operator=(const Depth &) = delete;

  private:
    void overflow();
    Context &context;
  };

private:
  template <typename T> std::shared_ptr<T> make(size_t bytes);
  void collect();

  size_t steps = 0;
  size_t liveBytes = 0;
  int depth = 0;
  Object *firstObject = nullptr;
  Garbage garbage;
  bool collecting = false;
};

// Python semantics on values (Value.cpp, Operators.cpp).
const char *typeName(const Value &v);
bool truth(const Value &v);
std::string formatInt(Int i);
std::string formatFloat(double d);
Text toText(Context &c, const Value &v); // str(v)
Text repr(Context &c, const Value &v);
bool equal(Context &c, const Value &a, const Value &b);
/// a < b; fails on types that have no order.
bool lessThan(Context &c, const Value &a, const Value &b, const char *op = "<");
/// The items of any iterable; a generator is used up.
std::vector<Value> iterate(Context &c, const Value &v);
size_t length(Context &c, const Value &v);

} // namespace llmc::jinja
