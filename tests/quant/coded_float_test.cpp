//===- coded_float_test.cpp - bf16 in 12 bits ------------------------------===//
#include "ir/quant/CodedFloat.h"
#include "ir/quant/QuantScheme.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

using namespace llmc::quant;

namespace {

using Matrix = std::vector<std::vector<uint16_t>>; // bf16

const QuantScheme &scheme() { return *schemeByName("bf16z"); }

std::vector<const uint8_t *> pointersTo(const Matrix &rows) {
  std::vector<const uint8_t *> pointers;
  for (const auto &row : rows)
    pointers.push_back(row.empty() ? nullptr : reinterpret_cast<const uint8_t *>(row.data()));
  return pointers;
}

/// By the description of the layout, written a second time.
uint16_t elementOf(const std::vector<uint8_t> &panel, int64_t k, int64_t row, int64_t column) {
  const uint8_t *record = panel.data() + 64 + column / 8 * 192;
  const int64_t c = column % 8, at = row / 4 * 16 + row % 4 * 2 + (c & 1) + (c & 2) * 4;
  const uint8_t sign = record[c / 4 * 64 + at], code = record[128 + at] >> (c / 4 * 4) & 15;
  const int exponent = panel[code] << 1 | panel[16 + code] >> 7;
  uint32_t count;
  std::memcpy(&count, &panel[32], 4);
  const uint8_t *list = panel.data() + 64 + (k + 7) / 8 * 192;
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t place;
    std::memcpy(&place, list + 8 * i, 4);
    if (place == column * 16 + row) {
      EXPECT_EQ(code, 15);
      uint16_t bits;
      std::memcpy(&bits, list + 8 * i + 4, 2);
      return bits;
    }
  }
  return uint16_t((sign & 0x80) << 8 | exponent << 7 | (sign & 0x7f));
}

void expectExact(const Matrix &rows, int64_t k) {
  std::vector<uint8_t> panel(scheme().panelBytes(k), 0xee);
  ASSERT_TRUE(scheme().fits(pointersTo(rows), k));
  ASSERT_TRUE(scheme().packPanel(pointersTo(rows), k, panel.data()));
  for (int64_t row = 0; row < 16; ++row)
    for (int64_t column = 0; column < (k + 7) / 8 * 8; ++column) {
      const bool isThere = row < int64_t(rows.size()) && !rows[row].empty() && column < k;
      ASSERT_EQ(elementOf(panel, k, row, column), isThere ? rows[row][column] : 0) << row << ", " << column;
    }
}

uint16_t bfloat(int sign, int exponent, int mantissa) {
  return uint16_t(sign << 15 | exponent << 7 | mantissa);
}

/// Numbers of 13 exponents, `exceptions` of others.
Matrix someRows(int64_t n, int64_t k, int64_t exceptions, uint32_t seed) {
  std::mt19937 random(seed);
  Matrix rows(n, std::vector<uint16_t>(k));
  for (auto &row : rows)
    for (uint16_t &x : row)
      x = bfloat(random() % 2, 100 + random() % 13, random() % 128);
  for (int64_t i = 0; i < exceptions; ++i) // of exponents that are there once each, or a few times
    rows[i % n][i * 7 % k] = bfloat(i % 2, 130 + i % 100, i % 128);
  return rows;
}

TEST(CodedFloat, KeepsEveryBit) {
  for (int64_t k : {1, 7, 8, 100, 2048})
    for (int64_t n : {1, 5, 16})
      for (int64_t exceptions : {int64_t(0), int64_t(3), coded::mostExceptions(k)})
        if (exceptions <= k) {
          SCOPED_TRACE(std::to_string(n) + " rows of " + std::to_string(k) + ", " +
                       std::to_string(exceptions));
          expectExact(someRows(n, k, exceptions, 1), k);
        }
}

TEST(CodedFloat, KeepsZerosSubnormalsInfinitiesAndNaNs) {
  Matrix rows = someRows(16, 64, 0, 2);
  const uint16_t odd[] = {0x0000, 0x8000, 0x0001, 0x807f, 0x7f80, 0xff80, 0x7fc1, 0xffff, 0x0080};
  for (int i = 0; i < 9; ++i)
    rows[i][i * 7] = odd[i];
  expectExact(rows, 64);
  rows[3].clear(); // a row that is not there
  expectExact(rows, 64);
  expectExact(Matrix(16, std::vector<uint16_t>(64, 0)), 64);
}

// 15 exponents have codes, the rest has room for so many.
TEST(CodedFloat, SaysWhatDoesNotFit) {
  constexpr int64_t k = 64, room = coded::mostExceptions(k);
  for (int64_t exceptions : {room, room + 1}) {
    Matrix rows = someRows(16, k, 0, 3);
    // 13 exponents are frequent, two more have codes if they are there twice.
    for (int i = 0; i < 4; ++i)
      rows[i][0] = bfloat(0, 20 + i % 2, 1);
    for (int64_t i = 0; i < exceptions; ++i)
      rows[i % 16][1 + i / 16] = bfloat(0, 150 + int(i), 1);
    std::vector<uint8_t> panel(scheme().panelBytes(k));
    EXPECT_EQ(scheme().fits(pointersTo(rows), k), exceptions == room);
    EXPECT_EQ(scheme().packPanel(pointersTo(rows), k, panel.data()), exceptions == room);
    if (exceptions == room)
      expectExact(rows, k);
  }
}

// 12 bits a weight, and the table and the list.
TEST(CodedFloat, TakesThreeQuartersOfBF16) {
  for (int64_t k : {576, 2048, 8192})
    EXPECT_LT(double(scheme().panelBytes(k)), 0.77 * double(schemeByName("bf16")->panelBytes(k))) << k;
}

} // namespace
