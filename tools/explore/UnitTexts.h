//===- UnitTexts.h - the code of kernels, stage by stage --------*- C++ -*-===//
//
// A unit is a kernel in a variant, or a function that kernels share. Its text after each pass is a stage; all
// stages of a unit make one chunk.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_EXPLORE_UNITTEXTS_H
#define LLMC_TOOLS_EXPLORE_UNITTEXTS_H

#include "tools/explore/TextStore.h"

#include <nlohmann/json.hpp>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace llmc::explore {

class UnitTexts {
public:
  /// A pass's file: units behind each other, each below a line "// NAME".
  void addPass(const std::string &pass, std::string_view text);
  void addFile(const std::string &unit, const std::string &stage, std::string_view text);

  /// Appends a chunk for each unit. Yields {"NAME": {"chunk": 3, "stages": ["emit-kernels", …], "line": 2}}.
  nlohmann::ordered_json write(std::vector<std::string> &chunks) const;

private:
  struct Unit {
    std::vector<std::string> stages;
    size_t firstLine = 0; // of the first stage, in its file
    TextStore texts;
  };
  void add(const std::string &unit, const std::string &stage, const std::vector<Line> &lines);
  std::map<std::string, Unit> units;
};

} // namespace llmc::explore
#endif
