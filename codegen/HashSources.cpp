//===- HashSources.cpp - which files a model was made from ----------------===//
#include "codegen/HashSources.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace llmc;
using namespace llmc::codegen;

constexpr size_t bytesAtOnce = 16 << 20; // between two words of progress

static std::string hexadecimal(XXH64_hash_t hash) { return llvm::formatv("{0:x-16}", hash).str(); }

static void update(XXH3_state_t &hash, const void *data, size_t bytes) {
  XXH3_64bits_update(&hash, data, bytes);
}

SourceHash codegen::hashOf(const formats::WeightFile &file, const ProgressFn &progress) {
  std::vector<const formats::WeightTensor *> tensors;
  for (const formats::WeightTensor &tensor : file.tensors())
    tensors.push_back(&tensor);
  llvm::sort(tensors, [](auto *a, auto *b) { return a->name < b->name; });
  XXH3_state_t hash;
  XXH3_64bits_reset(&hash);
  uint64_t bytes = 0, total = 0;
  for (const formats::WeightTensor *tensor : tensors)
    total += tensor->data.size();
  for (const formats::WeightTensor *tensor : tensors) {
    update(hash, tensor->name.c_str(), tensor->name.size() + 1);
    update(hash, &tensor->type, sizeof tensor->type);
    uint64_t rank = tensor->shape.size();
    update(hash, &rank, sizeof rank);
    update(hash, tensor->shape.data(), rank * sizeof(uint64_t));
    for (std::span<const uint8_t> left = tensor->data; !left.empty();) {
      const size_t now = std::min(left.size(), bytesAtOnce);
      update(hash, left.data(), now);
      left = left.subspan(now);
      progress("hash weights", bytes += now, total);
    }
    file.release(tensor->data);
  }
  return {file.path(), hexadecimal(XXH3_64bits_digest(&hash)), static_cast<int64_t>(bytes)};
}

std::vector<SourceHash> codegen::hashSources(llvm::ArrayRef<std::string> paths, formats::OpenFiles &files,
                                             const ProgressFn &progress) {
  std::vector<SourceHash> hashes;
  for (const std::string &path : paths) {
    std::string error;
    auto file = files.open(path, error);
    hashes.push_back(file ? hashOf(*file, progress) : SourceHash());
    hashes.back().path = path;
  }
  return hashes;
}

std::string codegen::hashText(llvm::StringRef bytes) {
  return hexadecimal(XXH3_64bits(bytes.data(), bytes.size()));
}
