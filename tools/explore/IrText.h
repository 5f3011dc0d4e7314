//===- IrText.h - the text of a module, line by line ------------*- C++ -*-===//
//
// Dumps carry a location on every line. A page shows text without them, and knows of each line what it was
// made from, so that an op can be followed through all passes.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_EXPLORE_IRTEXT_H
#define LLMC_TOOLS_EXPLORE_IRTEXT_H

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace llmc::explore {

/// Places in sources ("model.mlir:12", "blk.{i}.attn_q") and the sets of them that ops were made from. Set 0
/// is empty.
class Places {
public:
  Places() { sets.push_back({}); }
  int setOf(std::vector<std::string> places); // sorted, each once
  const std::vector<std::vector<std::string>> &all() const { return sets; }

private:
  std::vector<std::vector<std::string>> sets;
  std::map<std::vector<std::string>, int> numbers;
};

struct Line {
  std::string text;
  int places = 0; // a set
};

/// The lines without locations and without the attribute that dumps keep their options in. A location behind
/// a closing brace is that of the op whose line opened it.
std::vector<Line> readLines(std::string_view text, Places &places);

/// The lines as they are, for assembly and LLVM IR.
std::vector<Line> plainLines(std::string_view text);

/// The entries of the first {…} of a line behind `from`; a flag has an empty value, strings are without
/// quotes. Empty if there is none, or if it does not end.
std::map<std::string, std::string, std::less<>> attributesOf(std::string_view line, size_t from = 0);

/// The end of what the bracket at `open` begins: behind its partner, or npos. Brackets inside of strings do
/// not count.
size_t endOfBrackets(std::string_view text, size_t open);

} // namespace llmc::explore
#endif
