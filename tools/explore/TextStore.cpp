//===- TextStore.cpp - texts that share most of their lines ---------------===//
#include "tools/explore/TextStore.h"

#include <nlohmann/json.hpp>

using namespace llmc::explore;

size_t TextStore::add(const std::vector<Line> &lines) {
  std::vector<size_t> runs;
  for (const Line &line : lines) {
    const size_t next = runs.empty() ? table.size() : runs[runs.size() - 2] + runs.back();
    // The line behind the one before, where it is the same, keeps the run going, though another may be equal
    // too.
    size_t number = next;
    if (next >= table.size() || table[next] != line.text || places[next] != line.places) {
      std::string key = line.text + '\n' + std::to_string(line.places);
      auto [known, isNew] = numbers.try_emplace(std::move(key), table.size());
      if (isNew) {
        table.push_back(line.text);
        places.push_back(line.places);
      }
      number = known->second;
    }
    if (!runs.empty() && number == next)
      ++runs.back();
    else
      runs.insert(runs.end(), {number, 1});
  }
  texts.push_back(std::move(runs));
  return texts.size() - 1;
}

std::string TextStore::json() const {
  std::string lines;
  for (size_t i = 0; i < table.size(); ++i)
    lines += (i ? "\n" : "") + table[i];
  nlohmann::ordered_json json{{"lines", std::move(lines)}, {"texts", texts}};
  if (std::any_of(places.begin(), places.end(), [](int place) { return place != 0; }))
    json["places"] = places;
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}
