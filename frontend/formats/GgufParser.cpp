//===- GgufParser.cpp - one GGUF file to plain data -----------------------===//
//
// One pass over header, metadata and tensor table with a cursor that knows how many bytes remain; then the
// rules that concern several entries (duplicates, overlap). Names are compared through sorted indices, so
// that no choice of names makes a check quadratic.
//
//===----------------------------------------------------------------------===//
#include "frontend/formats/Gguf.h"

#include "frontend/formats/Quote.h"

#include <algorithm>
#include <cstring>
#include <numeric>

using namespace llmc::formats;

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "GGUF numbers are read in place");

namespace {

enum ValueType : uint32_t {
  U8 = 0,
  I8 = 1,
  U16 = 2,
  I16 = 3,
  U32 = 4,
  I32 = 5,
  F32 = 6,
  Bool = 7,
  String = 8,
  Array = 9,
  U64 = 10,
  I64 = 11,
  F64 = 12,
};

/// Bytes of a fixed-size value; 0 for strings, arrays and unknown numbers.
size_t scalarBytes(uint32_t type) {
  switch (type) {
  case U8:
  case I8:
  case Bool:
    return 1;
  case U16:
  case I16:
    return 2;
  case U32:
  case I32:
  case F32:
    return 4;
  case U64:
  case I64:
  case F64:
    return 8;
  default:
    return 0;
  }
}

constexpr uint64_t kMaxEntries = 1'000'000; // metadata keys, and tensors
constexpr uint64_t kMaxString = 64u << 20;  // bytes of one string
constexpr uint64_t kMaxKey = 65535;         // bytes of a key
constexpr uint64_t kMaxTensorName = 64;     // bytes of a tensor name
constexpr uint64_t kMaxArray = 1u << 24;    // elements of one array: 64 times the largest vocabularies
constexpr uint64_t kMinKvBytes = 8 + 4 + 1; // empty key, type, one byte
constexpr uint64_t kMinTensorBytes = 8 + 4 + 4 + 8;
constexpr uint64_t kDefaultAlignment = 32;

std::string decimal(uint64_t v) { return std::to_string(v); }

/// A position in the bytes. Every read names the field, for the error.
class Cursor {
public:
  Cursor(std::span<const uint8_t> bytes, const std::string &file, std::string &error)
      : bytes(bytes), file(file), error(error) {}

  bool fail(const std::string &what) {
    error = file + ": " + what;
    return false;
  }
  uint64_t remaining() const { return bytes.size() - pos; }
  uint64_t offset() const { return pos; }

  bool need(uint64_t n, const std::string &field) {
    if (n <= remaining())
      return true;
    return fail("file ends inside " + field + ": " + decimal(n) + " bytes needed at offset " + decimal(pos) +
                ", " + decimal(remaining()) + " left");
  }
  template <typename T> bool read(T &out, const std::string &field) {
    if (!need(sizeof(T), field))
      return false;
    std::memcpy(&out, bytes.data() + pos, sizeof(T));
    pos += sizeof(T);
    return true;
  }
  bool readString(std::string_view &out, uint64_t limit, const std::string &field) {
    uint64_t n;
    if (!read(n, "the length of " + field))
      return false;
    if (n > limit)
      return fail(field + " has " + decimal(n) + " bytes, expected at most " + decimal(limit));
    if (!need(n, field))
      return false;
    out = {reinterpret_cast<const char *>(bytes.data() + pos), static_cast<size_t>(n)};
    pos += n;
    return true;
  }
  const uint8_t *here() const { return bytes.data() + pos; }
  void skip(uint64_t n) { pos += n; }

private:
  std::span<const uint8_t> bytes;
  const std::string &file;
  std::string &error;
  uint64_t pos = 0;
};

template <typename T> double loadAs(const uint8_t *p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return static_cast<double>(v);
}

double loadNumber(uint32_t type, const uint8_t *p) {
  switch (type) {
  case U8:
  case Bool:
    return loadAs<uint8_t>(p);
  case I8:
    return loadAs<int8_t>(p);
  case U16:
    return loadAs<uint16_t>(p);
  case I16:
    return loadAs<int16_t>(p);
  case U32:
    return loadAs<uint32_t>(p);
  case I32:
    return loadAs<int32_t>(p);
  case F32:
    return loadAs<float>(p);
  case U64:
    return loadAs<uint64_t>(p);
  case I64:
    return loadAs<int64_t>(p);
  default:
    return loadAs<double>(p);
  }
}

bool readArray(Cursor &in, const std::string &field, GgufArray &out) {
  uint64_t n;
  if (!in.read(out.elementType, "the element type of " + field) || !in.read(n, "the length of " + field))
    return false;
  if (out.elementType == Array)
    return in.fail(field + " is an array of arrays, which is not supported");
  size_t each = out.elementType == String ? 8 : scalarBytes(out.elementType);
  if (each == 0)
    return in.fail(field + " has unknown element type " + decimal(out.elementType));
  if (n > kMaxArray)
    return in.fail(field + " has " + decimal(n) + " elements, expected at most " + decimal(kMaxArray));
  if (!in.need(n * each, field)) // cannot overflow: n <= kMaxArray
    return false;
  if (out.elementType == String) {
    out.strings.reserve(n);
    for (uint64_t i = 0; i < n; ++i) {
      std::string_view s;
      if (!in.readString(s, kMaxString, "an element of " + field))
        return false;
      out.strings.push_back(s);
    }
    return true;
  }
  out.numbers.resize(n);
  for (uint64_t i = 0; i < n; ++i)
    out.numbers[i] = loadNumber(out.elementType, in.here() + i * each);
  if (out.elementType == Bool)
    for (double v : out.numbers)
      if (v > 1)
        return in.fail(field + " has a bool element that is neither 0 nor 1");
  in.skip(n * each);
  return true;
}

bool readValue(Cursor &in, const std::string &field, uint32_t type, GgufValue &out) {
  if (type == String) {
    std::string_view s;
    if (!in.readString(s, kMaxString, field))
      return false;
    out = s;
    return true;
  }
  if (type == Array) {
    GgufArray a;
    if (!readArray(in, field, a))
      return false;
    out = std::move(a);
    return true;
  }
  size_t n = scalarBytes(type);
  if (n == 0)
    return in.fail(field + " has unknown value type " + decimal(type));
  if (!in.need(n, field))
    return false;
  const uint8_t *p = in.here();
  in.skip(n);
  switch (type) {
  case U8:
  case U16:
  case U32:
  case U64: {
    uint64_t v = 0;
    std::memcpy(&v, p, n);
    out = v;
    return true;
  }
  case I64: {
    int64_t v;
    std::memcpy(&v, p, n);
    out = v;
    return true;
  }
  case I8:
  case I16:
  case I32:
    out = static_cast<int64_t>(loadNumber(type, p));
    return true;
  case Bool:
    if (*p > 1)
      return in.fail(field + " is a bool with value " + decimal(*p) + ", expected 0 or 1");
    out = *p == 1;
    return true;
  default:
    out = loadNumber(type, p);
    return true;
  }
}

/// Positions of `items` in order of their names.
template <typename Items, typename Name> std::vector<uint32_t> sortedBy(const Items &items, Name name) {
  std::vector<uint32_t> order(items.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return name(items[a]) < name(items[b]); });
  return order;
}

std::string_view keyOf(const std::pair<std::string, GgufValue> &kv) { return kv.first; }

/// Reads one file.
class Parser {
public:
  Parser(std::span<const uint8_t> bytes, const std::string &path, std::string &error)
      : bytes(bytes), in(bytes, path, error) {}

  uint32_t version = 0;
  std::vector<GgufTensor> tensors;
  GgufMetadata metadata;
  std::vector<uint32_t> keyOrder;

  bool parse();

private:
  bool readHeader(uint64_t &nTensors, uint64_t &nKeys);
  bool readMetadata(uint64_t nKeys, uint64_t &alignment);
  bool readTensorInfo(GgufTensor &t, uint64_t &offset);
  bool placeTensors(uint64_t alignment, const std::vector<uint64_t> &offsets);

  std::span<const uint8_t> bytes;
  Cursor in;
};

bool Parser::readHeader(uint64_t &nTensors, uint64_t &nKeys) {
  char magic[4];
  if (!in.read(magic, "the magic"))
    return false;
  if (std::memcmp(magic, "GGUF", 4) != 0)
    return in.fail("not a GGUF file: the first four bytes are not 'GGUF'");
  if (!in.read(version, "the version"))
    return false;
  if (version != 0 && (version & 0xffff) == 0)
    return in.fail("a big-endian GGUF file, which is not supported; convert it to little-endian");
  if (version == 1)
    return in.fail("GGUF version 1, which is not supported; convert the model again to version 3");
  if (version != 2 && version != 3)
    return in.fail("GGUF version " + decimal(version) + ", expected 2 or 3");
  if (!in.read(nTensors, "the tensor count") || !in.read(nKeys, "the metadata count"))
    return false;
  if (nTensors > kMaxEntries)
    return in.fail("the tensor count is " + decimal(nTensors) + ", expected at most " + decimal(kMaxEntries));
  if (nKeys > kMaxEntries)
    return in.fail("the metadata count is " + decimal(nKeys) + ", expected at most " + decimal(kMaxEntries));
  uint64_t least = nKeys * kMinKvBytes + nTensors * kMinTensorBytes;
  if (least > in.remaining())
    return in.fail("header announces " + decimal(nKeys) + " keys and " + decimal(nTensors) +
                   " tensors, more than the " + decimal(in.remaining()) + " bytes left can hold");
  return true;
}

bool Parser::readMetadata(uint64_t nKeys, uint64_t &alignment) {
  alignment = kDefaultAlignment;
  metadata.reserve(nKeys);
  for (uint64_t i = 0; i < nKeys; ++i) {
    std::string_view key;
    uint32_t type;
    if (!in.readString(key, kMaxKey, "metadata key " + decimal(i)))
      return false;
    std::string field = "key " + quotedText(key);
    if (!in.read(type, "the type of " + field))
      return false;
    GgufValue value;
    if (!readValue(in, field, type, value))
      return false;
    if (key == "general.alignment") {
      if (type != U32)
        return in.fail(field + " has value type " + decimal(type) + ", expected 4 (u32)");
      alignment = std::get<uint64_t>(value);
      if (alignment < 8 || alignment > 65536 || (alignment & (alignment - 1)))
        return in.fail(field + " is " + decimal(alignment) + ", expected a power of two from 8 to 65536");
    }
    metadata.emplace_back(std::string(key), std::move(value));
  }
  keyOrder = sortedBy(metadata, keyOf);
  for (size_t i = 1; i < keyOrder.size(); ++i)
    if (metadata[keyOrder[i - 1]].first == metadata[keyOrder[i]].first)
      return in.fail("key " + quotedText(metadata[keyOrder[i]].first) + " occurs twice");
  return true;
}

bool Parser::readTensorInfo(GgufTensor &t, uint64_t &offset) {
  std::string_view name;
  if (!in.readString(name, kMaxTensorName, "the name of tensor " + decimal(tensors.size())))
    return false;
  t.name = name;
  std::string field = "tensor " + quotedText(name);
  uint32_t nDims;
  if (!in.read(nDims, "the dimension count of " + field))
    return false;
  if (nDims > 4)
    return in.fail(field + " has " + decimal(nDims) + " dimensions, expected at most 4");
  t.shape.resize(nDims);
  for (uint32_t d = 0; d < nDims; ++d) {
    uint64_t &extent = t.shape[nDims - 1 - d];
    if (!in.read(extent, "the shape of " + field))
      return false;
    if (extent == 0)
      return in.fail(field + " has an empty dimension " + decimal(d));
  }
  return in.read(t.type, "the type of " + field) && in.read(offset, "the offset of " + field);
}

bool Parser::placeTensors(uint64_t alignment, const std::vector<uint64_t> &offsets) {
  if (tensors.empty())
    return true;
  uint64_t dataStart = (in.offset() + alignment - 1) & ~(alignment - 1);
  if (dataStart > bytes.size())
    return in.fail("file ends before the tensor data, which starts at offset " + decimal(dataStart) +
                   "; it has " + decimal(bytes.size()) + " bytes");
  uint64_t room = bytes.size() - dataStart;
  for (size_t i = 0; i < tensors.size(); ++i) {
    GgufTensor &t = tensors[i];
    std::string field = "tensor " + quotedText(t.name);
    if (offsets[i] % alignment != 0)
      return in.fail(field + " has offset " + decimal(offsets[i]) + ", expected a multiple of " +
                     decimal(alignment));
    if (offsets[i] > room)
      return in.fail(field + " starts at offset " + decimal(offsets[i]) + " of the tensor data, which has " +
                     decimal(room) + " bytes");
    uint64_t values = 1;
    for (uint64_t extent : t.shape)
      if (__builtin_mul_overflow(values, extent, &values) || values > INT64_MAX)
        return in.fail(field + " has a shape whose number of values overflows");
    const GgmlTypeInfo *type = ggmlTypeInfo(t.type);
    if (!type)
      continue;
    uint64_t row = t.shape.empty() ? 1 : t.shape.back();
    if (row % type->blockValues != 0)
      return in.fail(field + " of type " + type->name + " has rows of " + decimal(row) +
                     " values, expected a multiple of " + decimal(type->blockValues));
    uint64_t size;
    if (__builtin_mul_overflow(values / type->blockValues, uint64_t(type->blockBytes), &size))
      return in.fail(field + " has a shape whose number of bytes overflows");
    if (size > room - offsets[i])
      return in.fail(field + " needs " + decimal(size) + " bytes at offset " + decimal(offsets[i]) +
                     " of the tensor data, which has " + decimal(room) + " bytes");
    t.data = bytes.subspan(dataStart + offsets[i], size);
  }
  auto byOffset = sortedBy(offsets, [](uint64_t o) { return o; });
  const GgufTensor *before = nullptr;
  uint64_t end = 0;
  for (uint32_t i : byOffset) {
    if (tensors[i].data.empty())
      continue;
    if (before && offsets[i] < end)
      return in.fail("tensors " + quotedText(before->name) + " and " + quotedText(tensors[i].name) +
                     " overlap");
    before = &tensors[i];
    end = offsets[i] + tensors[i].data.size();
  }
  return true;
}

bool Parser::parse() {
  uint64_t nTensors, nKeys, alignment;
  if (!readHeader(nTensors, nKeys) || !readMetadata(nKeys, alignment))
    return false;
  std::vector<uint64_t> offsets(nTensors);
  tensors.reserve(nTensors);
  for (uint64_t i = 0; i < nTensors; ++i) {
    GgufTensor t;
    if (!readTensorInfo(t, offsets[i]))
      return false;
    tensors.push_back(std::move(t));
  }
  return placeTensors(alignment, offsets);
}

} // namespace

std::unique_ptr<GgufFile> GgufFile::parseOne(std::span<const uint8_t> bytes, const std::string &name,
                                             std::unique_ptr<MappedFile> map, std::string &error) {
  Parser parser(bytes, name, error);
  if (!parser.parse())
    return nullptr;
  std::unique_ptr<GgufFile> file(new GgufFile(name));
  file->versionNumber = parser.version;
  file->keys = std::move(parser.metadata);
  file->byKey = std::move(parser.keyOrder);
  file->addPart(name, std::move(parser.tensors), std::move(map));
  return file->finish(error) ? std::move(file) : nullptr;
}

std::unique_ptr<GgufFile> GgufFile::parse(std::span<const uint8_t> bytes, const std::string &name,
                                          std::string &error) {
  return parseOne(bytes, name, nullptr, error);
}
