// Methods of str, list and dict. list.append and its kin work on lists the template made or was given; the
// reference sandbox forbids them, but templates written for other engines use them.
#include "Builtins.h"

#include <algorithm>
#include <utf8proc.h>

namespace llmc::jinja {

std::vector<Value> splitLines(Context &c, const Text &text, bool keepEnds) {
  std::vector<Value> lines;
  const std::string &s = text.str();
  c.stepCharacters(s.size());
  size_t begin = 0;
  for (size_t pos = 0; pos < s.size();) {
    const CodePoint cp = decodeUtf8(s, pos);
    const uint32_t v = cp.value;
    const size_t end = pos;
    pos += cp.length;
    if (!((v >= 0x0A && v <= 0x0D) || (v >= 0x1C && v <= 0x1E) || v == 0x85 || v == 0x2028 || v == 0x2029))
      continue;
    if (v == '\r' && pos < s.size() && s[pos] == '\n')
      ++pos;
    lines.push_back(c.string(text.slice(begin, keepEnds ? pos : end)));
    begin = pos;
  }
  if (begin < s.size())
    lines.push_back(c.string(text.slice(begin, s.size())));
  c.step(lines.size());
  return lines;
}

namespace {

using Method = Value (*)(Context &, const Value &self, Args &);

/// The run of characters other than white space at or after `begin`; false when only white space is left.
bool nextWord(const std::string &s, size_t &begin, size_t &end) {
  while (begin < s.size()) {
    const CodePoint cp = decodeUtf8(s, begin);
    if (!isSpace(cp.value))
      break;
    begin += cp.length;
  }
  for (end = begin; end < s.size();) {
    const CodePoint cp = decodeUtf8(s, end);
    if (isSpace(cp.value))
      break;
    end += cp.length;
  }
  return begin < end;
}

std::vector<Value> splitSpace(Context &c, const Text &text, int64_t limit, bool fromRight) {
  const std::string &s = text.str();
  c.stepCharacters(s.size());
  // From the right, the words before the last `limit` ones stay together; from the left, those after the
  // first.
  size_t kept = 0, begin = 0, end = 0;
  if (fromRight && limit >= 0) {
    c.stepCharacters(s.size());
    while (nextWord(s, begin, end)) {
      ++kept;
      begin = end;
    }
    kept -= std::min(kept, static_cast<size_t>(limit));
    begin = 0;
  }
  std::vector<Value> parts;
  for (size_t word = 1; nextWord(s, begin, end); begin = end, ++word) {
    if (word < kept)
      continue;
    if (!fromRight && limit-- == 0) {
      parts.push_back(c.string(text.slice(begin, s.size())));
      break;
    }
    c.step();
    parts.push_back(c.string(text.slice(word == kept ? 0 : begin, end)));
  }
  return parts;
}

std::vector<Value> splitAt(Context &c, const Text &text, const std::string &separator, int64_t limit,
                           bool fromRight) {
  const std::string &s = text.str();
  std::vector<Value> parts;
  const auto add = [&](size_t begin, size_t end) {
    c.step();
    parts.push_back(c.string(text.slice(begin, end)));
  };
  if (!fromRight) {
    size_t begin = 0;
    for (size_t hit; limit-- != 0 && (hit = findText(c, s, separator, begin)) != std::string::npos;
         begin = hit + separator.size())
      add(begin, hit);
    add(begin, s.size());
    return parts;
  }
  size_t end = s.size();
  while (limit-- != 0) {
    const size_t hit = findLastText(c, std::string_view(s).substr(0, end), separator);
    if (hit == std::string::npos)
      break;
    add(hit + separator.size(), end);
    end = hit;
  }
  add(0, end);
  std::reverse(parts.begin(), parts.end());
  return parts;
}

Value split(Context &c, const Value &self, Args &args, bool fromRight) {
  Bound b(c, fromRight ? "rsplit" : "split", args, {"sep", "maxsplit"});
  const int64_t limit = b.integer(1, -1);
  if (!b.text(0))
    return c.list(splitSpace(c, self.text(), limit, fromRight));
  if (b.text(0)->empty())
    c.fail("'split' needs a separator that is not empty");
  return c.list(splitAt(c, self.text(), b.text(0)->str(), limit, fromRight));
}

template <bool left, bool right> Value strip(Context &c, const Value &self, Args &args) {
  Bound b(c, "strip", args, {"chars"});
  return c.string(stripText(c, self.text(), left, right, b.text(0)));
}

template <bool atStart> Value hasAffix(Context &c, const Value &self, Args &args) {
  const char *name = atStart ? "startswith" : "endswith";
  Bound b(c, name, args, {"prefix"});
  const Value &affix = b.required(0);
  auto matches = [&](const Value &v) {
    if (!v.isString())
      c.fail(v.isUndefined() ? v.undefinedMessage()
                             : "'" + std::string(name) + "' expects a string, found " + typeName(v));
    c.step();
    c.stepBytes(v.text().size());
    return atStart ? self.str().starts_with(v.str()) : self.str().ends_with(v.str());
  };
  if (!affix.is(Kind::List) || affix.list().kind != ListKind::Tuple)
    return Value::boolean(matches(affix));
  bool any = false;
  for (const Value &v : affix.list().items)
    any = any || matches(v);
  return Value::boolean(any);
}

Value find(Context &c, const Value &self, Args &args, const char *name, bool fromRight, bool mustExist) {
  Bound b(c, name, args, {"sub"});
  b.required(0);
  const Text *needle = b.text(0);
  if (!needle)
    c.fail("'" + std::string(name) + "' expects a string");
  const size_t hit =
      fromRight ? findLastText(c, self.str(), needle->str()) : findText(c, self.str(), needle->str());
  if (hit == std::string::npos) {
    if (mustExist)
      c.fail("substring not found");
    return Value::integer(-1);
  }
  c.stepCharacters(hit);
  return Value::integer(Int(countCodePoints(std::string_view(self.str()).substr(0, hit))));
}

Value count(Context &c, const Value &self, Args &args) {
  Bound b(c, "count", args, {"sub"});
  b.required(0);
  const Text *needle = b.text(0);
  if (!needle)
    c.fail("'count' expects a string");
  if (needle->empty())
    return Value::integer(Int(length(c, self) + 1));
  Int hits = 0;
  for (size_t pos = 0; (pos = findText(c, self.str(), needle->str(), pos)) != std::string::npos;
       pos += needle->size())
    ++hits;
  return Value::integer(hits);
}

template <bool atStart> Value removeAffix(Context &c, const Value &self, Args &args) {
  Bound b(c, "removeprefix", args, {"affix"});
  b.required(0);
  const Text *affix = b.text(0);
  const std::string &s = self.str();
  c.stepBytes(affix ? affix->size() : 0);
  if (!affix || affix->empty() || !(atStart ? s.starts_with(affix->str()) : s.ends_with(affix->str())))
    return self;
  return c.string(atStart ? self.text().slice(affix->size(), s.size())
                          : self.text().slice(0, s.size() - affix->size()));
}

template <bool fromRight> Value partition(Context &c, const Value &self, Args &args) {
  Bound b(c, "partition", args, {"sep"});
  b.required(0);
  const Text *separator = b.text(0);
  if (!separator || separator->empty())
    c.fail("'partition' needs a separator that is not empty");
  const std::string &s = self.str();
  const size_t hit = fromRight ? findLastText(c, s, separator->str()) : findText(c, s, separator->str());
  if (hit == std::string::npos)
    return fromRight ? c.list({c.string(""), c.string(""), self}, ListKind::Tuple)
                     : c.list({self, c.string(""), c.string("")}, ListKind::Tuple);
  const size_t after = hit + separator->size();
  return c.list({c.string(self.text().slice(0, hit)), c.string(self.text().slice(hit, after)),
                 c.string(self.text().slice(after, s.size()))},
                ListKind::Tuple);
}

/// All characters belong to the class, and there is at least one.
template <typename Fn> Value every(Context &c, const Value &self, Fn inClass) {
  const std::string &s = self.str();
  c.stepCharacters(s.size());
  for (size_t pos = 0; pos < s.size();) {
    const CodePoint cp = decodeUtf8(s, pos);
    if (!inClass(cp.value, utf8proc_category(static_cast<utf8proc_int32_t>(cp.value))))
      return Value::boolean(false);
    pos += cp.length;
  }
  return Value::boolean(!s.empty());
}
bool isLetter(utf8proc_category_t k) { return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO; }
bool isNumeral(utf8proc_category_t k) { return k >= UTF8PROC_CATEGORY_ND && k <= UTF8PROC_CATEGORY_NO; }

Value pad(Context &c, const Value &self, Args &args, bool left) {
  Bound b(c, left ? "rjust" : "ljust", args, {"width", "fillchar"});
  b.required(0);
  const Text fill = b.text(1) ? *b.text(1) : Text(" ", false);
  if (fill.size() > 4 || countCodePoints(fill.str()) != 1)
    c.fail("the fill character must be one character");
  const int64_t width = std::min<int64_t>(b.integer(0, 0), 1000000);
  const int64_t room = width - static_cast<int64_t>(length(c, self));
  Text padding, out;
  for (int64_t i = 0; i < room; ++i)
    padding.append(fill);
  out.append(left ? padding : self.text());
  out.append(left ? self.text() : padding);
  return c.string(std::move(out));
}

template <Text (*function)(Context &, const Text &)>
Value textual(Context &c, const Value &self, Args &args) {
  Bound b(c, "the method", args, {});
  return c.string(function(c, self.text()));
}

using M = std::pair<std::string_view, Method>;
#define METHOD(name, expression)                                                                             \
  M {                                                                                                        \
    name, [](Context &c, const Value &self, Args &args) -> Value {                                           \
      (void)c, (void)self, (void)args;                                                                       \
      return expression;                                                                                     \
    }                                                                                                        \
  }
const M textMethods[] = {
    METHOD("split", split(c, self, args, false)),
    METHOD("rsplit", split(c, self, args, true)),
    {"strip", strip<true, true>},
    {"lstrip", strip<true, false>},
    {"rstrip", strip<false, true>},
    {"startswith", hasAffix<true>},
    {"endswith", hasAffix<false>},
    {"upper", textual<upperCase>},
    {"lower", textual<lowerCase>},
    {"title", textual<titleCase>},
    {"capitalize", textual<capitalized>},
    METHOD("find", find(c, self, args, "find", false, false)),
    METHOD("rfind", find(c, self, args, "rfind", true, false)),
    METHOD("index", find(c, self, args, "index", false, true)),
    METHOD("rindex", find(c, self, args, "rindex", true, true)),
    {"count", count},
    {"removeprefix", removeAffix<true>},
    {"removesuffix", removeAffix<false>},
    {"partition", partition<false>},
    {"rpartition", partition<true>},
    METHOD("ljust", pad(c, self, args, false)),
    METHOD("rjust", pad(c, self, args, true)),
    METHOD("isalpha", every(c, self, [](uint32_t, utf8proc_category_t k) { return isLetter(k); })),
    METHOD("isalnum", every(c, self, [](uint32_t, utf8proc_category_t k) { return isLetter(k) || isNumeral(k); })),
    METHOD("isdigit", every(c, self, [](uint32_t, utf8proc_category_t k) { return k == UTF8PROC_CATEGORY_ND; })),
    METHOD("isdecimal", every(c, self, [](uint32_t, utf8proc_category_t k) { return k == UTF8PROC_CATEGORY_ND; })),
    METHOD("isnumeric", every(c, self, [](uint32_t, utf8proc_category_t k) { return isNumeral(k); })),
    METHOD("isspace", every(c, self, [](uint32_t v, utf8proc_category_t) { return isSpace(v); })),
    METHOD("isupper", Value::boolean(findTest("upper")(c, self, args))),
    METHOD("islower", Value::boolean(findTest("lower")(c, self, args))),
    METHOD("format", c.string(braceFormat(c, self.text(), args))),
    {"splitlines",
     [](Context &c, const Value &self, Args &args) {
       Bound b(c, "splitlines", args, {"keepends"});
       return c.list(splitLines(c, self.text(), b.flag(0, false)));
     }},
    {"join",
     [](Context &c, const Value &self, Args &args) {
       Bound b(c, "join", args, {"iterable"});
       Text out;
       bool first = true;
       for (const Value &item : iterate(c, b.required(0))) {
         if (!item.isString())
           c.fail(std::string("'join' expects strings, found ") + typeName(item));
         c.stepBytes(self.text().size());
         if (!std::exchange(first, false))
           out.append(self.text());
         out.append(item.text());
         c.checkSize(out.size());
         c.step();
       }
       return c.string(std::move(out));
     }},
    {"replace",
     [](Context &c, const Value &self, Args &args) {
       Bound b(c, "replace", args, {"old", "new", "count"});
       b.required(0), b.required(1);
       if (!b.text(0) || !b.text(1))
         c.fail("'replace' expects strings");
       return c.string(replaceText(c, self.text(), *b.text(0), *b.text(1), b.integer(2, -1)));
     }},
};

const M listMethods[] = {
    {"append",
     [](Context &c, const Value &self, Args &args) {
       Bound b(c, "append", args, {"object"});
       c.append(self.list(), b.required(0));
       return Value::none();
     }},
    {"extend",
     [](Context &c, const Value &self, Args &args) {
       Bound b(c, "extend", args, {"iterable"});
       for (Value &v : iterate(c, b.required(0)))
         c.append(self.list(), std::move(v));
       return Value::none();
     }},
    {"insert",
     [](Context &c, const Value &self, Args &args) {
       Bound b(c, "insert", args, {"index", "object"});
       const int64_t size = static_cast<int64_t>(self.list().items.size());
       const int64_t index = b.integer(0, 0);
       c.append(self.list(), b.required(1));
       const int64_t at = std::clamp<int64_t>(index < 0 && index >= -size ? index + size : index, 0, size);
       auto &items = self.list().items;
       c.step(items.size() / 8);
       std::rotate(items.begin() + at, items.end() - 1, items.end());
       return Value::none();
     }},
    {"pop",
     [](Context &c, const Value &self, Args &args) {
       Bound b(c, "pop", args, {"index"});
       auto &items = self.list().items;
       const int64_t size = static_cast<int64_t>(items.size()), index = b.integer(0, -1);
       const int64_t at = index < 0 && index >= -size ? index + size : index;
       if (at < 0 || at >= size)
         c.fail("'pop' from an empty list or with an index out of range");
       c.step(items.size() / 8);
       Value v = items[at];
       items.erase(items.begin() + at);
       return v;
     }},
};

const M sequenceMethods[] = {
    {"index",
     [](Context &c, const Value &self, Args &args) {
       Bound b(c, "index", args, {"value"});
       const auto &items = self.list().items;
       for (size_t i = 0; i < items.size(); ++i)
         if (equal(c, items[i], b.required(0)))
           return Value::integer(Int(i));
       c.fail("'index' finds no such item");
     }},
    {"count",
     [](Context &c, const Value &self, Args &args) {
       Bound b(c, "count", args, {"value"});
       Int hits = 0;
       for (const Value &v : self.list().items)
         hits += equal(c, v, b.required(0));
       return Value::integer(hits);
     }},
};

Value values(Context &c, const Value &self, Args &) {
  std::vector<Value> out;
  for (auto &entry : self.dict().entries)
    out.push_back(entry.second);
  return c.list(std::move(out));
}

const M dictMethods[] = {
    METHOD("items", c.list(dictItems(c, self.dict()))),
    METHOD("keys", c.list(iterate(c, self))),
    {"values", values},
    {"get",
     [](Context &c, const Value &self, Args &args) {
       Bound b(c, "get", args, {"key", "default"});
       const Value *v = c.find(self.dict(), b.required(0));
       return v ? *v : b[1] ? *b[1] : Value::none();
     }},
    {"copy",
     [](Context &c, const Value &self, Args &) {
       Value copy = c.dict();
       for (auto &[key, value] : self.dict().entries)
         c.set(copy.dict(), key, value);
       return copy;
     }},
    {"pop",
     [](Context &c, const Value &self, Args &args) {
       Bound b(c, "pop", args, {"key", "default"});
       const Value key = b.required(0);
       Value *slot = c.find(self.dict(), key);
       if (!slot) {
         if (!b[1])
           c.fail("'pop' finds no key " + repr(c, key).str());
         return *b[1];
       }
       Value v = *slot;
       auto &entries = self.dict().entries;
       c.step(entries.size());
       const auto it =
           std::find_if(entries.begin(), entries.end(), [&](auto &e) { return &e.second == slot; });
       self.dict().erase(it - entries.begin());
       return v;
     }},
    {"update",
     [](Context &c, const Value &self, Args &args) {
       const Value added = [&] {
         Bound b(c, "update", args, {"other"});
         return b.required(0);
       }();
       if (!added.is(Kind::Dict))
         c.fail(std::string("'update' expects a mapping, found ") + typeName(added));
       const auto entries = added.dict().entries; // may be the same dict
       for (auto &[key, value] : entries)
         c.set(self.dict(), key, value);
       return Value::none();
     }},
    {"setdefault",
     [](Context &c, const Value &self, Args &args) {
       Bound b(c, "setdefault", args, {"key", "default"});
       if (Value *v = c.find(self.dict(), b.required(0)))
         return *v;
       const Value fallback = b[1] ? *b[1] : Value::none();
       c.set(self.dict(), b.required(0), fallback);
       return fallback;
     }},
};
#undef METHOD

template <size_t n>
bool bind(Context &c, const M (&table)[n], const Value &self, std::string_view name, Value &out) {
  for (const auto &[key, method] : table)
    if (key == name) {
      out = c.function(std::string(name),
                       [self, method](Context &c, Args &args) { return method(c, self, args); });
      return true;
    }
  return false;
}

} // namespace

bool findMethod(Context &c, const Value &self, std::string_view name, Value &out) {
  switch (self.kind()) {
  case Kind::String:
    return bind(c, textMethods, self, name, out);
  case Kind::Dict:
    return bind(c, dictMethods, self, name, out);
  case Kind::List:
    if (self.list().kind == ListKind::Generator)
      return false;
    return (self.list().kind == ListKind::List && bind(c, listMethods, self, name, out)) ||
           bind(c, sequenceMethods, self, name, out);
  default:
    return false;
  }
}

} // namespace llmc::jinja
