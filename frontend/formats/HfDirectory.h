//===- HfDirectory.h - the files of a Hugging Face checkpoint ---*- C++ -*-===//
#ifndef LLMC_FRONTEND_FORMATS_HFDIRECTORY_H
#define LLMC_FRONTEND_FORMATS_HFDIRECTORY_H

#include "frontend/formats/Json.h"

#include <optional>
#include <string>

namespace llmc::formats {

struct HfDirectory {
  std::string folder;
  std::string configPath;
  JsonValue config;
  std::string weights;   // a safetensors file or the index of its shards
  std::string tokenizer; // empty: there is none
  std::string name;      // what the model may be called

  /// `source` is the folder or a file in it; of weights by another name than usual, the file. On failure
  /// nothing, and one sentence in `error` that names the file.
  static std::optional<HfDirectory> open(const std::string &source, std::string &error);
};

} // namespace llmc::formats
#endif
