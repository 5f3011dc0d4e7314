//===- OpenFiles.h - model files that are open already ----------*- C++ -*-===//
#ifndef LLMC_FRONTEND_FORMATS_OPENFILES_H
#define LLMC_FRONTEND_FORMATS_OPENFILES_H

#include "frontend/formats/WeightFile.h"

#include <map>

namespace llmc::formats {

/// Opens each file once and hands it on to whoever asks again: importer, packer and tokenizer read the same
/// one, and parsing a large vocabulary takes longer than anything else they do with it. For one thread.
class OpenFiles {
public:
  /// As WeightFile::open; spellings of one place are one file, which keeps the path of the first.
  std::shared_ptr<const WeightFile> open(const std::string &path, std::string &error);

private:
  std::map<std::string, std::shared_ptr<const WeightFile>> files;
};

} // namespace llmc::formats
#endif
