//===- extremes.cpp - a GGUF file whose quants are as large as can be -----===//
//
// extremes IN.gguf OUT.gguf: every quant of IN becomes the smallest or the largest that its type holds (-128
// or 127 as int8, which is 0 or 255 for units that multiply bytes without sign; all bits or none of others),
// in an order that looks random and is the same each time. Scales stay. Types that are not in the table stay
// as they are.
//
//===----------------------------------------------------------------------===//
#include "frontend/formats/Gguf.h"

#include <cstdio>
#include <fstream>
#include <iterator>

using namespace llmc;

namespace {

/// Where the quants of a block are.
struct Quants {
  const char *type;
  size_t blockBytes, first, count;
  uint8_t smallest, largest;
};
constexpr Quants table[] = {
    {"q4_0", 18, 2, 16, 0x00, 0xff}, {"q5_0", 22, 2, 20, 0x00, 0xff},   {"q8_0", 34, 2, 32, 0x80, 0x7f},
    {"q4_k", 144, 16, 128, 0, 0xff}, {"q6_k", 210, 0, 192, 0x00, 0xff},
};

} // namespace

int main(int argc, char **argv) {
  if (argc != 3)
    return 2;
  std::ifstream in(argv[1], std::ios::binary);
  std::vector<uint8_t> bytes(std::istreambuf_iterator<char>(in), {});
  std::string error;
  auto file = formats::GgufFile::parse(bytes, argv[1], error);
  if (!file) {
    std::fprintf(stderr, "%s\n", error.c_str());
    return 1;
  }
  size_t changed = 0;
  uint32_t random = 1;
  for (const auto &tensor : file->tensors())
    for (const Quants &quants : table) {
      if (tensor.typeName() != quants.type)
        continue;
      uint8_t *data = bytes.data() + (tensor.data.data() - bytes.data());
      for (size_t block = 0; block < tensor.data.size(); block += quants.blockBytes)
        for (size_t i = 0; i < quants.count; ++i, ++changed) {
          random = random * 1664525 + 1013904223;
          data[block + quants.first + i] = random >> 31 ? quants.largest : quants.smallest;
        }
    }
  std::ofstream out(argv[2], std::ios::binary);
  out.write(reinterpret_cast<const char *>(bytes.data()), std::streamsize(bytes.size()));
  out.close();
  if (changed == 0)
    std::fprintf(stderr, "%s: holds no type of the table\n", argv[1]);
  return out && changed ? 0 : 1;
}
