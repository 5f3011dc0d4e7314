//===- Fields.cpp - members of JSON objects, checked ----------------------===//
#include "tools/explore/Fields.h"

#include <cmath>

using namespace llmc;
using namespace llmc::explore;
using formats::JsonValue;

std::string Fields::placeOf(const char *key) const { return place.empty() ? key : place + "." + key; }

void Fields::expected(const char *key, const char *what, const JsonValue &found) const {
  fail("expected '" + placeOf(key) + "' to be " + what + " but got " + found.describe());
}

bool Fields::has(const char *key) const {
  const JsonValue *member = value.find(key);
  return member && !member->isNull();
}

const JsonValue &Fields::at(const char *key) const {
  if (!value.object())
    fail("expected " + (place.empty() ? "the file" : "'" + place + "'") + " to be an object but got " +
         value.describe());
  const JsonValue *member = value.find(key);
  if (!member)
    fail("expected a member '" + placeOf(key) + "' but there is none");
  return *member;
}

std::string Fields::string(const char *key) const {
  const JsonValue &member = at(key);
  if (!member.string())
    expected(key, "a string", member);
  return *member.string();
}

std::string Fields::stringOr(const char *key, std::string otherwise) const {
  return has(key) ? string(key) : otherwise;
}

static bool isCount(const JsonValue &value) { return value.integer() && *value.integer() >= 0; }

int64_t Fields::integer(const char *key) const {
  const JsonValue &member = at(key);
  if (!isCount(member))
    expected(key, "a whole number of at least 0", member);
  return *member.integer();
}

int64_t Fields::integerOr(const char *key, int64_t otherwise) const {
  return has(key) ? integer(key) : otherwise;
}

double Fields::number(const char *key) const {
  const JsonValue &member = at(key);
  if (!member.number() || !std::isfinite(*member.number()))
    expected(key, "a number", member);
  return *member.number();
}

double Fields::numberOr(const char *key, double otherwise) const {
  return has(key) ? number(key) : otherwise;
}

bool Fields::boolean(const char *key) const {
  const JsonValue &member = at(key);
  if (!member.boolean())
    expected(key, "true or false", member);
  return *member.boolean();
}

Fields Fields::object(const char *key) const {
  const JsonValue &member = at(key);
  if (!member.object())
    expected(key, "an object", member);
  return Fields(member, file, placeOf(key));
}

std::vector<Fields> Fields::objects(const char *key) const {
  const JsonValue &member = at(key);
  if (!member.array())
    expected(key, "an array", member);
  std::vector<Fields> list;
  for (const JsonValue &element : *member.array()) {
    list.emplace_back(element, file, placeOf(key) + "[" + std::to_string(list.size()) + "]");
    if (!element.object())
      fail("expected '" + list.back().place + "' to be an object but got " + element.describe());
  }
  return list;
}

std::vector<int64_t> Fields::integers(const char *key) const {
  const JsonValue &member = at(key);
  if (!member.array())
    expected(key, "an array", member);
  std::vector<int64_t> list;
  for (const JsonValue &element : *member.array()) {
    if (!isCount(element))
      expected(key, "an array of whole numbers", element);
    list.push_back(*element.integer());
  }
  return list;
}

std::vector<std::string> Fields::strings(const char *key) const {
  const JsonValue &member = at(key);
  if (!member.array())
    expected(key, "an array", member);
  std::vector<std::string> list;
  for (const JsonValue &element : *member.array()) {
    if (!element.string())
      expected(key, "an array of strings", element);
    list.push_back(*element.string());
  }
  return list;
}

Json Fields::counts(const char *key) const {
  const JsonValue &member = at(key);
  if (!member.object())
    expected(key, "an object", member);
  Json json = Json::object();
  for (const formats::JsonMember &entry : *member.object()) {
    if (!isCount(entry.value))
      expected(key, "an object of whole numbers", entry.value);
    json[entry.key] = *entry.value.integer();
  }
  return json;
}

static Json copyOf(const JsonValue &value) {
  if (const bool *boolean = value.boolean())
    return *boolean;
  if (const int64_t *integer = value.integer())
    return *integer;
  if (const std::string *string = value.string())
    return *string;
  if (auto number = value.number())
    return *number;
  if (const JsonValue::Array *array = value.array()) {
    Json json = Json::array();
    for (const JsonValue &element : *array)
      json.push_back(copyOf(element));
    return json;
  }
  if (const JsonValue::Object *object = value.object()) {
    Json json = Json::object();
    for (const formats::JsonMember &member : *object)
      json[member.key] = copyOf(member.value);
    return json;
  }
  return nullptr;
}

Json Fields::any() const { return copyOf(value); }
