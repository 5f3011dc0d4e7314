//===- linear_test.cpp - matrix products of a GPU, in the emulator --------===//
//
// Every scheme that has a kernel of its own, at odd shapes and numbers of rows, against double precision; the
// same bits for every number of rows and order of threads.
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

  /// Few rows and many are near double precision; those of both have the same bits.
  void check(double tolerance) {
    for (int64_t rows : {3, 17})
      EXPECT_LE(error(rows), tolerance) << rows << " rows";
    auto few = run(3), many = run(17);
    for (int64_t output = 0; output < outputs(); ++output)
      for (int64_t row = 0; row < 3; ++row)
        EXPECT_TRUE(sameBits(&few[output]->at(row, 0), &many[output]->at(row, 0), width(output)))
            << "row " << row;
  }
};

/// What fused kernels of models look like, at odd shapes.
std::vector<LinearSpec> specsOf(const char *scheme) {
  LinearSpec qkv = normedSpec(scheme, 640, {80, 16, 17}, Norm::Rms),
             gated = normedSpec(scheme, 1101, {50, 50}, Norm::Layer),
             bare = normedSpec(scheme, 97, {20}, Norm::Layer, /*hasGain=*/false),
             root = normedSpec(scheme, 99, {16}, Norm::Rms, /*hasGain=*/false);
  qkv.bias = gated.glu = true;
  gated.act = Activation::Silu;
  LinearSpec down = specOf(scheme, 1056, {33});
  down.residual = true;
  down.scale = 0.5;
  LinearSpec plain = specOf(scheme, 33, {1});
  return {qkv, gated, down, plain, bare, root};
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

TEST_P(Schemes, more_slices_than_are_added_at_a_time) {
  constexpr int64_t k = 2080; // five slices
  Random random(10);
  Linear linear(normedSpec(GetParam(), k, {20}, Norm::Rms), random);
  linear.check(toleranceOf(GetParam(), ActivationType::F32));
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

/// One panel of bf16 weights, times a power of two.
struct LargeWeights : Linear {
  static constexpr int64_t k = 64, n = quant::panelRows;
  uint16_t *packed;

  LargeWeights(ActivationType type, int exponent, Random &random) : Linear(specFor(type), random) {
    packed = reinterpret_cast<uint16_t *>(weights[0]->packed);
    for (int64_t i = 0; i < n * k; ++i) {
      weights[0]->values[i] = std::ldexp(weights[0]->values[i], exponent);
      packed[i] += exponent << 7;
    }
  }
  static LinearSpec specFor(ActivationType type) {
    LinearSpec spec = specOf("bf16", k, {n});
    spec.activations = type;
    return spec;
  }
};

/// Of about 1e34. Sums have room for them, as on CPUs.
TEST(Linear, weights_of_the_size_of_f32) {
  for (ActivationType type : {ActivationType::F32, ActivationType::F16, ActivationType::BF16}) {
    Random random(12);
    LargeWeights(type, 117, random).check(toleranceOf("bf16", type));
  }
}

/// A large number that is multiplied by zeros takes no bits from small ones beside it.
TEST(Linear, small_numbers_are_rounded_to_f16_as_they_are) {
  Random random(13);
  LargeWeights linear(ActivationType::F16, 20, random);
  std::fill_n(linear.packed, linear.n, 0); // column 0
  for (int64_t row = 0; row < linear.n; ++row)
    linear.weights[0]->values[row * linear.k] = 0;
  for (int64_t row = 0; row < maxRows; ++row) {
    for (int64_t column = 0; column < linear.k; ++column)
      linear.x.at(row, column) = std::ldexp(linear.x.at(row, column), -6);
    linear.x.at(row, 0) = 0x1p15;
  }
  linear.check(toleranceOf("bf16", ActivationType::F16));
}

/// Where K is not split a block goes through all slices; the sums are the same.
TEST(Linear, blocks_that_go_through_all_slices_give_the_same_bits) {
  for (const LinearSpec &spec : specsOf("q4_0")) {
    if (spec.k <= 512)
      continue;
    Random random(7), same(7);
    Linear split(spec, random), whole(spec, same, {}, 0);
    EXPECT_GT(split.runner.kernel().launches[0].blocks, whole.runner.kernel().launches[0].blocks);
    for (int64_t rows : {3, 11}) {
      auto one = split.run(rows), other = whole.run(rows);
      for (int64_t output = 0; output < split.outputs(); ++output)
        for (int64_t row = 0; row < rows; ++row)
          EXPECT_TRUE(sameBits(&one[output]->at(row, 0), &other[output]->at(row, 0), split.width(output)))
              << "k " << spec.k << ", row " << row << " of " << rows;
    }
  }
}

TEST(Linear, slices_of_very_different_size) {
  constexpr int64_t k = 1100; // 366 or so columns a slice
  const LinearSpec spec = normedSpec("q8_0", k, {48}, Norm::Rms, /*hasGain=*/false);
  for (int64_t mostGroups : {cuda::mostSplitGroups, int64_t(0)}) {
    Random random(8);
    Linear linear(spec, random, {}, mostGroups);
    for (int64_t row = 0; row < 17; ++row)
      for (int64_t column = 0; column < k; ++column)
        linear.x.at(row, column) *= std::ldexp(1.0f, ((column / 366 + row) % 3) * 20 - 30);
    linear.check(toleranceOf("q8_0", spec.activations));
  }
}

/// Lanes join what they know of 1024 columns at a time, with and without some that are left.
TEST(Linear, layer_norm_of_long_rows_far_off_zero) {
  for (int64_t k : {2048, 2077}) {
    Random random(14);
    Linear linear(normedSpec("q8_0", k, {16}, Norm::Layer), random);
    for (int64_t row = 0; row < maxRows; ++row)
      for (int64_t column = 0; column < k; ++column)
        linear.x.at(row, column) += float(100 + row);
    linear.check(toleranceOf("q8_0", ActivationType::F32));
  }
}

/// Then a warp that packs has two slices of a row, and here the next row behind them.
TEST(Linear, more_slices_than_a_block_has_warps) {
  constexpr int64_t k = 4640; // ten slices
  Random random(11);
  Linear linear(normedSpec("q8_0", k, {48}, Norm::Rms), random);
  linear.runner.mostRowBlocks = 2;
  linear.check(toleranceOf("q8_0", ActivationType::F32));
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
      auto few = linear.run(2), many = linear.run(18);
      EXPECT_TRUE(sameBits(&few[0]->at(1, 0), &many[0]->at(1, 0), linear.width(0))) << scheme;
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
