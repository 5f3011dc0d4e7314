//===- TensorTable.cpp - how the weights of a model are stored ------------===//
#include "tools/llmc/TensorTable.h"
#include "frontend/formats/Quote.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>

namespace llmc::cli {
namespace {

/// "blk.12.attn_q.weight" => "blk.{}.attn_q.weight" and 12; names without a number alone between dots stay.
std::string pattern(const std::string &name, std::string &number) {
  for (size_t at = 0; at < name.size(); ++at) {
    const bool isStart = at == 0 || name[at - 1] == '.';
    size_t end = at;
    while (end < name.size() && std::isdigit(static_cast<unsigned char>(name[end])))
      ++end;
    if (isStart && end > at && end - at < 8 && (end == name.size() || name[end] == '.')) {
      number = name.substr(at, end - at);
      // An expression of several tensors of one layer repeats the number.
      std::string text = name.substr(0, at) + "{}" + name.substr(end), again = "." + number + ".";
      for (size_t next; (next = text.find(again)) != std::string::npos;)
        text.replace(next, again.size(), ".{}.");
      return text;
    }
  }
  return name;
}

/// "0-3,5".
std::string ranges(std::vector<int> numbers) {
  std::sort(numbers.begin(), numbers.end());
  std::string text;
  for (size_t i = 0; i < numbers.size();) {
    size_t last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1)
      ++last;
    text += fmt::format("{}{}", text.empty() ? "" : ",", numbers[i]);
    if (last > i)
      text += fmt::format("-{}", numbers[last]);
    i = last + 1;
  }
  return text;
}

struct Group {
  std::string name;
  TensorLine first;
  std::vector<int> layers;
  uint64_t count = 0;
};

} // namespace

uint64_t TensorLine::values() const {
  uint64_t product = 1;
  for (uint64_t extent : shape)
    product *= extent;
  return product;
}

double TensorLine::bitsPerWeight() const {
  return values() ? 8 * static_cast<double>(bytes) / static_cast<double>(values()) : 0;
}

double bitsPerWeight(const std::vector<TensorLine> &tensors) {
  double bytes = 0, values = 0;
  for (const TensorLine &tensor : tensors) {
    bytes += static_cast<double>(tensor.bytes);
    values += static_cast<double>(tensor.values());
  }
  return values > 0 ? 8 * bytes / values : 0;
}

std::string bytesText(uint64_t bytes) {
  if (bytes < 10'000)
    return fmt::format("{} bytes", bytes);
  return bytes < 10'000'000 ? fmt::format("{:.1f} kB", double(bytes) / 1e3)
                            : fmt::format("{:.1f} MB", double(bytes) / 1e6);
}

std::string tensorTable(const std::vector<TensorLine> &tensors) {
  std::vector<Group> groups;
  std::map<std::string, size_t> known;
  for (const TensorLine &tensor : tensors) {
    std::string number, name = pattern(tensor.name, number);
    const std::string key = fmt::format("{} {} {} {}", name, tensor.scheme, tensor.shape, tensor.bytes);
    auto [at, isNew] = known.try_emplace(key, groups.size());
    if (isNew)
      groups.push_back({name, tensor, {}, 0});
    Group &group = groups[at->second];
    group.count += 1;
    if (!number.empty())
      group.layers.push_back(std::stoi(number));
  }
  std::vector<std::array<std::string, 5>> rows;
  std::array<size_t, 5> width = {};
  for (Group &group : groups) {
    std::string name = group.name;
    for (size_t at; !group.layers.empty() && (at = name.find("{}")) != std::string::npos;)
      name.replace(at, 2, "{" + ranges(group.layers) + "}");
    std::string bytes = bytesText(group.first.bytes);
    rows.push_back({formats::printableText(name), fmt::format("{}", fmt::join(group.first.shape, "x")),
                    formats::printableText(group.first.scheme),
                    group.count > 1 ? fmt::format("{} x {}", group.count, bytes) : bytes,
                    fmt::format("{:.2f} bits", group.first.bitsPerWeight())});
    for (size_t i = 0; i < width.size(); ++i)
      width[i] = std::max(width[i], rows.back()[i].size());
  }
  std::string text;
  for (const auto &row : rows)
    text += fmt::format("  {:<{}}  {:>{}}  {:<{}}  {:>{}}  {:>{}}\n", row[0], width[0], row[1], width[1],
                        row[2], width[2], row[3], width[3], row[4], width[4]);
  return text;
}

} // namespace llmc::cli
