//===- WeightFile.cpp - the tensors of a model file -----------------------===//
#include "frontend/formats/WeightFile.h"

#include "frontend/formats/Gguf.h"
#include "frontend/formats/Quote.h"
#include "frontend/formats/Safetensors.h"

#include <algorithm>
#include <iterator>
#include <numeric>

using namespace llmc::formats;

std::string WeightTensor::typeName() const {
  if (type == otherType)
    return std::string(otherName);
  const GgmlTypeInfo *info = ggmlTypeInfo(type);
  return info ? info->name : "number " + std::to_string(type);
}

void WeightFile::addPart(const std::string &path, std::vector<WeightTensor> tensors,
                         std::unique_ptr<MappedFile> map) {
  for (WeightTensor &tensor : tensors) {
    tensor.part = static_cast<uint32_t>(partPaths.size());
    all.push_back(std::move(tensor));
  }
  partPaths.push_back(path);
  maps.push_back(std::move(map));
}

void WeightFile::append(WeightFile &&other) {
  for (WeightTensor &tensor : other.all) {
    tensor.part += static_cast<uint32_t>(partPaths.size());
    all.push_back(std::move(tensor));
  }
  std::move(other.partPaths.begin(), other.partPaths.end(), std::back_inserter(partPaths));
  std::move(other.maps.begin(), other.maps.end(), std::back_inserter(maps));
}

bool WeightFile::finish(std::string &error) {
  byName.resize(all.size());
  std::iota(byName.begin(), byName.end(), 0);
  std::sort(byName.begin(), byName.end(), [&](uint32_t a, uint32_t b) { return all[a].name < all[b].name; });
  for (size_t i = 1; i < byName.size(); ++i) {
    const WeightTensor &before = all[byName[i - 1]], &tensor = all[byName[i]];
    if (before.name != tensor.name)
      continue;
    error = partOf(tensor) + ": tensor " + quotedText(tensor.name) + " occurs twice";
    if (before.part != tensor.part)
      error += ", the other time in " + partOf(before);
    return false;
  }
  return true;
}

const WeightTensor *WeightFile::tensor(std::string_view wanted) const {
  auto it = std::lower_bound(byName.begin(), byName.end(), wanted,
                             [&](uint32_t i, std::string_view w) { return all[i].name < w; });
  return it != byName.end() && all[*it].name == wanted ? &all[*it] : nullptr;
}

void WeightFile::release(std::span<const uint8_t> data) const {
  const uint8_t *last = data.data() + data.size();
  for (const auto &map : maps)
    if (map && data.data() >= map->bytes().data() && last <= map->bytes().data() + map->bytes().size())
      map->release(data);
}

std::unique_ptr<WeightFile> WeightFile::open(const std::string &path, std::string &error) {
  auto map = MappedFile::open(path, error);
  if (!map)
    return nullptr;
  std::string_view head(reinterpret_cast<const char *>(map->bytes().data()), map->bytes().size());
  if (head.starts_with("GGUF"))
    return GgufFile::open(std::move(map), error);
  if (head.size() > 8 && head[8] == '{')
    return SafetensorsFile::open(std::move(map), error);
  if (size_t first = head.find_first_not_of(" \t\r\n"); first != head.npos && head[first] == '{')
    return SafetensorsFile::openIndex(std::move(map), error);
  const char *what = "is neither a GGUF file nor a safetensors file nor the index of one";
  if (head.starts_with("PK\x03\x04") || head.starts_with("\x80\x02"))
    what = "looks like a PyTorch checkpoint (pickle), which is a program; convert it to safetensors";
  else if (head.starts_with("version https://git-lfs"))
    what = "is a pointer of Git LFS, not the weights; fetch them with git lfs pull";
  else if (head.empty())
    what = "is empty";
  error = path + ": " + what;
  return nullptr;
}
