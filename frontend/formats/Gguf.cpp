//===- Gguf.cpp - GGUF models: their parts and values ---------------------===//
//
// A split model lies in files named NAME-00001-of-0000N.gguf. Each says which part it is (split.no, from 0)
// and of how many (split.count); the model's metadata stands in the first.
//
//===----------------------------------------------------------------------===//
#include "frontend/formats/Gguf.h"

#include "frontend/formats/Quote.h"

#include <algorithm>
#include <cstdio>

using namespace llmc::formats;

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

namespace {

constexpr uint64_t maxParts = 4096;

std::string partSuffix(uint64_t part, uint64_t count) {
  char text[64];
  std::snprintf(text, sizeof text, "-%05llu-of-%05llu.gguf", static_cast<unsigned long long>(part),
                static_cast<unsigned long long>(count));
  return text;
}

/// Whether the key is the number that is expected; else a sentence.
bool holds(const GgufFile &file, const char *key, uint64_t expected, std::string &error) {
  auto found = file.integer(key, error);
  if (!error.empty() || found == expected)
    return error.empty();
  error = file.path() + ": key '" + key + "' is " + (found ? std::to_string(*found) : "missing") +
          ", expected " + std::to_string(expected);
  return false;
}

} // namespace

std::unique_ptr<GgufFile> GgufFile::open(const std::string &path, std::string &error) {
  auto map = MappedFile::open(path, error);
  return map ? open(std::move(map), error) : nullptr;
}

std::unique_ptr<GgufFile> GgufFile::open(std::unique_ptr<MappedFile> map, std::string &error) {
  std::span<const uint8_t> bytes = map->bytes();
  std::string path = map->path();
  auto file = parseOne(bytes, path, std::move(map), error);
  if (!file)
    return nullptr;
  error.clear();
  auto count = file->integer("split.count", error);
  if (!error.empty())
    return nullptr;
  return count.value_or(0) > 1 ? openParts(std::move(file), *count, error) : std::move(file);
}

std::unique_ptr<GgufFile> GgufFile::openParts(std::unique_ptr<GgufFile> one, uint64_t count,
                                              std::string &error) {
  std::string path = one->path();
  auto fail = [&](const std::string &what) {
    error = path + ": " + what;
    return nullptr;
  };
  if (count > maxParts)
    return fail("key 'split.count' is " + std::to_string(count) + ", expected at most " +
                std::to_string(maxParts));
  auto number = one->integer("split.no", error);
  if (!error.empty())
    return nullptr;
  if (!number || *number >= count)
    return fail("key 'split.no' is " + (number ? std::to_string(*number) : "missing") + ", expected 0 to " +
                std::to_string(count - 1));
  std::string suffix = partSuffix(*number + 1, count);
  if (!path.ends_with(suffix))
    return fail("is part " + std::to_string(*number + 1) + " of " + std::to_string(count) +
                ", expected a file name that ends in " + suffix);
  std::string stem = path.substr(0, path.size() - suffix.size());

  std::unique_ptr<GgufFile> whole;
  for (uint64_t i = 0; i < count; ++i) {
    std::unique_ptr<GgufFile> part;
    if (i == *number) {
      part = std::move(one);
    } else {
      auto map = MappedFile::open(stem + partSuffix(i + 1, count), error);
      if (!map) {
        error += ", a part of the model in " + path;
        return nullptr;
      }
      std::span<const uint8_t> bytes = map->bytes();
      std::string name = map->path();
      part = parseOne(bytes, name, std::move(map), error);
    }
    if (!part || !holds(*part, "split.no", i, error) || !holds(*part, "split.count", count, error))
      return nullptr;
    if (whole)
      whole->append(std::move(*part));
    else
      whole = std::move(part);
  }
  if (whole->value("split.tensors.count") &&
      !holds(*whole, "split.tensors.count", whole->tensors().size(), error))
    return nullptr;
  return whole->finish(error) ? std::move(whole) : nullptr;
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

const GgufValue *GgufFile::value(std::string_view wanted) const {
  auto it = std::lower_bound(byKey.begin(), byKey.end(), wanted,
                             [&](uint32_t i, std::string_view w) { return keys[i].first < w; });
  return it != byKey.end() && keys[*it].first == wanted ? &keys[*it].second : nullptr;
}

static const char *typeName(const GgufValue &v) {
  static const char *const names[] = {
      "an unsigned integer", "a signed integer", "a floating-point number", "a bool", "a string", "an array"};
  return names[v.index()];
}

static std::nullopt_t mismatch(const std::string &path, std::string_view key, const char *expected,
                               const std::string &found, std::string &error) {
  error = path + ": key " + quotedText(key) + " is " + found + ", expected " + expected;
  return std::nullopt;
}

std::optional<uint64_t> GgufFile::integer(std::string_view key, std::string &error) const {
  const GgufValue *v = value(key);
  if (!v)
    return std::nullopt;
  if (auto *u = std::get_if<uint64_t>(v))
    return *u;
  auto *i = std::get_if<int64_t>(v);
  if (!i)
    return mismatch(path(), key, "an integer", typeName(*v), error);
  if (*i < 0)
    return mismatch(path(), key, "an integer that is not negative", std::to_string(*i), error);
  return static_cast<uint64_t>(*i);
}

std::optional<double> GgufFile::number(std::string_view key, std::string &error) const {
  const GgufValue *v = value(key);
  if (!v)
    return std::nullopt;
  if (auto *u = std::get_if<uint64_t>(v))
    return static_cast<double>(*u);
  if (auto *i = std::get_if<int64_t>(v))
    return static_cast<double>(*i);
  if (auto *d = std::get_if<double>(v))
    return *d;
  return mismatch(path(), key, "a number", typeName(*v), error);
}

std::optional<bool> GgufFile::boolean(std::string_view key, std::string &error) const {
  const GgufValue *v = value(key);
  if (!v)
    return std::nullopt;
  if (auto *b = std::get_if<bool>(v))
    return *b;
  return mismatch(path(), key, "a bool", typeName(*v), error);
}

std::optional<std::string_view> GgufFile::string(std::string_view key, std::string &error) const {
  const GgufValue *v = value(key);
  if (!v)
    return std::nullopt;
  if (auto *s = std::get_if<std::string_view>(v))
    return *s;
  return mismatch(path(), key, "a string", typeName(*v), error);
}

const GgufArray *GgufFile::array(std::string_view key, std::string &error) const {
  const GgufValue *v = value(key);
  if (!v)
    return nullptr;
  if (auto *a = std::get_if<GgufArray>(v))
    return a;
  mismatch(path(), key, "an array", typeName(*v), error);
  return nullptr;
}
