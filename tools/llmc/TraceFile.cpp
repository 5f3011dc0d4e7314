//===- TraceFile.cpp - a trace, read back ---------------------------------===//
#include "tools/llmc/TraceFile.h"
#include "tools/llmc/Common.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <map>
#include <nlohmann/json.hpp>

namespace llmc::cli {

using Json = nlohmann::json;

constexpr uint64_t mostBytes = uint64_t(1) << 31; // of trace.json

std::string ValuePlace::text() const { return layer < 0 ? name : fmt::format("{}.{}", layer, name); }

namespace {

/// The fields of one record; every failure names the file and the record.
class Fields {
public:
  Fields(const std::string &file, const Json &object, size_t index)
      : file(file), object(object), index(index) {}

  [[noreturn]] void fail(const char *field, const char *expected) const {
    throw Failure(fmt::format("{}: record {}: '{}': expected {}", file, index, field, expected));
  }
  const Json &at(const char *field, const char *expected) const {
    auto found = object.find(field);
    if (found == object.end())
      fail(field, expected);
    return *found;
  }
  uint64_t whole(const char *field) const {
    const Json &value = at(field, "a whole number");
    if (!value.is_number_unsigned())
      fail(field, "a whole number");
    return value.get<uint64_t>();
  }
  std::string text(const char *field) const { // empty where it is absent or null
    auto found = object.find(field);
    if (found == object.end() || found->is_null())
      return {};
    if (!found->is_string())
      fail(field, "a string");
    return found->get<std::string>();
  }
  double number(const Json &stats, const char *field) const {
    auto found = stats.find(field);
    if (found == stats.end() || !found->is_number())
      fail("stats", "numbers min, max, mean, std, rms, nan, inf");
    return found->get<double>();
  }
  uint64_t count(const Json &stats, const char *field) const {
    auto found = stats.find(field);
    if (found == stats.end() || !found->is_number_unsigned())
      fail("stats", "whole numbers nan and inf");
    return found->get<uint64_t>();
  }

private:
  const std::string &file;
  const Json &object;
  size_t index;
};

using RowLists = std::map<std::pair<uint64_t, std::string>, const std::vector<TokenPlace> *>;

TraceRecord parseRecord(const Fields &fields, const RowLists &rowLists) {
  TraceRecord record;
  const Json &layer = fields.at("layer", "a number or null");
  if (!layer.is_null() && !(layer.is_number_unsigned() && layer.get<uint64_t>() <= UINT32_MAX))
    fields.fail("layer", "a number or null");
  record.place.layer = layer.is_null() ? -1 : layer.get<int64_t>();
  record.place.name = fields.text("value");
  if (record.place.name.empty()) {
    std::string where = fields.text("location");
    record.place.name =
        fmt::format("{}#{}", where.empty() ? fields.text("kernel") : where, fields.whole("result"));
  }
  const Json &shape = fields.at("shape", "rows and columns");
  if (!shape.is_array() || shape.size() != 2 || !shape[0].is_number_unsigned() ||
      !shape[1].is_number_unsigned())
    fields.fail("shape", "rows and columns");
  record.rows = shape[0].get<uint64_t>();
  record.columns = shape[1].get<uint64_t>();
  auto tokens = rowLists.find({fields.whole("step"), fields.text("rows")});
  if (tokens == rowLists.end() || tokens->second->size() != record.rows)
    fields.fail("rows", "rows that its step lists, as many as its shape says");
  record.tokens = tokens->second;
  record.checksum = fields.text("checksum");
  record.file = fields.text("file");
  auto isPlain = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || strchr("-_.", c); };
  if (!record.file.empty() && (!std::ranges::all_of(record.file, isPlain) || record.file[0] == '.'))
    fields.fail("file", "a plain name in the folder of the trace");
  const Json &stats = fields.at("stats", "an object");
  if (!stats.is_object())
    fields.fail("stats", "an object");
  record.min = fields.number(stats, "min");
  record.max = fields.number(stats, "max");
  record.mean = fields.number(stats, "mean");
  record.std = fields.number(stats, "std");
  record.rms = fields.number(stats, "rms");
  record.nan = fields.count(stats, "nan");
  record.inf = fields.count(stats, "inf");
  const Json &first = fields.at("first", "a list of numbers");
  if (!first.is_array())
    fields.fail("first", "a list of numbers");
  for (const Json &value : first) {
    if (!value.is_null() && !value.is_number())
      fields.fail("first", "a list of numbers");
    record.first.push_back(value.is_null() ? std::nullopt : std::optional(value.get<double>()));
  }
  return record;
}

std::unique_ptr<std::vector<TokenPlace>> parseRows(const Json &rows, const std::string &file) {
  auto list = std::make_unique<std::vector<TokenPlace>>();
  auto isNumber = [](const Json &n) {
    return n.is_number_unsigned() ? n.get<uint64_t>() <= INT32_MAX
                                  : n.is_number_integer() && n.get<int64_t>() == -1;
  };
  for (const Json &row : rows) {
    if (!row.is_array() || row.size() < 2 || !isNumber(row[0]) || !isNumber(row[1]))
      throw Failure(file + ": 'steps': expected rows of [sequence, position, id]");
    list->push_back({row[0].get<int32_t>(), row[1].get<int32_t>()});
  }
  return list;
}

} // namespace

TraceFile::TraceFile(std::string place) : folder(std::move(place)) {
  const std::string file = folder + "/trace.json";
  std::error_code error;
  if (uint64_t bytes = std::filesystem::file_size(file, error); !error && bytes > mostBytes)
    throw Failure(fmt::format("{}: {} bytes, at most {} are read", file, bytes, mostBytes));
  Json object = Json::parse(readText(file), nullptr, /*allow_exceptions=*/false);
  if (!object.is_object() || object.value("format", Json()) != "llmc trace")
    throw Failure(file + ": not a trace");
  if (object.value("version", Json()) != 1)
    throw Failure(file + ": a trace of another version; expected version 1");
  for (const char *field : {"steps", "records"})
    if (!object.contains(field) || !object[field].is_array())
      throw Failure(fmt::format("{}: '{}': expected a list", file, field));
  RowLists known;
  for (const Json &step : object["steps"]) {
    if (!step.is_object() || !step.contains("step") || !step["step"].is_number_unsigned() ||
        !step.contains("rows") || !step["rows"].is_object())
      throw Failure(file + ": 'steps': expected objects with a number and rows");
    for (const auto &[space, rows] : step["rows"].items()) {
      rowLists.push_back(parseRows(rows, file));
      known[{step["step"].get<uint64_t>(), space}] = rowLists.back().get();
    }
  }
  for (const Json &record : object["records"]) {
    if (!record.is_object())
      throw Failure(fmt::format("{}: record {}: expected an object", file, list.size()));
    list.push_back(parseRecord(Fields(file, record, list.size()), known));
  }
}

Matrix TraceFile::valuesOf(const TraceRecord &record) const {
  return readNpy(folder + "/" + record.file, record.rows, record.columns);
}

} // namespace llmc::cli
