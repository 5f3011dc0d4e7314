//===- TestData.h - random weights and buffers ------------------*- C++ -*-===//
#ifndef LLMC_TESTS_CODEGEN_TESTDATA_H
#define LLMC_TESTS_CODEGEN_TESTDATA_H

#include "ir/quant/QuantScheme.h"
#include "tests/support/RandomRows.h"

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

namespace llmc::test {

using Random = std::mt19937;

inline float uniform(Random &random, float low, float high) {
  return std::uniform_real_distribution<float>(low, high)(random);
}

/// An f32 matrix whose rows are padded to 16 columns; the padding holds NaN, so reading it shows.
struct Matrix {
  int64_t rows, columns, stride;
  std::vector<float> storage;
  float *data;
  Matrix(int64_t rows, int64_t columns)
      : rows(rows), columns(columns), stride((columns + 15) / 16 * 16), storage(rows * stride + 16, NAN),
        data(storage.data() + (64 - reinterpret_cast<uintptr_t>(storage.data()) % 64) / 4) {}
  Matrix(const Matrix &) = delete;
  float &at(int64_t r, int64_t c) { return data[r * stride + c]; }
  float at(int64_t r, int64_t c) const { return data[r * stride + c]; }
  void fill(Random &random, float low, float high) {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < columns; ++c)
        at(r, c) = uniform(random, low, high);
  }
};

/// N rows of a scheme: file blocks, packed panels, and the exact values.
struct Weights {
  const quant::QuantScheme &scheme;
  int64_t n, k;
  std::vector<std::vector<uint8_t>> rows;
  std::vector<uint8_t> storage;
  uint8_t *packed;
  std::vector<float> values; // [n][k]

  /// `bits` makes the bytes of the rows, one a call.
  template <typename Bits>
  Weights(const quant::QuantScheme &scheme, int64_t n, int64_t k, Bits &bits)
      : scheme(scheme), n(n), k(k), storage(scheme.packedBytes(n, k) + 64),
        packed(storage.data() + (64 - reinterpret_cast<uintptr_t>(storage.data()) % 64)), values(n * k) {
    for (int64_t r = 0; r < n; ++r) {
      rows.push_back(randomRow(scheme, k, bits));
      scheme.unpackRow(rows.back().data(), k, &values[r * k]);
    }
    pack();
  }
  /// The same numbers in a scheme that shares rows with theirs.
  Weights(const quant::QuantScheme &scheme, const Weights &other)
      : scheme(scheme), n(other.n), k(other.k), rows(other.rows), storage(scheme.packedBytes(n, k) + 64),
        packed(storage.data() + (64 - reinterpret_cast<uintptr_t>(storage.data()) % 64)),
        values(other.values) {
    pack();
  }
  Weights(const Weights &) = delete;
  /// After rows were changed. Values stay what they were.
  void repack() { pack(); }

private:
  void pack() {
    for (int64_t panel = 0; panel < scheme.panels(n); ++panel) {
      const uint8_t *sources[16] = {};
      for (int64_t r = 0; r < 16 && panel * 16 + r < n; ++r)
        sources[r] = rows[panel * 16 + r].data();
      if (!scheme.packPanel(sources, k, packed + panel * scheme.panelBytes(k)))
        std::abort(); // random rows fit every scheme
    }
  }
};

inline std::vector<float> paddedVector(int64_t n, Random &random, float low, float high) {
  std::vector<float> values((n + 15) / 16 * 16, 0.0f);
  for (int64_t i = 0; i < n; ++i)
    values[i] = uniform(random, low, high);
  return values;
}

inline bool sameBits(const float *a, const float *b, int64_t n) {
  return std::memcmp(a, b, n * sizeof(float)) == 0;
}

} // namespace llmc::test
#endif
