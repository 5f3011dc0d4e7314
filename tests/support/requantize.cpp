//===- requantize.cpp - a GGUF file's tensors in another scheme -----------===//
//
// requantize IN.gguf OUT.gguf SCHEME [f32]: matrices of IN in SCHEME, vectors as they are, no metadata; with
// f32 the matrices as floats of exactly the values that SCHEME gives them. Rows that a file cannot hold in
// the scheme need f32.
//
//===----------------------------------------------------------------------===//
#include "GgufWriter.h"

#include "frontend/formats/Gguf.h"
#include "ir/quant/QuantScheme.h"
#include "ir/quant/quantize/Quantize.h"

#include <cstdio>

using namespace llmc;

int main(int argc, char **argv) {
  if (argc < 4)
    return 2;
  std::string error;
  auto file = formats::GgufFile::open(argv[1], error);
  const quant::Quantizer *quantizer = quant::quantizerByName(argv[3]);
  const quant::QuantScheme *to = quant::schemeByName(argv[3]);
  if (!file || !quantizer || !to) {
    std::fprintf(stderr, "%s\n", file ? "unknown scheme" : error.c_str());
    return 1;
  }
  const bool asFloat = argc > 4;
  test::GgufWriter writer;
  for (const auto &tensor : file->tensors()) {
    std::string data(reinterpret_cast<const char *>(tensor.data.data()), tensor.data.size());
    std::vector<uint64_t> shape(tensor.shape.begin(), tensor.shape.end());
    if (shape.size() < 2 || tensor.type == to->ggmlType) {
      writer.addTensor(tensor.name, shape, tensor.type, data);
      continue;
    }
    const quant::QuantScheme &from = *quant::schemeForGgmlType(tensor.type);
    const auto rows = static_cast<int64_t>(shape[0]), k = static_cast<int64_t>(shape[1]);
    std::vector<float> values(k);
    std::vector<uint8_t> bytes(quantizer->rowBytes(k));
    data.clear();
    for (int64_t r = 0; r < rows; ++r) {
      from.unpackRow(tensor.data.data() + r * from.rowBytes(k), k, values.data());
      quantizer->row(values.data(), k, bytes.data());
      if (asFloat) {
        to->unpackRow(bytes.data(), k, values.data());
        data.append(reinterpret_cast<const char *>(values.data()), k * sizeof(float));
      } else {
        data.append(bytes.begin(), bytes.end());
      }
    }
    writer.addTensor(tensor.name, shape, asFloat ? 0 : to->ggmlType, data);
  }
  return writer.write(argv[2]) ? 0 : 1;
}
