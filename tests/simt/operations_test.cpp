// Single operations against what PTX says of them.
#include "tests/simt/KernelLibrary.h"

#include <bit>
#include <cmath>
#include <gtest/gtest.h>

using namespace llmc::test;
using llmc::simt::Extent;

namespace {

constexpr uint32_t seeds[] = {0, 1, 77};

class Operations : public testing::Test {
protected:
  void SetUp() override { ASSERT_EQ(library.error(), ""); }
  /// Runs a kernel of one warp that takes only the place for its rows of 32 words.
  template <typename... Values> void run(const char *name, Values... values) {
    for (uint32_t seed : seeds) {
      library.emulator.options.seed = seed;
      ASSERT_EQ(library.launch(name, {}, {32}, values...), "");
    }
  }
  KernelLibrary library{kernelText("operations"), /*isInstrumented=*/true};
  uint32_t *out = library.allocate<uint32_t>(10 * 32, "out");
};

TEST_F(Operations, shuffles_take_from_the_lanes_that_ptx_names) {
  run("shuffles", out);
  for (uint32_t lane = 0; lane < 32; ++lane) {
    const uint32_t half = lane & 16;
    EXPECT_EQ(out[0 * 32 + lane], (lane + 3 < 32 ? lane + 3 : lane) * 100);
    EXPECT_EQ(out[1 * 32 + lane], lane + 3 < 32);
    EXPECT_EQ(out[2 * 32 + lane], (lane >= 3 ? lane - 3 : lane) * 100);
    EXPECT_EQ(out[3 * 32 + lane], lane >= 3);
    EXPECT_EQ(out[4 * 32 + lane], (half | 5) * 100);
    EXPECT_EQ(out[5 * 32 + lane], (lane ^ 8) * 100);
  }
}

TEST_F(Operations, votes_count_the_lanes_of_the_mask) {
  run("votes", out);
  for (uint32_t lane = 0; lane < 16; ++lane) {
    EXPECT_EQ(out[0 * 32 + lane], 0u);
    EXPECT_EQ(out[1 * 32 + lane], 1u);
    EXPECT_EQ(out[2 * 32 + lane], 0u);
    EXPECT_EQ(out[3 * 32 + lane], 0xaaaau);
    EXPECT_EQ(out[4 * 32 + lane], 120u);
  }
  EXPECT_EQ(out[16], 0xffffffffu); // the other lanes wrote nothing
}

TEST_F(Operations, functions_are_exact) {
  std::vector<float> in(32);
  for (size_t i = 0; i < in.size(); ++i)
    in[i] = 0.1f + float(i) * 0.37f;
  run("functions", library.upload(in), out);
  for (size_t i = 0; i < in.size(); ++i) {
    auto value = [&](size_t row) { return std::bit_cast<float>(out[row * 32 + i]); };
    EXPECT_FLOAT_EQ(value(0), std::exp2(in[i]));
    EXPECT_FLOAT_EQ(value(1), 1 / std::sqrt(in[i]));
    EXPECT_FLOAT_EQ(value(2), 1 / in[i]);
    EXPECT_FLOAT_EQ(value(3), std::sqrt(in[i]));
    EXPECT_FLOAT_EQ(value(4), std::exp2(in[i]));
    // bytes 0xfe = -2, four times, by 3, 2, 1, 0, and 7
    EXPECT_EQ(int32_t(out[5 * 32 + i]), 7 - 2 * (3 + 2 + 1 + 0));
  }
}

TEST(Arithmetic, flushes_and_keeps_nans_as_its_name_says) {
  // Two operands in, then for each function its result.
  const char *functions[] = {"add.rn.f",   "add.rn.ftz.f", "mul.rn.ftz.f",  "fmax.f",
                             "fmax.nan.f", "fmax.ftz.f",   "fmin.ftz.nan.f"};
  std::string declarations, body = "  %y0 = getelementptr float, ptr addrspace(1) %out, i32 1\n"
                                   "  %a = load float, ptr addrspace(1) %out\n"
                                   "  %b = load float, ptr addrspace(1) %y0\n";
  for (size_t i = 0; i < std::size(functions); ++i) {
    const std::string name = "@llvm.nvvm." + std::string(functions[i]), number = std::to_string(i);
    declarations += "declare float " + name + "(float, float)\n";
    body += "  %r" + number + " = call float " + name + "(float %a, float %b)\n" + "  %p" + number +
            " = getelementptr float, ptr addrspace(1) %out, i32 " + std::to_string(i + 2) +
            "\n  store float %r" + number + ", ptr addrspace(1) %p" + number + "\n";
  }
  KernelLibrary library(kernelOf(body, declarations), true);
  ASSERT_EQ(library.error(), "");
  const float tiny = 1e-39f, nan = NAN;
  auto results = [&](float a, float b) {
    float *out = library.allocate<float>(16);
    out[0] = a, out[1] = b;
    EXPECT_EQ(library.launch("k", {}, {1}, out), "");
    return std::vector<float>(out + 2, out + 2 + std::size(functions));
  };
  EXPECT_EQ(results(tiny, tiny), (std::vector<float>{tiny + tiny, 0, 0, tiny, tiny, 0, 0}));
  EXPECT_EQ(results(-tiny, 1), (std::vector<float>{1, 1, 0, 1, 1, 1, 0}));
  EXPECT_EQ(results(1e-30f, 1e-10f)[2], 0); // a denormal result, too
  const std::vector<float> withNan = results(nan, 1);
  EXPECT_EQ(withNan[3], 1);
  EXPECT_TRUE(std::isnan(withNan[4]));
  EXPECT_EQ(withNan[5], 1);
  EXPECT_TRUE(std::isnan(withNan[6]));
}

TEST_F(Operations, bf16_is_rounded_to_nearest_and_even) {
  std::vector<uint32_t> in(64);
  for (size_t i = 0; i < in.size(); ++i)
    in[i] = 0x3f800000 + uint32_t(i) * 0x4000; // quarters of a step: below, on and above the middle
  in[62] = 0x7f800001, in[63] = 0x7f7fffff;    // a NaN, and what becomes infinite
  run("bfloats", library.upload(in), out);
  for (size_t i = 0; i < 62; ++i) {
    const uint32_t below = in[i] >> 16, rest = in[i] & 0xffff;
    const uint32_t expected = below + (rest > 0x8000 || (rest == 0x8000 && below % 2));
    EXPECT_EQ(out[i / 2] >> 16 * (i % 2) & 0xffff, expected) << i;
  }
  EXPECT_EQ(out[31], 0x7f807fc0u);
}

TEST_F(Operations, every_thread_knows_its_numbers) {
  for (uint32_t seed : seeds) {
    library.emulator.options.seed = seed;
    uint32_t *all = library.allocate<uint32_t>(6 * 32);
    ASSERT_EQ(library.launch("numbers", {2, 1, 3}, {8, 4}, all), "");
    for (uint32_t i = 0; i < 6 * 32; ++i)
      EXPECT_EQ(all[i], (i % 32 / 8 + 1) * 10) << i;
  }
}

TEST_F(Operations, matrices_come_in_fragments) {
  std::vector<uint16_t> in(32 * 8);
  for (size_t i = 0; i < in.size(); ++i)
    in[i] = uint16_t(i);
  run("matrices", library.upload(in), out);
  for (uint32_t lane = 0; lane < 32; ++lane) {
    auto pair = [](uint32_t low, uint32_t high) { return low | high << 16; };
    for (uint32_t matrix = 0; matrix < 4;
         ++matrix) { // element (row, column) is matrix * 64 + row * 8 + column
      const uint32_t row = lane % 4 * 2, column = lane / 4, first = matrix * 64 + row * 8 + column;
      EXPECT_EQ(out[matrix * 32 + lane], pair(first, first + 8));
    }
    const uint32_t first = lane / 4 * 8 + lane % 4 * 2;
    EXPECT_EQ(out[4 * 32 + lane], pair(first, first + 1));
  }
}

/// A and B of `depth` columns as fragments of words with 4 or 2 elements, and their product plus 1.
TEST_F(Operations, products_of_fragments_are_those_of_matrices) {
  for (int elementBytes : {1, 2}) {
    const int depth = 32 / elementBytes, packed = 4 / elementBytes;
    auto a = [](int row, int k) { return (row * 5 + k * 3) % 7 - 3; };
    auto b = [](int k, int column) { return (column * 4 + k) % 5 - 2; };
    for (const char *format : {"s8", "bf16", "f16"}) {
      if ((std::string(format) == "s8") != (elementBytes == 1))
        continue;
      auto bits = [&](int value) -> uint32_t {
        if (elementBytes == 1)
          return uint8_t(value);
        return std::string(format) == "bf16" ? std::bit_cast<uint32_t>(float(value)) >> 16
                                             : std::bit_cast<uint16_t>(_Float16(value));
      };
      std::vector<uint32_t> in(6 * 32);
      for (int lane = 0; lane < 32; ++lane)
        for (int word = 0; word < 6; ++word)
          for (int i = 0; i < packed; ++i) {
            const int group = lane / 4, k = lane % 4 * packed + i;
            const int value = word < 4 ? a(group + word % 2 * 8, k + word / 2 * depth / 2)
                                       : b(k + (word - 4) * depth / 2, group);
            in[size_t(word * 32 + lane)] |= bits(value) << (8 * elementBytes * i);
          }
      run("products", library.upload(in), out);
      for (int lane = 0; lane < 32; ++lane)
        for (int i = 0; i < 4; ++i) {
          const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
          int expected = 1;
          for (int k = 0; k < depth; ++k)
            expected += a(row, k) * b(k, column);
          const uint32_t *words = out + lane;
          if (std::string(format) == "s8")
            EXPECT_EQ(int32_t(words[i * 32]), expected);
          else if (std::string(format) == "bf16")
            EXPECT_EQ(std::bit_cast<float>(words[(4 + i) * 32]), float(expected));
          else
            EXPECT_EQ(float(std::bit_cast<_Float16>(uint16_t(words[(8 + i / 2) * 32] >> 16 * (i % 2)))),
                      float(expected));
        }
    }
  }
}

TEST_F(Operations, copies_are_done_when_they_are_waited_for) {
  std::vector<uint32_t> in(32);
  for (size_t i = 0; i < in.size(); ++i)
    in[i] = 0x01020304 + uint32_t(i);
  library.dynamicShared = 128;
  library.emulator.options.checksRaces = false; // it reads too early, to see that nothing is there
  uint32_t *from = library.upload(in);
  for (uint32_t bytes : {4u, 2u, 0u}) {
    run("copies", from, out, bytes);
    for (uint32_t lane = 0; lane < 32; ++lane) {
      EXPECT_EQ(out[lane], 0xffffffffu); // not there yet
      EXPECT_EQ(out[32 + lane], bytes == 4 ? in[lane] : bytes == 2 ? in[lane] & 0xffff : 0);
      EXPECT_EQ(out[64 + lane], in[2]);
    }
  }
}

TEST(Shared, variables_are_aligned_as_they_ask) {
  // Of the places that a smaller alignment gives, one in 64 would do; each library has its own.
  for (int i = 0; i < 3; ++i) {
    KernelLibrary library(kernelOf("  store i8 1, ptr addrspace(3) @byte\n"
                                   "  store <4 x i32> zeroinitializer, ptr addrspace(3) @wide, align 1024",
                                   "@byte = internal addrspace(3) global i8 undef\n"
                                   "@wide = internal addrspace(3) global [4 x i32] undef, align 1024"),
                          true);
    ASSERT_EQ(library.error(), "");
    EXPECT_EQ(library.launch("k", {}, {1}, library.allocate<uint32_t>(1)), "");
  }
}

TEST_F(Operations, a_launch_that_no_gpu_takes_is_refused) {
  const std::string start = "kernel 'shuffles': cannot be launched with ";
  EXPECT_EQ(library.launch("shuffles", {}, {1025}, out), start + "blocks of 1025 x 1 x 1 threads");
  EXPECT_EQ(library.launch("shuffles", {}, {1, 1, 65}, out), start + "blocks of 1 x 1 x 65 threads");
  EXPECT_EQ(library.launch("shuffles", {1, 65536}, {32}, out), start + "1 x 65536 x 1 blocks");
  EXPECT_EQ(library.launch("shuffles", {1, 1, 65536}, {32}, out), start + "1 x 1 x 65536 blocks");
  library.dynamicShared = (48 << 10) + 1;
  EXPECT_EQ(library.launch("shuffles", {}, {32}, out),
            "kernel 'shuffles': has 49153 bytes of shared memory, a block has no more than 49152");
}

TEST(Limits, of_a_kernel_hold) {
  KernelLibrary library("target triple = \"nvptx64-nvidia-cuda\"\n"
                        "@a = internal addrspace(3) global [40000 x i8] undef, align 16\n"
                        "@b = internal addrspace(3) global [40000 x i8] undef, align 16\n"
                        "define ptx_kernel void @small() \"nvvm.maxntid\"=\"64\" {\n"
                        "  store i8 0, ptr addrspace(3) @a\n  ret void\n}\n"
                        "define ptx_kernel void @plane() \"nvvm.maxntid\"=\"8,4,1\" {\n  ret void\n}\n"
                        "define ptx_kernel void @large() {\n"
                        "  store i8 0, ptr addrspace(3) @a\n  store i8 0, ptr addrspace(3) @b\n"
                        "  ret void\n}\n",
                        false);
  ASSERT_EQ(library.error(), "");
  EXPECT_EQ(library.launch("small", {}, {64}), "");
  EXPECT_EQ(library.launch("small", {}, {65}),
            "kernel 'small': has blocks of 65 threads, but was compiled for no more than 64");
  EXPECT_EQ(library.launch("plane", {}, {32}), "");
  EXPECT_NE(library.launch("plane", {}, {33}), "");
  EXPECT_EQ(library.launch("large", {}, {32}),
            "kernel 'large': has 80000 bytes of shared memory, a block has no more than 49152");
}

} // namespace
