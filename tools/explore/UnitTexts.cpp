//===- UnitTexts.cpp - the code of kernels, stage by stage ----------------===//
#include "tools/explore/UnitTexts.h"

#include <algorithm>

using namespace llmc::explore;

void UnitTexts::add(const std::string &name, const std::string &stage, const std::vector<Line> &lines) {
  Unit &unit = units[name];
  unit.stages.push_back(stage);
  unit.texts.add(lines);
}

/// Lines without locations, and without what they are from: that is a line, told by the assembly.
static std::vector<Line> kernelLines(std::string_view text) {
  Places unused;
  std::vector<Line> lines = readLines(text, unused);
  for (Line &line : lines)
    line.places = 0;
  return lines;
}

void UnitTexts::addPass(const std::string &pass, std::string_view text) {
  constexpr std::string_view mark = "// ";
  size_t line = 1;
  while (text.starts_with(mark)) {
    size_t nameEnd = text.find('\n');
    if (nameEnd == std::string_view::npos)
      return;
    const std::string name(text.substr(mark.size(), nameEnd - mark.size()));
    size_t end = text.find("\n// ", nameEnd);
    end = end == std::string_view::npos ? text.size() : end + 1;
    std::string_view ours = text.substr(nameEnd + 1, end - nameEnd - 1);
    add(name, pass, kernelLines(ours));
    // Locations that have a name stand above the module. The last line of a text may be cut.
    size_t aliases = 0;
    for (size_t end; ours.starts_with('#') && (end = ours.find('\n')) != std::string_view::npos; ++aliases)
      ours.remove_prefix(end + 1);
    if (Unit &unit = units[name]; unit.stages.size() == 1)
      unit.firstLine = line + 1 + aliases;
    line += std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(end), '\n');
    text.remove_prefix(end);
  }
}

void UnitTexts::addFile(const std::string &unit, const std::string &stage, std::string_view text) {
  add(unit, stage, plainLines(text));
}

nlohmann::ordered_json UnitTexts::write(std::vector<std::string> &chunks) const {
  nlohmann::ordered_json table = nlohmann::ordered_json::object();
  for (const auto &[name, unit] : units) {
    table[name] = {{"chunk", chunks.size()}, {"stages", unit.stages}, {"line", unit.firstLine}};
    chunks.push_back(unit.texts.json());
  }
  return table;
}
