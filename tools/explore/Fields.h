//===- Fields.h - members of JSON objects, checked --------------*- C++ -*-===//
//
// Reads members by name and type. A member that is not as expected makes a sentence with the file and its
// place: "passes.json: expected 'passes[3].ms' to be a number but got 'fast'".
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_EXPLORE_FIELDS_H
#define LLMC_TOOLS_EXPLORE_FIELDS_H

#include "frontend/formats/Json.h"

#include <nlohmann/json.hpp>

#include <stdexcept>
#include <string>
#include <vector>

namespace llmc::explore {

using Json = nlohmann::ordered_json;

class Fields {
public:
  Fields(const formats::JsonValue &value, std::string file, std::string place = "")
      : value(value), file(std::move(file)), place(std::move(place)) {}

  bool has(const char *key) const;
  std::string string(const char *key) const;
  std::string stringOr(const char *key, std::string otherwise) const;
  int64_t integer(const char *key) const;
  int64_t integerOr(const char *key, int64_t otherwise) const; // at least 0
  double number(const char *key) const;                        // finite
  double numberOr(const char *key, double otherwise) const;
  bool boolean(const char *key) const;
  Fields object(const char *key) const;
  /// Elements that are objects.
  std::vector<Fields> objects(const char *key) const;
  std::vector<int64_t> integers(const char *key) const;
  std::vector<std::string> strings(const char *key) const;
  /// Names and numbers of an object of whole numbers.
  Json counts(const char *key) const;
  /// Whatever it is, as it is.
  Json any() const;

  [[noreturn]] void fail(const std::string &words) const { throw std::runtime_error(file + ": " + words); }

private:
  const formats::JsonValue &at(const char *key) const;
  std::string placeOf(const char *key) const;
  [[noreturn]] void expected(const char *key, const char *what, const formats::JsonValue &found) const;

  const formats::JsonValue &value;
  std::string file, place;
};

} // namespace llmc::explore
#endif
