// Whole kernels against plain loops, at odd sizes and in several orders of threads.
#include "tests/simt/KernelLibrary.h"

#include <bit>
#include <cmath>
#include <gtest/gtest.h>

using namespace llmc::test;

namespace {

std::vector<float> numbers(size_t n, uint32_t seed) {
  std::vector<float> result(n);
  for (float &x : result) {
    seed = seed * 1664525u + 1013904223u;
    x = float(int32_t(seed) >> 8) / float(1 << 23);
  }
  return result;
}

class Tiles : public testing::TestWithParam<std::tuple<bool, uint32_t>> {};

TEST_P(Tiles, rows_are_summed) {
  const auto [isInstrumented, seed] = GetParam();
  KernelLibrary library(kernelText("reduce"), isInstrumented);
  ASSERT_EQ(library.error(), "");
  library.emulator.options.seed = seed;
  for (uint32_t n : {1u, 127u, 128u, 1000u}) {
    const uint32_t rows = 5;
    const std::vector<float> in = numbers(n * rows, n);
    float *from = library.upload(in), *out = library.allocate<float>(rows);
    ASSERT_EQ(library.launch("row_sums", {rows}, {128}, from, out, n), "");
    for (uint32_t row = 0; row < rows; ++row) {
      double sum = 0;
      for (uint32_t i = 0; i < n; ++i)
        sum += in[row * n + i];
      EXPECT_NEAR(out[row], sum, 1e-6 * n); // rounding of n additions of numbers below 1
    }
    library.emulator.memory.free(from);
    library.emulator.memory.free(out);
  }
  EXPECT_EQ(library.emulator.memory.allocations(), 0u);
}

TEST_P(Tiles, products_of_matrices) {
  const auto [isInstrumented, seed] = GetParam();
  KernelLibrary library(kernelText("gemm"), isInstrumented);
  ASSERT_EQ(library.error(), "");
  library.emulator.options.seed = seed;
  const uint32_t m = 48, n = 24;
  for (uint32_t width : {16u, 48u, 80u}) {
    std::vector<_Float16> a, b;
    for (float x : numbers(m * width, 1))
      a.push_back(_Float16(x));
    for (float x : numbers(n * width, 2))
      b.push_back(_Float16(x));
    float *out = library.allocate<float>(m * n);
    ASSERT_EQ(
        library.launch("gemm", {m / 16, n / 8}, {32}, library.upload(a), library.upload(b), out, n, width),
        "");
    for (uint32_t row = 0; row < m; ++row)
      for (uint32_t column = 0; column < n; ++column) {
        double sum = 0;
        for (uint32_t k = 0; k < width; ++k)
          sum += double(a[row * width + k]) * double(b[column * width + k]);
        EXPECT_NEAR(out[row * n + column], sum, 1e-6 * width); // products are exact in f32, sums are rounded
      }
  }
}

INSTANTIATE_TEST_SUITE_P(Orders, Tiles,
                         testing::Combine(testing::Bool(), testing::Values(0u, 1u, 2u, 12345u)));

TEST(Counts, bytes_and_transactions_of_a_reduction) {
  KernelLibrary library(kernelText("reduce"), true);
  ASSERT_EQ(library.error(), "");
  library.emulator.options.counts = true;
  const uint32_t n = 1024, rows = 3;
  float *from = library.upload(numbers(n * rows, 1), "in"), *out = library.allocate<float>(rows, "out");
  ASSERT_EQ(library.launch("row_sums", {rows}, {128}, from, out, n), "");
  const auto &counts = library.emulator.counters().counts();
  ASSERT_EQ(counts.size(), 2u);
  const auto &in = counts.at({"row_sums", "in"}), &result = counts.at({"row_sums", "out"});
  EXPECT_EQ(in.loads, n * rows * 4);
  EXPECT_EQ(in.warpLoads, n * rows * 4);
  EXPECT_EQ(in.loadTransactions, n * rows * 4 / 128); // all full
  EXPECT_EQ(in.stores, 0u);
  EXPECT_EQ(result.stores, rows * 4);
  EXPECT_EQ(result.storeTransactions, rows);
}

TEST(Counts, what_blocks_read_again_is_distinct_once_a_launch) {
  // Rows that overlap: each begins half a row behind the one before.
  KernelLibrary library(kernelText("reduce", {{"%first = mul i32 %row, %n",
                                               "%half = lshr i32 %n, 1\n  %first = mul i32 %row, %half"}}),
                        true);
  ASSERT_EQ(library.error(), "");
  library.emulator.options.counts = true;
  const uint32_t n = 256, rows = 3;
  float *from = library.upload(numbers(2 * n, 1), "in"), *out = library.allocate<float>(rows, "out");
  for (uint64_t launches : {1, 2}) {
    ASSERT_EQ(library.launch("row_sums", {rows}, {128}, from, out, n), "");
    const auto &counts = library.emulator.counters().counts();
    const auto &in = counts.at({"row_sums", "in"}), &result = counts.at({"row_sums", "out"});
    EXPECT_EQ(in.warpLoads, launches * rows * n * 4);
    EXPECT_EQ(in.distinctLoads, launches * 2 * n * 4);
    EXPECT_EQ(in.distinctStores, 0u);
    EXPECT_EQ(result.distinctStores, launches * rows * 4);
    EXPECT_EQ(result.distinctLoads, 0u);
  }
}

TEST(Counts, a_stride_fills_a_part_of_each_transaction) {
  // Each lane takes every second float of its row.
  KernelLibrary library(
      kernelText("reduce", {{"%address = getelementptr float", "%address = getelementptr [2 x float]"}}),
      true);
  ASSERT_EQ(library.error(), "");
  library.emulator.options.counts = true;
  const uint32_t n = 256;
  float *from = library.upload(numbers(2 * n, 1), "in"), *out = library.allocate<float>(1, "out");
  ASSERT_EQ(library.launch("row_sums", {}, {128}, from, out, n), "");
  const auto &in = library.emulator.counters().counts().at({"row_sums", "in"});
  EXPECT_EQ(in.warpLoads, n * 4);
  EXPECT_EQ(in.loadTransactions, 2 * n * 4 / 128);
}

} // namespace
