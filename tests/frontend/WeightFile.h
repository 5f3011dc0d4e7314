//===- WeightFile.h - random tensors of all types, and their floats -*- C++ -*-===//
#ifndef LLMC_TESTS_FRONTEND_WEIGHTFILE_H
#define LLMC_TESTS_FRONTEND_WEIGHTFILE_H

#include "TinyLlama.h"

#include "ir/quant/QuantScheme.h"
#include "tests/support/RandomRows.h"

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
    for (int64_t r = 0; r < m.rows; ++r) {
      std::vector<uint8_t> row = randomRow(*m.scheme, m.columns, random);
      m.bytes.append(row.begin(), row.end());
    }
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
  std::mt19937 random{7};
  std::map<std::string, Matrix> tensors;
};

} // namespace llmc::test
#endif
