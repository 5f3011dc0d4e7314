//===- TextStore.h - texts that share most of their lines -------*- C++ -*-===//
//
// What a pass leaves alone is stored once: a table of lines, and of each text runs of consecutive ones.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_EXPLORE_TEXTSTORE_H
#define LLMC_TOOLS_EXPLORE_TEXTSTORE_H

#include "tools/explore/IrText.h"

#include <string>
#include <unordered_map>
#include <vector>

namespace llmc::explore {

class TextStore {
public:
  /// Yields the number of the text.
  size_t add(const std::vector<Line> &lines);
  size_t size() const { return texts.size(); }

  /// {"lines": "a\nb", "places": [0, 2], "texts": [[first, count, first, count], …]}; what is not UTF-8 is
  /// replaced.
  std::string json() const;

private:
  std::vector<std::string> table; // lines
  std::vector<int> places;        // of each line
  std::unordered_map<std::string, size_t> numbers;
  std::vector<std::vector<size_t>> texts;
};

} // namespace llmc::explore
#endif
