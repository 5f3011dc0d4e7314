//===- WeightFile.h - the tensors of a model file ---------------*- C++ -*-===//
//
// One view of every format that holds weights: names, shapes, storage types and bytes, checked and mapped
// read-only. A model in several parts (shards, split files) looks like one file.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_FRONTEND_FORMATS_WEIGHTFILE_H
#define LLMC_FRONTEND_FORMATS_WEIGHTFILE_H

#include "frontend/formats/GgmlType.h"
#include "frontend/formats/MappedFile.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace llmc::formats {

class GgufFile;

struct WeightTensor {
  /// The type of a tensor whose storage has no number in GGUF.
  static constexpr uint32_t otherType = UINT32_MAX;

  std::string name;
  std::vector<uint64_t> shape;   // outermost first: [out, in] for a matrix
  uint32_t type = 0;             // a GgmlType, a number we do not know (data is then empty), or otherType
  std::span<const uint8_t> data; // at any address: load with memcpy
  uint32_t part = 0;             // which of the file's parts holds it
  std::string_view otherName;    // the format's name of an otherType: "u8"

  /// "q4_1"; "number 77" for an unknown one.
  std::string typeName() const;
};

/// Immutable after open; may be shared by threads.
class WeightFile {
public:
  /// Opens what `path` holds, told by its content: a GGUF file (with all parts of a split one, whichever is
  /// named), a safetensors file, or the index of a sharded one (model.safetensors.index.json). On failure
  /// returns null and fills `error` with one sentence that names file and field.
  static std::unique_ptr<WeightFile> open(const std::string &path, std::string &error);
  virtual ~WeightFile() = default;
  WeightFile(const WeightFile &) = delete;
  WeightFile &operator=(const WeightFile &) = delete;

  /// The file that stands for all parts in messages.
  const std::string &path() const { return name; }
  const std::vector<WeightTensor> &tensors() const { return all; } // in file order
  const WeightTensor *tensor(std::string_view name) const;         // null if absent
  /// Gives back the memory that a part of a tensor's data takes; reading it again is well.
  void release(std::span<const uint8_t> data) const;
  /// With the metadata of a GGUF file; null for other formats.
  virtual const GgufFile *gguf() const { return nullptr; }
  /// Paths of the files that hold the tensors.
  const std::vector<std::string> &parts() const { return partPaths; }
  const std::string &partOf(const WeightTensor &tensor) const { return partPaths[tensor.part]; }

protected:
  explicit WeightFile(std::string name) : name(std::move(name)) {}
  /// Takes over a part: its path, tensors and map (null when the bytes belong to the caller).
  void addPart(const std::string &path, std::vector<WeightTensor> tensors, std::unique_ptr<MappedFile> map);
  /// Takes over the parts of another file.
  void append(WeightFile &&other);
  /// Makes tensors findable, after the last part. False with a sentence if two have the same name.
  bool finish(std::string &error);

private:
  std::string name;
  std::vector<std::string> partPaths;
  std::vector<std::unique_ptr<MappedFile>> maps;
  std::vector<WeightTensor> all;
  std::vector<uint32_t> byName; // positions in `all`
};

} // namespace llmc::formats
#endif
