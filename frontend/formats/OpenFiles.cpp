//===- OpenFiles.cpp - model files that are open already ------------------===//
#include "frontend/formats/OpenFiles.h"

#include <filesystem>

namespace llmc::formats {

std::shared_ptr<const WeightFile> OpenFiles::open(const std::string &path, std::string &error) {
  std::error_code code;
  std::string place = std::filesystem::canonical(path, code).string();
  if (code)
    place = path; // opening it says what is wrong
  std::shared_ptr<const WeightFile> &file = files[place];
  if (!file)
    file = WeightFile::open(path, error);
  return file;
}

} // namespace llmc::formats
