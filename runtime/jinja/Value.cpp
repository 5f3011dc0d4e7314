// Construction, memory, equality, order and iteration of values, after Python's rules.
#include "Value.h"

#include <algorithm>

namespace llmc::jinja {

Value Value::boolean(bool b) {
  Value v(Kind::Bool);
  v.u.b = b;
  return v;
}

Value Value::integer(Int i) {
  Value v(Kind::Int);
  v.u.i = i;
  return v;
}

Value Value::number(double d) {
  Value v(Kind::Float);
  v.u.d = d;
  return v;
}

Value Value::constant(Text text) { return {Kind::String, std::make_shared<const Text>(std::move(text))}; }

Value Value::undefined(std::string message) {
  return {Kind::Undefined, std::make_shared<const Text>(message, false)};
}

bool Value::identical(const Value &o) const {
  if (kind_ != o.kind_)
    return false;
  switch (kind_) {
  case Kind::Undefined:
  case Kind::None:
    return true;
  case Kind::Bool:
    return u.b == o.u.b;
  case Kind::Int:
    return u.i == o.u.i;
  case Kind::Float:
    return u.d == o.u.d;
  case Kind::String:
    return str() == o.str();
  default:
    return ref == o.ref;
  }
}

void Dict::surrender(Garbage &garbage) {
  std::vector<Value> all;
  for (auto &[key, value] : entries) {
    all.push_back(std::move(key));
    all.push_back(std::move(value));
  }
  entries.clear();
  index.clear();
  garbage.values.push_back(std::move(all));
}

void Namespace::surrender(Garbage &garbage) {
  std::vector<Value> all;
  for (auto &attribute : attributes)
    all.push_back(std::move(attribute.second));
  attributes.clear();
  garbage.values.push_back(std::move(all));
}

void LoopState::surrender(Garbage &garbage) {
  garbage.values.push_back(std::move(items));
  garbage.values.push_back(std::move(lastChanged));
  garbage.functions.push_back(std::move(recurse));
}

Value *Dict::findString(std::string_view key) {
  if (entries.size() >= 8) {
    auto it = index.find(std::string(key));
    return it == index.end() ? nullptr : &entries[it->second].second;
  }
  for (auto &[k, v] : entries)
    if (k.isString() && k.str() == key)
      return &v;
  return nullptr;
}

void Dict::indexBack() {
  if (entries.size() == 8)
    for (size_t i = 0; i < 8; ++i) {
      if (entries[i].first.isString())
        index.emplace(entries[i].first.str(), i);
    }
  else if (entries.size() > 8 && entries.back().first.isString())
    index.emplace(entries.back().first.str(), entries.size() - 1);
}

void Dict::setString(const Value &key, Value value) {
  if (Value *slot = findString(key.str())) {
    *slot = std::move(value);
    return;
  }
  entries.emplace_back(key, std::move(value));
  indexBack();
}

void Dict::erase(size_t position) {
  entries.erase(entries.begin() + position);
  index.clear();
  if (entries.size() >= 8)
    for (size_t i = 0; i < entries.size(); ++i)
      if (entries[i].first.isString())
        index.emplace(entries[i].first.str(), i);
}

Value *Namespace::find(std::string_view name) {
  for (auto &[k, v] : attributes)
    if (k == name)
      return &v;
  return nullptr;
}

void Context::Depth::overflow() {
  --context.depth; // the destructor of a throwing constructor does not run
  context.fail("the template nests too deeply: more than " + std::to_string(context.limits.maxDepth) +
               " levels");
}

void Context::charge(size_t bytes) {
  if (bytes > limits.maxMemoryBytes || liveBytes > limits.maxMemoryBytes - bytes)
    fail("the template needs more than " + std::to_string(limits.maxMemoryBytes) + " bytes of memory");
  liveBytes += bytes;
}

// Destroys what dead containers held. Nested deaths only add to the pile, so the stack stays flat.
void Context::collect() {
  if (collecting)
    return;
  collecting = true;
  while (!garbage.values.empty() || !garbage.functions.empty()) {
    if (!garbage.values.empty()) {
      std::vector<Value> values = std::move(garbage.values.back());
      garbage.values.pop_back();
    } else {
      Function function = std::move(garbage.functions.back());
      garbage.functions.pop_back();
    }
  }
  collecting = false;
}

Context::~Context() {
  // Whatever is still linked is part of a cycle: empty all of it, then let the counts fall.
  for (Object *o = firstObject; o; o = o->next)
    o->surrender(garbage);
  collect();
}

template <typename T> std::shared_ptr<T> Context::make(size_t bytes) {
  charge(bytes);
  auto release = [this](T *object) {
    liveBytes -= object->charged;
    (object->previous ? object->previous->next : firstObject) = object->next;
    if (object->next)
      object->next->previous = object->previous;
    object->surrender(garbage);
    delete object;
    collect();
  };
  std::shared_ptr<T> object(new T, release);
  object->charged = bytes;
  object->next = firstObject;
  if (firstObject)
    firstObject->previous = object.get();
  firstObject = object.get();
  return object;
}

Value Context::string(Text text) {
  stepBytes(text.size());
  const size_t bytes = text.footprint();
  charge(bytes);
  auto release = [this, bytes](const Text *t) {
    liveBytes -= bytes;
    delete t;
  };
  return {Kind::String, std::shared_ptr<const Text>(new Text(std::move(text)), release)};
}

Value Context::list(std::vector<Value> items, ListKind kind) {
  step(items.size() / 8);
  auto list = make<List>(items.size() * sizeof(Value) + sizeof(List));
  list->items = std::move(items);
  list->kind = kind;
  return {Kind::List, list};
}

Value Context::dict() { return {Kind::Dict, make<Dict>(sizeof(Dict))}; }

Value Context::nameSpace() { return {Kind::Namespace, make<Namespace>(sizeof(Namespace))}; }

Value Context::function(std::string name, Function call) {
  auto callable = make<Callable>(sizeof(Callable) + 64);
  callable->name = std::move(name);
  callable->call = std::move(call);
  return {Kind::Callable, callable};
}

Value Context::loopState() { return {Kind::Loop, make<LoopState>(sizeof(LoopState))}; }

void Context::append(List &list, Value value) {
  charge(sizeof(Value));
  list.charged += sizeof(Value);
  list.items.push_back(std::move(value));
}

Value *Context::find(Dict &dict, const Value &key) {
  if (key.isString()) {
    stepBytes(key.text().size());
    return dict.findString(key.str());
  }
  if (key.is(Kind::Dict) || (key.is(Kind::List) && key.list().kind == ListKind::List))
    fail(std::string("unhashable type: '") + typeName(key) + "'");
  step(dict.entries.size() / 8);
  for (auto &[k, v] : dict.entries)
    if (!k.isString() && equal(*this, k, key))
      return &v;
  return nullptr;
}

void Context::set(Dict &dict, const Value &key, Value value) {
  if (Value *slot = find(dict, key)) {
    *slot = std::move(value);
    return;
  }
  const size_t bytes = 2 * sizeof(Value) + (key.isString() ? 64 + key.text().size() : 0);
  charge(bytes);
  dict.charged += bytes;
  if (key.isString()) {
    dict.setString(key, std::move(value));
  } else {
    dict.entries.emplace_back(key, std::move(value));
    dict.indexBack();
  }
}

const char *typeName(const Value &v) {
  switch (v.kind()) {
  case Kind::Undefined:
    return "Undefined";
  case Kind::None:
    return "NoneType";
  case Kind::Bool:
    return "bool";
  case Kind::Int:
    return "int";
  case Kind::Float:
    return "float";
  case Kind::String:
    return "str";
  case Kind::List:
    switch (v.list().kind) {
    case ListKind::List:
      return "list";
    case ListKind::Tuple:
      return "tuple";
    case ListKind::Range:
      return "range";
    case ListKind::Generator:
      return "generator";
    }
    return "list";
  case Kind::Dict:
    return "dict";
  case Kind::Namespace:
    return "Namespace";
  case Kind::Callable:
    return "function";
  case Kind::Loop:
    return "LoopContext";
  }
  return "?";
}

bool truth(const Value &v) {
  switch (v.kind()) {
  case Kind::Undefined:
  case Kind::None:
    return false;
  case Kind::Bool:
    return v.asBool();
  case Kind::Int:
    return v.asInt() != 0;
  case Kind::Float:
    return v.asDouble() != 0;
  case Kind::String:
    return !v.text().empty();
  case Kind::List:
    return v.list().kind == ListKind::Generator || !v.list().items.empty();
  case Kind::Dict:
    return !v.dict().entries.empty();
  default:
    return true;
  }
}

bool equal(Context &c, const Value &a, const Value &b) {
  Context::Depth guard(c);
  c.step();
  if (a.isNumber() && b.isNumber()) {
    if (a.is(Kind::Float) || b.is(Kind::Float))
      return a.asDouble() == b.asDouble();
    return a.asInt() == b.asInt();
  }
  if (a.kind() != b.kind())
    return false;
  switch (a.kind()) {
  case Kind::String:
    c.stepBytes(a.text().size());
    return a.str() == b.str();
  case Kind::List: {
    const List &x = a.list(), &y = b.list();
    if (&x == &y)
      return true;
    if (x.kind != y.kind || x.kind == ListKind::Generator || x.items.size() != y.items.size())
      return false;
    for (size_t i = 0; i < x.items.size(); ++i)
      if (!equal(c, x.items[i], y.items[i]))
        return false;
    return true;
  }
  case Kind::Dict: {
    if (&a.dict() == &b.dict())
      return true;
    if (a.dict().entries.size() != b.dict().entries.size())
      return false;
    for (auto &[key, value] : a.dict().entries) {
      const Value *other = c.find(b.dict(), key);
      if (!other || !equal(c, value, *other))
        return false;
    }
    return true;
  }
  default:
    return a.identical(b);
  }
}

bool lessThan(Context &c, const Value &a, const Value &b, const char *op) {
  Context::Depth guard(c);
  c.step();
  if (a.isUndefined() || b.isUndefined())
    c.fail((a.isUndefined() ? a : b).undefinedMessage());
  if (a.isNumber() && b.isNumber()) {
    if (a.is(Kind::Float) || b.is(Kind::Float))
      return a.asDouble() < b.asDouble();
    return a.asInt() < b.asInt();
  }
  if (a.isString() && b.isString()) {
    c.stepBytes(std::min(a.text().size(), b.text().size()));
    return a.str() < b.str(); // UTF-8 bytes sort like code points
  }
  if (a.is(Kind::List) && b.is(Kind::List) && a.list().kind == b.list().kind &&
      a.list().kind <= ListKind::Tuple) {
    const auto &x = a.list().items, &y = b.list().items;
    for (size_t i = 0; i < x.size() && i < y.size(); ++i)
      if (!equal(c, x[i], y[i]))
        return lessThan(c, x[i], y[i], op);
    return x.size() < y.size();
  }
  c.fail(std::string("'") + op + "' not supported between '" + typeName(a) + "' and '" + typeName(b) + "'");
}

std::vector<Value> iterate(Context &c, const Value &v) {
  std::vector<Value> items;
  switch (v.kind()) {
  case Kind::Undefined:
    return items;
  case Kind::String: {
    const Text &text = v.text();
    for (size_t pos = 0; pos < text.size();) {
      const size_t next = pos + decodeUtf8(text.str(), pos).length;
      c.step();
      items.push_back(c.string(text.slice(pos, next)));
      pos = next;
    }
    return items;
  }
  case Kind::List:
    c.step(v.list().items.size() / 8);
    if (v.list().kind == ListKind::Generator) {
      items.swap(v.list().items);
      return items;
    }
    return v.list().items;
  case Kind::Dict:
    c.step(v.dict().entries.size() / 8);
    for (auto &entry : v.dict().entries)
      items.push_back(entry.first);
    return items;
  default:
    c.fail(std::string("'") + typeName(v) + "' object is not iterable");
  }
}

size_t length(Context &c, const Value &v) {
  switch (v.kind()) {
  case Kind::Undefined:
    return 0;
  case Kind::String:
    c.stepCharacters(v.text().size());
    return countCodePoints(v.str());
  case Kind::List:
    if (v.list().kind != ListKind::Generator)
      return v.list().items.size();
    break;
  case Kind::Dict:
    return v.dict().entries.size();
  case Kind::Loop:
    return v.loop().items.size();
  default:
    break;
  }
  c.fail(std::string("object of type '") + typeName(v) + "' has no length");
}

} // namespace llmc::jinja
