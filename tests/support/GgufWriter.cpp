//===- GgufWriter.cpp - GGUF bytes for tests ------------------------------===//
#include "tests/support/GgufWriter.h"

#include <cstdio>

using namespace llmc::test;

GgufWriter &GgufWriter::addRaw(std::string_view key, uint32_t type, std::string_view value) {
  metadata += string(key) + rawBytes(type);
  metadata += value;
  ++keys;
  return *this;
}

GgufWriter &GgufWriter::addTensor(std::string_view name, std::vector<uint64_t> shape, uint32_t type,
                                  std::string bytes, std::optional<uint64_t> offset) {
  infos += string(name) + rawBytes(static_cast<uint32_t>(shape.size()));
  for (size_t d = shape.size(); d-- > 0;)
    infos += rawBytes(shape[d]);
  infos += rawBytes(type) + rawBytes(offset.value_or(nextOffset));
  data += bytes;
  data.append((alignment - data.size() % alignment) % alignment, '\0');
  nextOffset = data.size();
  ++tensors;
  return *this;
}

std::string GgufWriter::bytes() const {
  std::string out =
      magic + rawBytes(version) + rawBytes(tensorCount.value_or(tensors)) + rawBytes(keyCount.value_or(keys));
  out += metadata + infos;
  if (!data.empty() || tensors)
    out.append((alignment - out.size() % alignment) % alignment, '\0');
  return out + data;
}

bool GgufWriter::write(const std::string &path) const {
  std::FILE *f = std::fopen(path.c_str(), "wb");
  if (!f)
    return false;
  std::string all = bytes();
  bool ok = std::fwrite(all.data(), 1, all.size(), f) == all.size();
  return std::fclose(f) == 0 && ok;
}
