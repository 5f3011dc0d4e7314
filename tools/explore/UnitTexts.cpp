//===- UnitTexts.cpp - the code of kernels, stage by stage ----------------===//
#include "tools/explore/UnitTexts.h"

using namespace llmc::explore;

void UnitTexts::add(const std::string &name, const std::string &stage, const std::vector<Line> &lines) {
  Unit &unit = units[name];
  unit.stages.push_back(stage);
  unit.texts.add(lines);
}

void UnitTexts::addPass(const std::string &pass, std::string_view text) {
  constexpr std::string_view mark = "// ";
  while (text.starts_with(mark)) {
    size_t nameEnd = text.find('\n');
    if (nameEnd == std::string_view::npos)
      return;
    const std::string name(text.substr(mark.size(), nameEnd - mark.size()));
    size_t end = text.find("\n// ", nameEnd);
    end = end == std::string_view::npos ? text.size() : end + 1;
    add(name, pass, plainLines(text.substr(nameEnd + 1, end - nameEnd - 1)));
    text.remove_prefix(end);
  }
}

void UnitTexts::addFile(const std::string &unit, const std::string &stage, std::string_view text) {
  add(unit, stage, plainLines(text));
}

nlohmann::ordered_json UnitTexts::write(std::vector<std::string> &chunks) const {
  nlohmann::ordered_json table = nlohmann::ordered_json::object();
  for (const auto &[name, unit] : units) {
    table[name] = {{"chunk", chunks.size()}, {"stages", unit.stages}};
    chunks.push_back(unit.texts.json());
  }
  return table;
}
