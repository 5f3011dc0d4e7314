//===- TestData.h - random weights and buffers ------------------*- C++ -*-===//
#ifndef LLMC_TESTS_CODEGEN_TESTDATA_H
#define LLMC_TESTS_CODEGEN_TESTDATA_H

#include "ir/quant/QuantScheme.h"

#include <cmath>
#include <cstdint>
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
  void fill(Random &random, float low, float high) {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < columns; ++c)
        at(r, c) = uniform(random, low, high);
  }
};

/// A half with exponent 2^-7 .. 2^-2 times a scale, any sign.
inline uint16_t randomHalf(Random &random) {
  return uint16_t((random() & 0x83ff) | (8 + random() % 6) << 10);
}

/// One row of random file blocks, every quant possible.
inline std::vector<uint8_t> randomRow(const quant::QuantScheme &scheme, int64_t k, Random &random) {
  std::vector<uint8_t> row(scheme.rowBytes(k));
  for (int64_t i = 0; i < k / scheme.blockValues; ++i) {
    uint8_t *block = row.data() + i * scheme.blockBytes;
    uint16_t half = randomHalf(random), minimum = randomHalf(random);
    float value = uniform(random, -1, 1);
    switch (scheme.storage) {
    case quant::Storage::Float32:
      std::memcpy(block, &value, 4);
      break;
    case quant::Storage::Float16:
      std::memcpy(block, &half, 2);
      break;
    case quant::Storage::BFloat16:
      std::memcpy(block, reinterpret_cast<uint8_t *>(&value) + 2, 2);
      break;
    default:
      for (int64_t b = 0; b < scheme.blockBytes; ++b)
        block[b] = uint8_t(random());
      std::memcpy(block, &half, 2);
      if (scheme.hasMin)
        std::memcpy(block + 2, &minimum, 2);
    }
  }
  return row;
}

/// N rows of a scheme: file blocks, packed panels, and the exact values.
struct Weights {
  const quant::QuantScheme &scheme;
  int64_t n, k;
  std::vector<std::vector<uint8_t>> rows;
  std::vector<uint8_t> storage;
  uint8_t *packed;
  std::vector<float> values; // [n][k]

  Weights(const quant::QuantScheme &scheme, int64_t n, int64_t k, Random &random)
      : scheme(scheme), n(n), k(k), storage(scheme.packedBytes(n, k) + 64),
        packed(storage.data() + (64 - reinterpret_cast<uintptr_t>(storage.data()) % 64)), values(n * k) {
    for (int64_t r = 0; r < n; ++r) {
      rows.push_back(randomRow(scheme, k, random));
      scheme.unpackRow(rows.back().data(), k, &values[r * k]);
    }
    for (int64_t panel = 0; panel < scheme.panels(n); ++panel) {
      const uint8_t *sources[16] = {};
      for (int64_t r = 0; r < 16 && panel * 16 + r < n; ++r)
        sources[r] = rows[panel * 16 + r].data();
      scheme.packPanel(sources, k, packed + panel * scheme.panelBytes(k));
    }
  }
  Weights(const Weights &) = delete;
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
