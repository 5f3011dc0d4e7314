//===- NewFile.h - a file that appears when it is whole ---------*- C++ -*-===//
#ifndef LLMC_TOOLS_LLMC_NEWFILE_H
#define LLMC_TOOLS_LLMC_NEWFILE_H

#include "tools/llmc/Common.h"
#include "tools/llmc/Interrupt.h"

#include <optional>

namespace llmc::cli {

/// Written beside its place under another name, which finish() changes; without it nothing stays.
class NewFile {
public:
  explicit NewFile(std::string path);
  void write(const void *, size_t);
  void finish();
  const std::string &path() const { return place; }

private:
  std::string place;
  std::optional<UnfinishedFile> unfinished;
  std::unique_ptr<FILE, Deleter<std::fclose>> file;
};

} // namespace llmc::cli
#endif
