//===- Safetensors.cpp - safetensors files as checked plain data ----------===//
//
// A file is the length of its header (u64), the header (JSON), and the data. The tensors, in the order of
// their offsets, fill the data without gap or overlap, so that no byte is hidden or read as two tensors.
//
//===----------------------------------------------------------------------===//
#include "frontend/formats/Safetensors.h"

#include "frontend/formats/Json.h"
#include "frontend/formats/Quote.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <numeric>
#include <unordered_map>

using namespace llmc::formats;

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the length of the header is read in place");

namespace {

constexpr uint64_t maxHeader = 100'000'000;
constexpr size_t maxDims = 8;
constexpr size_t maxShards = 4096;
// A tensor takes about ten values: object, type, shape with its extents, offsets.
constexpr JsonLimits headerLimits{8, 16'000'000};

struct Dtype {
  const char *name;
  uint32_t bytes;
  uint32_t type; // WeightTensor::otherType: `other` is its name
  const char *other;
};

const Dtype *dtypeByName(std::string_view name) {
  constexpr uint32_t other = WeightTensor::otherType;
  auto number = [](GgmlType type) { return static_cast<uint32_t>(type); };
  static const Dtype table[] = {
      {"F32", 4, number(GgmlType::F32), ""},
      {"F16", 2, number(GgmlType::F16), ""},
      {"BF16", 2, number(GgmlType::BF16), ""},
      {"F64", 8, number(GgmlType::F64), ""},
      {"I8", 1, number(GgmlType::I8), ""},
      {"I16", 2, number(GgmlType::I16), ""},
      {"I32", 4, number(GgmlType::I32), ""},
      {"I64", 8, number(GgmlType::I64), ""},
      {"BOOL", 1, other, "bool"},
      {"U8", 1, other, "u8"},
      {"U16", 2, other, "u16"},
      {"U32", 4, other, "u32"},
      {"U64", 8, other, "u64"},
      {"F8_E4M3", 1, other, "f8_e4m3"},
      {"F8_E5M2", 1, other, "f8_e5m2"},
      {"F8_E8M0", 1, other, "f8_e8m0"},
      {"C64", 8, other, "c64"},
  };
  for (const Dtype &dtype : table)
    if (name == dtype.name)
      return &dtype;
  return nullptr;
}

/// One file: its tensors, in the order of their offsets.
class Reader {
public:
  Reader(std::span<const uint8_t> bytes, const std::string &path, std::string &error)
      : bytes(bytes), path(path), error(error) {}

  bool read(std::vector<WeightTensor> &tensors);

private:
  struct Span {
    uint64_t begin, end;
  };
  bool fail(const std::string &what) {
    error = path + ": " + what;
    return false;
  }
  bool readHeader(JsonValue &header);
  bool readTensor(const JsonMember &entry, WeightTensor &tensor, Span &span);
  bool readShape(const JsonValue &entry, const std::string &field, std::vector<uint64_t> &shape);
  bool readSpan(const JsonValue &entry, const std::string &field, Span &span);
  bool place(std::vector<WeightTensor> &tensors, const std::vector<Span> &spans);

  std::span<const uint8_t> bytes;
  const std::string &path;
  std::string &error;
  uint64_t dataStart = 0;
};

bool Reader::readHeader(JsonValue &header) {
  uint64_t length;
  if (bytes.size() < sizeof length)
    return fail("has " + std::to_string(bytes.size()) +
                " bytes, expected at least 8, the length of a safetensors header");
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > maxHeader)
    return fail("the header has " + std::to_string(length) + " bytes, expected at most " +
                std::to_string(maxHeader));
  if (length > bytes.size() - sizeof length)
    return fail("file ends inside the header, which has " + std::to_string(length) + " bytes; " +
                std::to_string(bytes.size() - sizeof length) + " are left");
  std::string_view text(reinterpret_cast<const char *>(bytes.data()) + sizeof length, length);
  if (!text.starts_with('{'))
    return fail("not a safetensors file: the header does not begin with '{'");
  std::string what;
  if (!parseJson(text, headerLimits, header, what))
    return fail("the header " + what);
  dataStart = sizeof length + length;
  return true;
}

bool Reader::readShape(const JsonValue &entry, const std::string &field, std::vector<uint64_t> &shape) {
  const JsonValue *value = entry.find("shape");
  if (!value || !value->array())
    return fail(field + " has the shape " + (value ? value->describe() : "missing") +
                ", expected an array of integers");
  if (value->array()->size() > maxDims)
    return fail(field + " has " + std::to_string(value->array()->size()) + " dimensions, expected at most " +
                std::to_string(maxDims));
  for (const JsonValue &extent : *value->array()) {
    if (!extent.integer() || *extent.integer() < 0)
      return fail(field + " has the extent " + extent.describe() +
                  ", expected an integer that is not negative");
    shape.push_back(static_cast<uint64_t>(*extent.integer()));
  }
  return true;
}

bool Reader::readSpan(const JsonValue &entry, const std::string &field, Span &span) {
  const JsonValue *value = entry.find("data_offsets");
  if (!value || !value->array() || value->array()->size() != 2)
    return fail(field + " has the data_offsets " + (value ? value->describe() : "missing") +
                ", expected an array of two integers");
  uint64_t *ends[] = {&span.begin, &span.end};
  for (size_t i = 0; i < 2; ++i) {
    const JsonValue &offset = (*value->array())[i];
    if (!offset.integer() || *offset.integer() < 0)
      return fail(field + " has the offset " + offset.describe() +
                  ", expected an integer that is not negative");
    *ends[i] = static_cast<uint64_t>(*offset.integer());
  }
  if (span.begin > span.end)
    return fail(field + " begins at offset " + std::to_string(span.begin) + " and ends at " +
                std::to_string(span.end));
  return true;
}

bool Reader::readTensor(const JsonMember &entry, WeightTensor &tensor, Span &span) {
  std::string field = "tensor " + quotedText(entry.key);
  if (!entry.value.object())
    return fail(field + " is " + entry.value.describe() + ", expected an object");
  for (const JsonMember &member : *entry.value.object())
    if (member.key != "dtype" && member.key != "shape" && member.key != "data_offsets")
      return fail(field + " has the key " + quotedText(member.key) +
                  ", expected dtype, shape and data_offsets");
  const JsonValue *name = entry.value.find("dtype");
  const Dtype *dtype = name && name->string() ? dtypeByName(*name->string()) : nullptr;
  if (!dtype)
    return fail(field + " has the dtype " + (name ? name->describe() : "missing") +
                ", expected one of F32, F16, BF16 (others are read, but not computed with)");
  tensor.name = entry.key;
  tensor.type = dtype->type;
  tensor.otherName = dtype->other;
  if (!readShape(entry.value, field, tensor.shape) || !readSpan(entry.value, field, span))
    return false;
  uint64_t size = dtype->bytes;
  for (uint64_t extent : tensor.shape)
    if (__builtin_mul_overflow(size, extent, &size))
      return fail(field + " has a shape whose number of bytes overflows");
  if (span.end - span.begin != size)
    return fail(field + " has " + std::to_string(span.end - span.begin) + " bytes, expected " +
                std::to_string(size) + " for its shape and dtype " + dtype->name);
  return true;
}

/// `tensors` in the order of their spans, which cover the data from its begin to its end.
bool Reader::place(std::vector<WeightTensor> &tensors, const std::vector<Span> &spans) {
  std::vector<uint32_t> order(spans.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return std::pair(spans[a].begin, spans[a].end) < std::pair(spans[b].begin, spans[b].end);
  });
  uint64_t room = bytes.size() - dataStart, end = 0;
  std::vector<WeightTensor> sorted;
  sorted.reserve(tensors.size());
  for (uint32_t i : order) {
    std::string field = "tensor " + quotedText(tensors[i].name);
    if (spans[i].begin != end)
      return fail(field + " begins at offset " + std::to_string(spans[i].begin) + " of the data, expected " +
                  std::to_string(end) + ", the end of the one before");
    end = spans[i].end;
    if (end > room)
      return fail(field + " ends at offset " + std::to_string(end) + " of the data, which has " +
                  std::to_string(room) + " bytes");
    tensors[i].data = bytes.subspan(dataStart + spans[i].begin, end - spans[i].begin);
    sorted.push_back(std::move(tensors[i]));
  }
  if (end != room)
    return fail("has " + std::to_string(room - end) + " bytes after the last tensor");
  tensors = std::move(sorted);
  return true;
}

bool Reader::read(std::vector<WeightTensor> &tensors) {
  JsonValue header;
  if (!readHeader(header))
    return false;
  std::vector<Span> spans;
  for (const JsonMember &entry : *header.object()) {
    if (entry.key == "__metadata__") {
      if (!entry.value.object())
        return fail("the key '__metadata__' is " + entry.value.describe() + ", expected an object");
      continue;
    }
    if (!readTensor(entry, tensors.emplace_back(), spans.emplace_back()))
      return false;
  }
  return place(tensors, spans);
}

/// The map of an index, from the name of a shard to the tensors it holds; shards in the order of their names.
using ShardMap = std::map<std::string, std::vector<std::string>>;

bool readIndex(const MappedFile &map, ShardMap &shards, std::string &error) {
  auto fail = [&](const std::string &what) {
    error = map.path() + ": " + what;
    return false;
  };
  std::string_view text(reinterpret_cast<const char *>(map.bytes().data()), map.bytes().size());
  JsonValue index;
  std::string what;
  if (text.size() > maxHeader)
    return fail("has " + std::to_string(text.size()) + " bytes, expected at most " +
                std::to_string(maxHeader));
  if (!parseJson(text, headerLimits, index, what))
    return fail(what);
  const JsonValue *named = index.find("weight_map");
  if (!named || !named->object())
    return fail("key 'weight_map' is " + (named ? named->describe() : "missing") +
                ", expected an object of tensor names and file names");
  for (const JsonMember &entry : *named->object()) {
    std::string field = "key 'weight_map': tensor " + quotedText(entry.key);
    const std::string *file = entry.value.string();
    if (!file)
      return fail(field + " is in " + entry.value.describe() + ", expected the name of a file");
    // A shard lies beside its index: nothing else of the machine can be named.
    if (file->empty() || *file == "." || *file == ".." ||
        file->find_first_of(std::string_view("/\\\0", 3)) != std::string::npos)
      return fail(field + " is in " + quotedText(*file) +
                  ", expected the plain name of a file beside the index");
    shards[*file].push_back(entry.key);
  }
  if (shards.size() > maxShards)
    return fail("names " + std::to_string(shards.size()) + " files, expected at most " +
                std::to_string(maxShards));
  return true;
}

/// Leaves those tensors of a shard that the index places there.
bool keepNamed(std::vector<WeightTensor> &tensors, const std::vector<std::string> &names,
               const std::string &shard, const std::string &index, std::string &error) {
  std::unordered_map<std::string_view, size_t> places;
  for (size_t i = 0; i < tensors.size(); ++i)
    places.emplace(tensors[i].name, i);
  std::vector<bool> isNamed(tensors.size());
  for (const std::string &name : names) {
    auto found = places.find(name);
    if (found == places.end()) {
      error = shard + ": there is no tensor " + quotedText(name) + ", which " + index + " places there";
      return false;
    }
    isNamed[found->second] = true;
  }
  std::vector<WeightTensor> kept;
  for (size_t i = 0; i < tensors.size(); ++i)
    if (isNamed[i])
      kept.push_back(std::move(tensors[i]));
  tensors = std::move(kept);
  return true;
}

} // namespace

std::unique_ptr<SafetensorsFile> SafetensorsFile::parse(std::span<const uint8_t> bytes,
                                                        const std::string &name, std::string &error) {
  std::unique_ptr<SafetensorsFile> file(new SafetensorsFile(name));
  std::vector<WeightTensor> tensors;
  if (!Reader(bytes, name, error).read(tensors))
    return nullptr;
  file->addPart(name, std::move(tensors), nullptr);
  return file->finish(error) ? std::move(file) : nullptr;
}

std::unique_ptr<SafetensorsFile> SafetensorsFile::open(std::unique_ptr<MappedFile> map, std::string &error) {
  std::string path = map->path();
  std::unique_ptr<SafetensorsFile> file(new SafetensorsFile(path));
  std::vector<WeightTensor> tensors;
  if (!Reader(map->bytes(), path, error).read(tensors))
    return nullptr;
  file->addPart(path, std::move(tensors), std::move(map));
  return file->finish(error) ? std::move(file) : nullptr;
}

std::unique_ptr<SafetensorsFile> SafetensorsFile::openIndex(std::unique_ptr<MappedFile> map,
                                                            std::string &error) {
  ShardMap shards;
  if (!readIndex(*map, shards, error))
    return nullptr;
  std::unique_ptr<SafetensorsFile> file(new SafetensorsFile(map->path()));
  std::filesystem::path folder = std::filesystem::path(map->path()).parent_path();
  for (const auto &[name, tensorNames] : shards) {
    std::string path = (folder / name).string();
    auto shard = MappedFile::open(path, error);
    std::vector<WeightTensor> tensors;
    if (!shard) {
      error += ", which " + map->path() + " names";
      return nullptr;
    }
    if (!Reader(shard->bytes(), path, error).read(tensors) ||
        !keepNamed(tensors, tensorNames, path, map->path(), error))
      return nullptr;
    file->addPart(path, std::move(tensors), std::move(shard));
  }
  return file->finish(error) ? std::move(file) : nullptr;
}
