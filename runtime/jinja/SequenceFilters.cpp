// Filters on sequences and mappings. Those that are lazy in Jinja return a generator: always true, no length,
// used up by the first loop.
#include "Builtins.h"

#include <algorithm>
#include <functional>

namespace llmc::jinja {

std::vector<Value> dictItems(Context &c, Dict &dict) {
  std::vector<Value> items;
  c.step(dict.entries.size());
  for (size_t i = 0; i < dict.entries.size(); ++i)
    items.push_back(c.list({dict.entries[i].first, dict.entries[i].second}, ListKind::Tuple));
  return items;
}

namespace {

Value generator(Context &c, std::vector<Value> items) {
  return c.list(std::move(items), ListKind::Generator);
}

/// "a.b.0" step by step; integers index.
Value attributePath(Context &c, Value v, const Value &path) {
  if (!path.isString())
    return getItem(c, v, path);
  const std::string &s = path.str();
  for (size_t pos = 0; pos <= s.size();) {
    const size_t dot = std::min(s.find('.', pos), s.size());
    const std::string part = s.substr(pos, dot - pos);
    const bool digits =
        !part.empty() && part.size() < 18 && part.find_first_not_of("0123456789") == std::string::npos;
    v = getItem(c, v, digits ? Value::integer(std::stoll(part)) : Value::constant(Text(part, false)));
    pos = dot + 1;
  }
  return v;
}

/// What sorting and uniqueness compare: the attribute, lower-cased unless case matters.
Value sortKey(Context &c, const Value &item, const Value *attribute, bool caseSensitive) {
  Value key = attribute && !attribute->is(Kind::None) ? attributePath(c, item, *attribute) : item;
  return key.isString() && !caseSensitive ? c.string(lowerCase(c, key.text())) : key;
}

void stableSort(Context &c, std::vector<std::pair<Value, Value>> &keyed, bool reverse) {
  // Merge sort by hand: a comparison that throws or is inconsistent (NaN) must do no harm.
  std::vector<std::pair<Value, Value>> other(keyed.size());
  for (size_t width = 1; width < keyed.size(); width *= 2) {
    for (size_t begin = 0; begin < keyed.size(); begin += 2 * width) {
      const size_t middle = std::min(begin + width, keyed.size()),
                   end = std::min(begin + 2 * width, keyed.size());
      for (size_t i = begin, j = middle, k = begin; k < end; ++k) {
        const bool takeRight =
            i >= middle || (j < end && (reverse ? lessThan(c, keyed[i].first, keyed[j].first)
                                                : lessThan(c, keyed[j].first, keyed[i].first)));
        other[k] = keyed[takeRight ? j++ : i++];
      }
    }
    keyed.swap(other);
  }
}

Value sortFilter(Context &c, const Value &v, Args &args) {
  Bound b(c, "sort", args, {"reverse", "case_sensitive", "attribute"});
  std::vector<std::pair<Value, Value>> keyed;
  for (Value &item : iterate(c, v)) {
    Value key = sortKey(c, item, b[2], b.flag(1, false));
    keyed.emplace_back(std::move(key), std::move(item));
  }
  stableSort(c, keyed, b.flag(0, false));
  std::vector<Value> items;
  for (auto &entry : keyed)
    items.push_back(std::move(entry.second));
  return c.list(std::move(items));
}

Value dictsort(Context &c, const Value &v, Args &args) {
  Bound b(c, "dictsort", args, {"case_sensitive", "by", "reverse"});
  const std::string by = b.text(1) ? b.text(1)->str() : "key";
  if (by != "key" && by != "value")
    c.fail("'dictsort' can sort by key or value");
  if (!v.is(Kind::Dict))
    c.fail(v.isUndefined() ? v.undefinedMessage()
                           : std::string("'dictsort' expects a mapping, found ") + typeName(v));
  std::vector<std::pair<Value, Value>> keyed;
  for (Value &item : dictItems(c, v.dict())) {
    Value key = sortKey(c, item.list().items[by == "key" ? 0 : 1], nullptr, b.flag(0, false));
    keyed.emplace_back(std::move(key), std::move(item));
  }
  stableSort(c, keyed, b.flag(2, false));
  std::vector<Value> items;
  for (auto &entry : keyed)
    items.push_back(std::move(entry.second));
  return c.list(std::move(items));
}

Value unique(Context &c, const Value &v, Args &args) {
  Bound b(c, "unique", args, {"case_sensitive", "attribute"});
  std::vector<Value> items;
  Value seen = c.dict();
  for (Value &item : iterate(c, v)) {
    const Value key = sortKey(c, item, b[1], b.flag(0, false));
    if (c.find(seen.dict(), key))
      continue;
    c.set(seen.dict(), key, Value::none());
    items.push_back(std::move(item));
  }
  return generator(c, std::move(items));
}

Value extreme(Context &c, const Value &v, Args &args, bool wantMax) {
  Bound b(c, wantMax ? "max" : "min", args, {"case_sensitive", "attribute"});
  Value best, bestKey;
  bool found = false;
  for (Value &item : iterate(c, v)) {
    Value key = sortKey(c, item, b[1], b.flag(0, false));
    if (found && !(wantMax ? lessThan(c, bestKey, key) : lessThan(c, key, bestKey)))
      continue;
    best = std::move(item);
    bestKey = std::move(key);
    found = true;
  }
  return found ? best : Value::undefined("no aggregated item, sequence was empty");
}

Value sum(Context &c, const Value &v, Args &args) {
  Bound b(c, "sum", args, {"attribute", "start"});
  Value total = b[1] ? *b[1] : Value::integer(0);
  for (const Value &item : iterate(c, v)) {
    const Value one = b[0] && !b[0]->is(Kind::None) ? attributePath(c, item, *b[0]) : item;
    if (!total.isNumber() || !one.isNumber())
      c.fail(one.isUndefined() ? one.undefinedMessage() : "'sum' expects numbers");
    Int i;
    if (total.is(Kind::Float) || one.is(Kind::Float))
      total = Value::number(total.asDouble() + one.asDouble());
    else if (__builtin_add_overflow(total.asInt(), one.asInt(), &i))
      c.fail("integer result is too large");
    else
      total = Value::integer(i);
  }
  return total;
}

Value join(Context &c, const Value &v, Args &args) {
  Bound b(c, "join", args, {"d", "attribute"});
  const Text separator = b[0] ? toText(c, *b[0]) : Text();
  Text out;
  bool first = true;
  for (const Value &item : iterate(c, v)) {
    c.stepBytes(separator.size());
    if (!std::exchange(first, false))
      out.append(separator);
    out.append(toText(c, b[1] && !b[1]->is(Kind::None) ? attributePath(c, item, *b[1]) : item));
    c.checkSize(out.size());
    c.step();
  }
  return c.string(std::move(out));
}

Value first(Context &c, const Value &v, Args &args) {
  Bound b(c, "first", args, {});
  if (v.is(Kind::List)) {
    std::vector<Value> &items = v.list().items;
    if (items.empty())
      return Value::undefined("no first item, sequence was empty");
    const Value item = items.front();
    if (v.list().kind == ListKind::Generator) {
      c.step(items.size() / 8);
      items.erase(items.begin());
    }
    return item;
  }
  const std::vector<Value> items = iterate(c, v);
  return items.empty() ? Value::undefined("no first item, sequence was empty") : items.front();
}

Value last(Context &c, const Value &v, Args &args) {
  Bound b(c, "last", args, {});
  if (v.is(Kind::List) && v.list().kind == ListKind::Generator)
    c.fail("'generator' object is not reversible");
  const std::vector<Value> items = iterate(c, v);
  return items.empty() ? Value::undefined("no last item, sequence was empty") : items.back();
}

Value reverse(Context &c, const Value &v, Args &args) {
  Bound b(c, "reverse", args, {});
  std::vector<Value> items = iterate(c, v);
  std::reverse(items.begin(), items.end());
  if (!v.isString())
    return generator(c, std::move(items));
  Text out;
  for (const Value &item : items)
    out.append(item.text());
  return c.string(std::move(out));
}

Value lengthFilter(Context &c, const Value &v, Args &args) {
  Bound b(c, "length", args, {});
  return Value::integer(Int(length(c, v)));
}

Value listFilter(Context &c, const Value &v, Args &args) {
  Bound b(c, "list", args, {});
  return c.list(iterate(c, v));
}

Value items(Context &c, const Value &v, Args &args) {
  Bound b(c, "items", args, {});
  if (v.isUndefined())
    return generator(c, {});
  if (!v.is(Kind::Dict))
    c.fail(std::string("'items' expects a mapping, found ") + typeName(v));
  return generator(c, dictItems(c, v.dict()));
}

Value attr(Context &c, const Value &v, Args &args) {
  Bound b(c, "attr", args, {"name"});
  if (v.isUndefined())
    c.fail(v.undefinedMessage());
  // Attributes only, never items.
  if (v.is(Kind::Dict) && !b.required(0).isString())
    c.fail("'attr' expects a name");
  Value out;
  const std::string name = toText(c, b.required(0)).str();
  if (v.is(Kind::Dict))
    return findMethod(c, v, name, out) ? out
                                       : Value::undefined("'dict object' has no attribute '" + name + "'");
  return getAttribute(c, v, name);
}

// --- filters that apply others ---

/// Takes the first argument off: the name of a filter or test.
std::string takeName(Context &c, Args &args, const char *filter) {
  if (args.positional.empty() || !args.positional[0].isString())
    c.fail(std::string("'") + filter + "' needs a name as its first argument");
  std::string name = args.positional[0].str();
  args.positional.erase(args.positional.begin());
  return name;
}

Value map(Context &c, const Value &v, Args &args) {
  std::vector<Value> out;
  if (!truth(v)) // none and the like map to nothing
    return generator(c, {});
  if (args.positional.empty()) {
    Bound b(c, "map", args, {"attribute", "default"});
    b.required(0);
    for (Value &item : iterate(c, v)) {
      Value found = attributePath(c, item, *b[0]);
      out.push_back(found.isUndefined() && b[1] ? *b[1] : std::move(found));
      c.step();
    }
    return generator(c, std::move(out));
  }
  const std::string name = takeName(c, args, "map");
  const FilterFunction filter = findFilter(name);
  if (!filter)
    c.fail("no filter named '" + name + "'");
  Context::Depth guard(c); // map may apply map
  for (const Value &item : iterate(c, v)) {
    c.step();
    Args copy = args;
    out.push_back(filter(c, item, copy));
  }
  return generator(c, std::move(out));
}

Value choose(Context &c, const Value &v, Args &args, const char *filter, bool byAttribute, bool keep) {
  Value attribute;
  if (byAttribute) {
    if (args.positional.empty())
      c.fail(std::string("'") + filter + "' needs the name of an attribute");
    attribute = args.positional[0];
    args.positional.erase(args.positional.begin());
  }
  TestFunction test = nullptr;
  if (!args.positional.empty()) {
    const std::string name = takeName(c, args, filter);
    test = findTest(name);
    if (!test)
      c.fail("no test named '" + name + "'");
  }
  std::vector<Value> out;
  if (!truth(v))
    return generator(c, {});
  for (Value &item : iterate(c, v)) {
    c.step();
    const Value subject = byAttribute ? attributePath(c, item, attribute) : item;
    Args copy = args;
    if ((test ? test(c, subject, copy) : truth(subject)) == keep)
      out.push_back(std::move(item));
  }
  return generator(c, std::move(out));
}

Value batch(Context &c, const Value &v, Args &args) {
  Bound b(c, "batch", args, {"linecount", "fill_with"});
  b.required(0);
  const int64_t size = b.integer(0, 0);
  if (size < 1 || size > 100000)
    c.fail("'batch' needs a size from 1 to 100000");
  std::vector<Value> rows, row;
  for (Value &item : iterate(c, v)) {
    if (static_cast<int64_t>(row.size()) == size)
      rows.push_back(c.list(std::exchange(row, {})));
    row.push_back(std::move(item));
  }
  if (!row.empty()) {
    while (b[1] && !b[1]->is(Kind::None) && static_cast<int64_t>(row.size()) < size)
      row.push_back(*b[1]);
    rows.push_back(c.list(std::move(row)));
  }
  return generator(c, std::move(rows));
}

using F = std::pair<std::string_view, FilterFunction>;
const F filters[] = {
    {"attr", attr},
    {"batch", batch},
    {"count", lengthFilter},
    {"dictsort", dictsort},
    {"first", first},
    {"items", items},
    {"join", join},
    {"last", last},
    {"length", lengthFilter},
    {"list", listFilter},
    {"map", map},
    {"max", [](Context &c, const Value &v, Args &a) { return extreme(c, v, a, true); }},
    {"min", [](Context &c, const Value &v, Args &a) { return extreme(c, v, a, false); }},
    {"reject", [](Context &c, const Value &v, Args &a) { return choose(c, v, a, "reject", false, false); }},
    {"rejectattr",
     [](Context &c, const Value &v, Args &a) { return choose(c, v, a, "rejectattr", true, false); }},
    {"reverse", reverse},
    {"select", [](Context &c, const Value &v, Args &a) { return choose(c, v, a, "select", false, true); }},
    {"selectattr",
     [](Context &c, const Value &v, Args &a) { return choose(c, v, a, "selectattr", true, true); }},
    {"sort", sortFilter},
    {"sum", sum},
    {"unique", unique},
};

} // namespace

FilterFunction findSequenceFilter(std::string_view name) {
  for (const auto &[key, function] : filters)
    if (key == name)
      return function;
  return nullptr;
}

} // namespace llmc::jinja
