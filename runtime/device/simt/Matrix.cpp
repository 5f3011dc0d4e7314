// Fragments of lanes are put together to whole matrices, which plain loops over vectors then multiply: much
// of the emulator's time is spent here. Compiled for the CPUs that kernels are compiled for (x86-64-v3):
// nothing else may stand in this file.
#include "runtime/device/simt/Matrix.h"

#include <string.h>

namespace llmc::simt {
namespace {

/// How numbers are stored, and what they are summed in: Element in a word of A and B, `Sum` in C and D.
struct Halves {
  using Stored = _Float16;
  using Sum = float;
  static float widen(_Float16 x) { return x; }
  static void take(const uint32_t *c, int half, float *pair) { memcpy(pair, c + 2 * half, 8); }
  static void give(uint32_t *d, int half, const float *pair) { memcpy(d + 2 * half, pair, 8); }
};
struct Bfloats : Halves {
  using Stored = uint16_t;
  static float widen(uint16_t x) {
    const uint32_t bits = uint32_t(x) << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
  }
};
struct HalvesInHalves : Halves {
  static void take(const uint32_t *c, int half, float *pair) {
    _Float16 halves[2];
    memcpy(halves, c + half, 4);
    pair[0] = halves[0], pair[1] = halves[1];
  }
  static void give(uint32_t *d, int half, const float *pair) {
    const _Float16 halves[2] = {_Float16(pair[0]), _Float16(pair[1])};
    memcpy(d + half, halves, 4);
  }
};
struct Bytes {
  using Stored = int8_t;
  using Sum = int32_t;
  static int32_t widen(int8_t x) { return x; }
  static void take(const uint32_t *c, int half, int32_t *pair) { memcpy(pair, c + 2 * half, 8); }
  static void give(uint32_t *d, int half, const int32_t *pair) { memcpy(d + 2 * half, pair, 8); }
};

/// A of 16 x depth, B of depth x 8: each word holds consecutive elements along the depth, lane 4 g + t those
/// of row (or column) g, and of C and D columns 2 t and 2 t + 1 of rows g and g + 8.
template <typename Types> void multiply(const MatrixWords &of) {
  using Stored = typename Types::Stored;
  using Sum = typename Types::Sum;
  constexpr int packed = 4 / sizeof(Stored), depth = 8 * packed;
  alignas(32) Stored a[16][depth], b[depth][8];
  alignas(32) Sum wideA[16][depth], wideB[depth][8], sums[16][8];
  for (int lane = 0; lane < 32; ++lane) {
    const int group = lane / 4, part = lane % 4;
    const uint32_t *rows = of.rows[lane] + of.rowsAt, *columns = of.columns[lane] + of.columnsAt;
    for (int word = 0; word < 4; ++word)
      memcpy(&a[group + word % 2 * 8][word / 2 * depth / 2 + part * packed], &rows[word], 4);
    for (int word = 0; word < 2; ++word) {
      Stored elements[packed];
      memcpy(elements, &columns[word], 4);
      for (int i = 0; i < packed; ++i)
        b[word * depth / 2 + part * packed + i][group] = elements[i];
    }
    for (int half = 0; half < 2; ++half)
      Types::take(of.sums[lane] + of.sumsAt, half, &sums[group + half * 8][part * 2]);
  }
  for (int row = 0; row < 16; ++row)
    for (int k = 0; k < depth; ++k)
      wideA[row][k] = Types::widen(a[row][k]);
  for (int k = 0; k < depth; ++k)
    for (int column = 0; column < 8; ++column)
      wideB[k][column] = Types::widen(b[k][column]);
  using Row = Sum __attribute__((vector_size(8 * sizeof(Sum))));
  constexpr int atOnce = 8; // rows whose sums registers hold
  for (int row = 0; row < 16; row += atOnce) {
    Row total[atOnce];
    memcpy(total, sums[row], sizeof total);
    for (int k = 0; k < depth; ++k) { // ascending for each sum
      Row factor;
      memcpy(&factor, wideB[k], sizeof factor);
      for (int i = 0; i < atOnce; ++i)
        total[i] += wideA[row + i][k] * factor; // products are exact, fused or not
    }
    memcpy(sums[row], total, sizeof total);
  }
  for (int lane = 0; lane < 32; ++lane)
    for (int half = 0; half < 2; ++half)
      Types::give(of.out[lane] + of.outAt, half, &sums[lane / 4 + half * 8][lane % 4 * 2]);
}

} // namespace

void multiplyMatrices(uint32_t operation, const MatrixWords &words) {
  switch (operation) {
  case LLMC_SIMT_MMA_F16_F32:
    return multiply<Halves>(words);
  case LLMC_SIMT_MMA_BF16_F32:
    return multiply<Bfloats>(words);
  case LLMC_SIMT_MMA_F16_F16:
    return multiply<HalvesInHalves>(words);
  default:
    return multiply<Bytes>(words);
  }
}

} // namespace llmc::simt
