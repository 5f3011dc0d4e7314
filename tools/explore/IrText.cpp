//===- IrText.cpp - the text of a module, line by line --------------------===//
#include "tools/explore/IrText.h"

#include <set>

using namespace llmc::explore;

constexpr size_t maxDepth = 32;    // of locations inside of locations
constexpr size_t mostPlaces = 100; // of one location

int Places::setOf(std::vector<std::string> places) {
  if (places.empty())
    return 0;
  auto [known, isNew] = numbers.try_emplace(std::move(places), static_cast<int>(sets.size()));
  if (isNew)
    sets.push_back(known->first);
  return known->second;
}

/// Behind the string that begins at `quote`, or npos.
static size_t endOfString(std::string_view text, size_t quote) {
  for (size_t at = quote + 1; at < text.size(); ++at)
    if (text[at] == '\\')
      ++at;
    else if (text[at] == '"')
      return at + 1;
  return std::string_view::npos;
}

size_t llmc::explore::endOfBrackets(std::string_view text, size_t open) {
  size_t depth = 0;
  for (size_t at = open; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"') {
      at = endOfString(text, at);
      if (at == std::string_view::npos)
        return at;
      --at;
    } else if (c == '(' || c == '[' || c == '{') {
      ++depth;
    } else if ((c == ')' || c == ']' || c == '}') && --depth == 0) {
      return at + 1;
    }
  }
  return std::string_view::npos;
}

static std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

static std::string_view trim(std::string_view text) {
  size_t begin = text.find_first_not_of(" \t\r"), end = text.find_last_not_of(" \t\r");
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin, end - begin + 1);
}

namespace {
using PlaceSet = std::set<std::string>;
using Aliases = std::map<std::string, PlaceSet, std::less<>>; // "#loc3" => its places

/// Collects the places of a location: `"file":1:2`, `"name"`, `"value"(place)`, `fused[…]`, `#loc3`.
class LocationReader {
public:
  LocationReader(const Aliases &aliases, PlaceSet &places) : aliases(aliases), places(places) {}

  void read(std::string_view text, size_t depth = 0) {
    text = trim(text);
    if (depth > maxDepth || text.empty())
      return;
    if (text[0] == '#') {
      if (auto alias = aliases.find(text.substr(0, text.find_first_of(" (,"))); alias != aliases.end())
        for (const std::string &place : alias->second)
          add(place);
    } else if (text[0] == '"') {
      readString(text, depth);
    } else if (text.starts_with("fused") || text.starts_with("callsite")) {
      size_t open = text.find_first_of(text[0] == 'f' ? "[" : "(");
      size_t end = open == std::string_view::npos ? open : endOfBrackets(text, open);
      if (end != std::string_view::npos)
        readList(text.substr(open + 1, end - open - 2), depth);
    }
  }

private:
  void add(std::string place) {
    if (places.size() < mostPlaces)
      places.insert(std::move(place));
  }

  void readString(std::string_view text, size_t depth) {
    size_t end = endOfString(text, 0);
    if (end == std::string_view::npos)
      return;
    std::string_view name = text.substr(1, end - 2), rest = text.substr(end);
    if (rest.starts_with("(")) { // a value's name around the place
      size_t close = endOfBrackets(rest, 0);
      if (close != std::string_view::npos)
        read(rest.substr(1, close - 2), depth + 1);
      return;
    }
    if (rest.starts_with(":")) {
      size_t number = rest.find_first_not_of("0123456789", 1);
      size_t slash = name.rfind('/');
      add(std::string(slash == std::string_view::npos ? name : name.substr(slash + 1)) +
          std::string(rest.substr(0, number)));
      return;
    }
    if (name != "-" && !name.empty())
      add(std::string(name));
  }

  void readList(std::string_view text, size_t depth) {
    size_t begin = 0;
    for (size_t at = 0; at < text.size(); ++at) {
      size_t next = at + 1;
      if (text[at] == '"')
        next = endOfString(text, at);
      else if (text[at] == '(' || text[at] == '[')
        next = endOfBrackets(text, at);
      else if (text[at] == ',') {
        read(text.substr(begin, at - begin), depth + 1);
        begin = next;
      }
      if (next == std::string_view::npos)
        return;
      at = next - 1;
    }
    read(text.substr(begin), depth + 1);
  }

  const Aliases &aliases;
  PlaceSet &places;
};
} // namespace

static bool isAlias(std::string_view line) { return line.starts_with("#loc") && line.find(" = loc(") < 16; }

/// A location stands behind those that it names, so each is read once, however often it is named.
static Aliases readAliases(const std::vector<std::string_view> &lines) {
  Aliases aliases;
  for (std::string_view line : lines) {
    if (!isAlias(line))
      continue;
    size_t open = line.find('('), end = endOfBrackets(line, open);
    if (end == std::string_view::npos)
      continue;
    PlaceSet places;
    LocationReader(aliases, places).read(line.substr(open + 1, end - open - 2));
    aliases.emplace(line.substr(0, line.find(' ')), std::move(places));
  }
  return aliases;
}

/// Where the next ` loc(` outside of strings begins.
static size_t findLocation(std::string_view line, size_t from) {
  for (size_t at = from; at < line.size(); ++at)
    if (line[at] == '"') {
      at = endOfString(line, at);
      if (at == std::string_view::npos)
        return at;
      --at;
    } else if (line.substr(at).starts_with(" loc(")) {
      return at;
    }
  return std::string_view::npos;
}

/// What stands in `module attributes {llmc.dump = …}` is for compiles that start there, not for people.
static std::string withoutOptions(std::string_view line) {
  constexpr std::string_view begin = "module attributes {llmc.dump = ";
  if (!line.starts_with(begin))
    return std::string(line);
  size_t end = endOfBrackets(line, line.find('{'));
  return end == std::string_view::npos ? "module {" : "module" + std::string(line.substr(end));
}

std::vector<Line> llmc::explore::readLines(std::string_view text, Places &places) {
  std::vector<std::string_view> raw = split(text);
  const Aliases aliases = readAliases(raw);
  std::vector<Line> lines;
  std::vector<size_t> open; // lines whose region is not closed yet
  for (std::string_view line : raw) {
    if (isAlias(line))
      continue;
    PlaceSet found;
    std::string kept;
    for (size_t at = 0;;) {
      size_t location = findLocation(line, at);
      size_t end = location == std::string_view::npos ? location : endOfBrackets(line, location + 4);
      if (end == std::string_view::npos) {
        kept += line.substr(at);
        break;
      }
      kept += line.substr(at, location - at);
      found.clear(); // the last one is the op's, others are of its arguments
      LocationReader(aliases, found).read(line.substr(location + 5, end - location - 6));
      at = end;
    }
    kept = withoutOptions(kept);
    while (!kept.empty() && (kept.back() == ' ' || kept.back() == '\r'))
      kept.pop_back();
    const int set = places.setOf({found.begin(), found.end()});
    std::string_view word = trim(kept);
    if (word.starts_with("}") && !open.empty()) {
      if (set)
        lines[open.back()].places = set;
      open.pop_back();
    }
    const bool opens = word.ends_with("{");
    if (opens)
      open.push_back(lines.size());
    lines.push_back({std::move(kept), opens ? 0 : set});
  }
  while (!lines.empty() && lines.back().text.empty())
    lines.pop_back();
  return lines;
}

std::vector<Line> llmc::explore::plainLines(std::string_view text) {
  std::vector<Line> lines;
  for (std::string_view line : split(text))
    lines.push_back({std::string(line), 0});
  return lines;
}

std::map<std::string, std::string, std::less<>> llmc::explore::attributesOf(std::string_view line,
                                                                            size_t from) {
  std::map<std::string, std::string, std::less<>> entries;
  size_t open = line.find('{', from);
  size_t end = open == std::string_view::npos ? open : endOfBrackets(line, open);
  if (end == std::string_view::npos)
    return entries;
  std::string_view body = line.substr(open + 1, end - open - 2);
  size_t begin = 0;
  auto add = [&](std::string_view entry) {
    size_t equals = entry.find(" = ");
    std::string_view key = trim(entry.substr(0, equals));
    std::string_view value =
        equals == std::string_view::npos ? std::string_view() : trim(entry.substr(equals + 3));
    if (value.size() > 1 && value[0] == '"' && value.back() == '"')
      value = value.substr(1, value.size() - 2);
    if (!key.empty())
      entries.emplace(key, value);
  };
  for (size_t at = 0; at < body.size();) {
    size_t next = at + 1;
    if (body[at] == '"')
      next = endOfString(body, at);
    else if (body[at] == '(' || body[at] == '[' || body[at] == '{')
      next = endOfBrackets(body, at);
    else if (body[at] == ',') {
      add(body.substr(begin, at - begin));
      begin = next;
    }
    if (next == std::string_view::npos)
      return {};
    at = next;
  }
  add(body.substr(begin));
  return entries;
}
