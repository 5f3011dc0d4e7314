//===- linear_test.cpp - matrix products of a GPU, in the emulator --------===//
//
// Every scheme that has a kernel of its own, at odd shapes and numbers of rows, against double precision; the
// same bits for every number of rows and order of threads; what is loaded, and in how many transactions.
//
//===----------------------------------------------------------------------===//
#include "GpuLinear.h"

#include <gtest/gtest.h>

using namespace llmc;
using namespace llmc::test;

namespace {

struct Linear : GpuLinear {
  using GpuLinear::GpuLinear;

  Outputs run(int64_t rows) {
    Outputs y;
    EXPECT_EQ(runner.error(), "");
    EXPECT_EQ(GpuLinear::run(rows, y), "");
    return y;
  }

  /// The largest error, relative to the size of a sum's terms.
  double error(int64_t rows) {
    auto y = run(rows);
    double largest = 0;
    for (int64_t row = 0; row < rows; ++row) {
      const std::vector<double> v = normed(row);
      for (int64_t output = 0; output < outputs(); ++output)
        for (int64_t column = 0; column < width(output); ++column) {
          auto [value, size] = expected(v, row, output, column);
          const double off = std::abs(y[output]->at(row, column) - value) / size;
          largest = off <= largest ? largest : off; // a NaN counts
        }
    }
    return largest;
  }
};

/// What fused kernels of models look like, at odd shapes.
std::vector<LinearSpec> specsOf(const char *scheme) {
  LinearSpec qkv = specOf(scheme, 320, {80, 16, 17}), gated = specOf(scheme, 100, {50, 50});
  qkv.norm = Norm::Rms;
  qkv.eps = 1e-5;
  qkv.normGain = qkv.bias = true;
  gated.norm = Norm::Layer;
  gated.eps = 1e-5;
  gated.normGain = gated.normBias = gated.glu = true;
  gated.act = Activation::Silu;
  LinearSpec down = specOf(scheme, 1056, {33});
  down.residual = true;
  down.scale = 0.5;
  LinearSpec plain = specOf(scheme, 33, {1});
  return {qkv, gated, down, plain};
}

/// Two planes of f16 hold 22 bits, of bf16 16; one has 11 or 8. Sums are of f32.
double toleranceOf(const char *scheme, ActivationType type) {
  const bool isBF16 = std::string(scheme) == "bf16";
  if (type == ActivationType::BF16)
    return 0x1p-9;
  return type == ActivationType::F16 ? 0x1p-12 : isBF16 ? 0x1p-17 : 2e-6;
}

class Schemes : public testing::TestWithParam<const char *> {};

TEST_P(Schemes, near_double_precision_and_the_same_bits_for_every_number_of_rows) {
  Random random(1);
  for (const LinearSpec &spec : specsOf(GetParam())) {
    Linear linear(spec, random);
    for (int64_t rows : {3, 17})
      EXPECT_LE(linear.error(rows), toleranceOf(GetParam(), spec.activations))
          << "k " << spec.k << ", " << rows << " rows";
    auto all = linear.run(33);
    uint32_t seed = 0;
    for (int64_t rows : {1, 7, 8, 9, 16, 18}) {
      linear.runner.emulator.options.seed = ++seed;
      linear.runner.mostRowBlocks = seed % 3 + 1;
      auto some = linear.run(rows);
      for (int64_t output = 0; output < linear.outputs(); ++output)
        for (int64_t row = 0; row < rows; ++row)
          ASSERT_TRUE(sameBits(&some[output]->at(row, 0), &all[output]->at(row, 0), linear.width(output)))
              << "row " << row << " of " << rows << ", k " << spec.k;
    }
  }
}

TEST_P(Schemes, numbers_of_any_size) {
  // Rows near the ends of f32, and one of zeros: no plane overflows.
  Random random(4);
  Linear linear(specOf(GetParam(), 64, {16}), random);
  for (int64_t row = 0; row < 20; ++row)
    for (int64_t column = 0; column < 64; ++column)
      linear.x.at(row, column) *= row == 3 ? 0.0f : std::ldexp(1.0f, int(row) * 8 - 64);
  for (int64_t rows : {8, 20}) {
    auto y = linear.run(rows);
    for (int64_t row = 0; row < rows; ++row) {
      const std::vector<double> v = linear.normed(row);
      for (int64_t column = 0; column < 16; ++column) {
        double size = 0;
        for (int64_t i = 0; i < 64; ++i)
          size += std::abs(v[i] * linear.weights[0]->values[column * 64 + i]);
        EXPECT_NEAR(y[0]->at(row, column), linear.expected(v, row, 0, column).first,
                    size * toleranceOf(GetParam(), ActivationType::F32))
            << "row " << row;
      }
    }
  }
}

TEST_P(Schemes, weights_are_loaded_once_in_whole_lines) {
  constexpr uint64_t k = 1024, n = 96, rows = 2;
  Random random(5);
  Linear linear(specOf(GetParam(), k, {n}), random);
  linear.runner.emulator.options.counts = true;
  linear.run(rows);
  const uint64_t bytes = linear.weights[0]->scheme.packedBytes(n, k);
  const auto &all = linear.runner.emulator.counters().counts();
  const simt::AccessCounts &counts = all.at({"linear_rows8", "weights"}), &x = all.at({"linear_rows8", "x"});
  EXPECT_EQ(counts.loads, bytes);
  EXPECT_EQ(counts.warpLoads, bytes);
  EXPECT_GE(double(counts.warpLoads), 0.8 * 128 * double(counts.loadTransactions));
  RecordProperty("filled", std::to_string(double(counts.warpLoads) / 128 / double(counts.loadTransactions)));
  EXPECT_EQ(x.distinctLoads, rows * 4 * k);
  const uint64_t reads = GetParam() == std::string("bf16") ? 1 : 2; // f16 wants the rows' scales first
  EXPECT_EQ(x.warpLoads, n / 32 * reads * rows * 4 * k);
  EXPECT_EQ(all.at({"linear_rows8", "y"}).warpStores, rows * 4 * n);
}

/// Beside a matrix of that size what else a block loads is little, even if it comes from memory once.
TEST(Linear, a_matrix_of_an_8b_is_loaded_once_in_whole_lines) {
  constexpr uint64_t k = 4096, n = 14336;
  Random random(6);
  Linear linear(specOf("q4_0", k, {n}), random);
  linear.runner.emulator.options.counts = true;
  linear.run(1);
  const auto &counts = linear.runner.emulator.counters().counts();
  const simt::AccessCounts &weights = counts.at({"linear_rows8", "weights"});
  const uint64_t bytes = linear.weights[0]->scheme.packedBytes(n, k);
  EXPECT_EQ(weights.warpLoads, bytes);
  EXPECT_GE(double(weights.warpLoads), 0.8 * 128 * double(weights.loadTransactions));
  EXPECT_EQ(counts.at({"linear_rows8", "y"}).warpStores, 4 * n);
  EXPECT_EQ(counts.at({"linear_rows8", "x"}).warpLoads, n / 32 * 2 * 4 * k) << "twice by each block";
  uint64_t all = 0;
  for (const auto &[key, moved] : counts)
    all += moved.distinctLoads + moved.distinctStores;
  EXPECT_GE(all, bytes + 4 * (k + n));
  EXPECT_LE(double(all), 1.1 * double(bytes + 4 * (k + n)));
}

TEST(Linear, rounded_activations) {
  Random random(2);
  for (const char *scheme : {"q4_1", "bf16"})
    for (ActivationType type : {ActivationType::F16, ActivationType::BF16}) {
      LinearSpec spec = specsOf(scheme)[0];
      spec.activations = type;
      Linear linear(spec, random);
      for (int64_t rows : {2, 18})
        EXPECT_LE(linear.error(rows), toleranceOf(scheme, type)) << scheme << ", " << rows << " rows";
    }
}

INSTANTIATE_TEST_SUITE_P(Kernels, Schemes, testing::Values("q4_0", "q4_1", "q8_0", "bf16", "f16"),
                         [](const auto &info) { return std::string(info.param); });

TEST(Linear, others_run_through_their_decomposition) {
  EXPECT_FALSE(cuda::hasLinear(specOf("f32", 64, {16})));
  EXPECT_FALSE(cuda::hasLinear(specOf("q4_k", 256, {16})));
  EXPECT_FALSE(cuda::hasLinear(specOf("iq4_nl", 64, {16})));
  LinearSpec mixed = specOf("q4_0", 64, {16, 16});
  mixed.weights[1].scheme = quant::schemeByName("q8_0");
  EXPECT_FALSE(cuda::hasLinear(mixed));
}

} // namespace
