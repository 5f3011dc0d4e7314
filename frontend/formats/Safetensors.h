//===- Safetensors.h - safetensors files as checked plain data --*- C++ -*-===//
//
// Reads one safetensors file, or all shards that a model.safetensors.index.json names. Tensors of the types
// F32, F16 and BF16 get the numbers that GGUF has for them; others that GGUF knows (I64, F64, ...) likewise,
// and the rest (U8, BOOL, F8_E4M3, ...) are listed by their names: they are there, but nothing computes with
// them.
// Format: https://github.com/huggingface/safetensors#format
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_FRONTEND_FORMATS_SAFETENSORS_H
#define LLMC_FRONTEND_FORMATS_SAFETENSORS_H

#include "frontend/formats/WeightFile.h"

namespace llmc::formats {

class SafetensorsFile : public WeightFile {
public:
  /// On failure null, and one sentence in `error` that names file and field.
  static std::unique_ptr<SafetensorsFile> open(std::unique_ptr<MappedFile> map, std::string &error);
  /// `map` is an index; its shards lie beside it. Tensors are those that the index names, each in the shard
  /// that it names.
  static std::unique_ptr<SafetensorsFile> openIndex(std::unique_ptr<MappedFile> map, std::string &error);
  /// One file in memory; the bytes must outlive the result; `name` stands for the path in errors.
  static std::unique_ptr<SafetensorsFile> parse(std::span<const uint8_t> bytes, const std::string &name,
                                                std::string &error);

private:
  using WeightFile::WeightFile;
};

} // namespace llmc::formats
#endif
