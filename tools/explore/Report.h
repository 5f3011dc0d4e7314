//===- Report.h - a compile or a compiled model as one page -----*- C++ -*-===//
//
// `llmc explore`: what a folder of --dump-ir or a model.so holds, as one HTML file without anything outside
// of it. Nothing is executed, and no MLIR is needed: texts are read as texts.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_EXPLORE_REPORT_H
#define LLMC_TOOLS_EXPLORE_REPORT_H

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace llmc::explore {

/// A model.so that was checked; the spans are of the file.
struct ModuleParts {
  std::span<const uint8_t> elf, manifest;
  uint64_t fileBytes = 0, weightBytes = 0, tokenizerBytes = 0, tokenizerVocab = 0;
  std::string headHash, weightsHash, tokenizerKind; // kind is empty if there is no tokenizer
};

struct Report {
  std::string title;
  std::string data;                // JSON: what the page shows at once
  std::vector<std::string> chunks; // JSON: texts, unpacked when somebody looks at them
};

/// All of these throw std::runtime_error with one sentence that names the file. `profile` is the path of a
/// profile, or empty.
Report readDumpFolder(const std::string &folder, const std::string &profile);
Report readModule(const std::string &name, const ModuleParts &parts, const std::string &profile);

/// The page itself. It holds the report packed, so that nothing in it is taken for markup.
std::string makePage(const Report &report);

} // namespace llmc::explore
#endif
