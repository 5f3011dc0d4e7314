//===- WeightFile.h - random tensors of all types, and their floats -*- C++ -*-===//
#ifndef LLMC_TESTS_FRONTEND_WEIGHTFILE_H
#define LLMC_TESTS_FRONTEND_WEIGHTFILE_H

#include "TinyLlama.h"

#include "ir/quant/QuantScheme.h"

#include <cstring>

namespace llmc::test {

/// A GGUF of seeded random tensors, with the exact values that their bytes stand for.
struct WeightFile {
  struct Matrix {
    int64_t rows, columns;
    const quant::QuantScheme *scheme;
    std::string bytes;
    std::vector<float> values;
    float at(int64_t r, int64_t c) const { return values[r * columns + c]; }
  };

  void add(const std::string &name, std::vector<uint64_t> shape, const std::string &scheme) {
    Matrix m{
        int64_t(shape[0]), shape.size() > 1 ? int64_t(shape[1]) : 1, quant::schemeByName(scheme), "", {}};
    int64_t rowBytes = m.scheme->rowBytes(m.columns);
    for (int64_t i = 0; i < m.rows * rowBytes; ++i)
      m.bytes += static_cast<char>(random());
    // Scales and floats of random bits would be NaN or huge; their high bytes get a middle exponent.
    for (int64_t block = 0; block < m.rows * rowBytes; block += m.scheme->blockBytes)
      for (int64_t at : scaleBytes(*m.scheme))
        m.bytes[block + at] = static_cast<char>((m.bytes[block + at] & 0x81) | highBits(*m.scheme));
    m.values.resize(m.rows * m.columns);
    for (int64_t r = 0; r < m.rows; ++r)
      m.scheme->unpackRow(reinterpret_cast<const uint8_t *>(m.bytes.data()) + r * rowBytes, m.columns,
                          m.values.data() + r * m.columns);
    writer.addTensor(name, shape, m.scheme->ggmlType, m.bytes);
    tensors[name] = std::move(m);
  }

  const Matrix &operator[](const std::string &name) const { return tensors.at(name); }

  GgufWriter writer;

private:
  static std::vector<int64_t> scaleBytes(const quant::QuantScheme &s) {
    if (!s.isInteger())
      return {s.blockBytes - 1};
    return s.hasMin ? std::vector<int64_t>{1, 3} : std::vector<int64_t>{1};
  }
  static int highBits(const quant::QuantScheme &s) {
    return s.name == "f32" || s.name == "bf16" ? 0x3e : 0x30; // about 0.25 in each format
  }
  std::mt19937 random{7};
  std::map<std::string, Matrix> tensors;
};

} // namespace llmc::test
#endif
