// Kernels with one mistake each: the emulator finds it, in every order of threads it is asked for, and says
// where.
#include "tests/simt/KernelLibrary.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace llmc::test;

namespace {

constexpr uint32_t seeds[] = {1, 2, 3};

struct Outcome {
  std::string error;
  bool isRight = false; // the numbers
};

/// Sums rows of ones of an odd length with a mistaken kernel.
Outcome sumRows(const std::map<std::string, std::string> &mistake, bool isInstrumented, uint32_t seed) {
  KernelLibrary library(kernelText("reduce", mistake), isInstrumented);
  EXPECT_EQ(library.error(), "");
  if (!library.error().empty())
    return {};
  library.emulator.options.seed = seed;
  const uint32_t n = 200, rows = 2;
  std::vector<float> in(n * rows);
  for (size_t i = 0; i < in.size(); ++i)
    in[i] = float(i % 7);
  float *out = library.allocate<float>(rows, "out");
  Outcome outcome;
  outcome.error = library.launch("row_sums", {rows}, {128}, library.upload(in, "in"), out, n);
  outcome.isRight = true;
  for (uint32_t row = 0; row < rows; ++row) {
    float sum = 0;
    for (uint32_t i = 0; i < n; ++i)
      sum += in[row * n + i];
    outcome.isRight &= out[row] == sum; // whole numbers: exact
  }
  return outcome;
}

/// A product of matrices with a mistaken kernel.
Outcome multiply(const std::map<std::string, std::string> &mistake, bool isInstrumented, uint32_t seed) {
  KernelLibrary library(kernelText("gemm", mistake), isInstrumented);
  EXPECT_EQ(library.error(), "");
  if (!library.error().empty())
    return {};
  library.emulator.options.seed = seed;
  const uint32_t width = 64;
  std::vector<_Float16> a(16 * width), b(8 * width);
  for (size_t i = 0; i < a.size(); ++i)
    a[i] = _Float16(int(i * 7 % 5) - 2);
  for (size_t i = 0; i < b.size(); ++i)
    b[i] = _Float16(int(i * 3 % 7) - 3);
  float *out = library.allocate<float>(16 * 8, "c");
  Outcome outcome;
  outcome.error =
      library.launch("gemm", {}, {32}, library.upload(a, "a"), library.upload(b, "b"), out, 8u, width);
  outcome.isRight = true;
  for (uint32_t row = 0; row < 16; ++row)
    for (uint32_t column = 0; column < 8; ++column) {
      float sum = 0;
      for (uint32_t k = 0; k < width; ++k)
        sum += float(a[row * width + k]) * float(b[column * width + k]);
      outcome.isRight &= out[row * 8 + column] == sum;
    }
  return outcome;
}

TEST(Bugs, without_one_nothing_is_found) {
  for (uint32_t seed : seeds)
    for (bool isInstrumented : {false, true})
      for (const Outcome &outcome : {sumRows({}, isInstrumented, seed), multiply({}, isInstrumented, seed)}) {
        EXPECT_EQ(outcome.error, "");
        EXPECT_TRUE(outcome.isRight);
      }
}

const std::map<std::string, std::string> noBarrier = {
    {"meet:\n  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)", "meet:"}};

TEST(Bugs, a_removed_barrier_is_a_race) {
  for (uint32_t seed : seeds) {
    const Outcome outcome = sumRows(noBarrier, true, seed);
    EXPECT_NE(outcome.error.find("race: it "), std::string::npos) << outcome.error;
    EXPECT_NE(outcome.error.find("kernel 'row_sums': block ("), std::string::npos);
  }
}

TEST(Bugs, a_removed_barrier_gives_wrong_numbers) {
  // Without checks, too: what nobody has written yet is no number.
  int wrong = 0;
  for (uint32_t seed : seeds)
    wrong += !sumRows(noBarrier, false, seed).isRight;
  EXPECT_GT(wrong, 0);
}

TEST(Bugs, a_divergent_barrier_is_named) {
  const std::string barrier = "  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)\n";
  for (uint32_t seed : seeds) {
    // Thread 0 alone meets; the others end.
    const Outcome outcome =
        sumRows({{"meet:\n" + barrier, "meet:\n"}, {"finish:\n", "finish:\n" + barrier}}, false, seed);
    EXPECT_NE(
        outcome.error.find("thread (0, 0, 0): deadlock: it waits at llvm.nvvm.barrier.cta.sync.aligned.all"),
        std::string::npos)
        << outcome.error;
    EXPECT_NE(outcome.error.find("has ended without coming there"), std::string::npos) << outcome.error;
  }
}

TEST(Bugs, threads_that_end_before_a_barrier_are_named) {
  for (uint32_t seed : seeds) {
    const Outcome outcome =
        sumRows({{"br i1 %isfirst, label %keep, label %meet", "br i1 %isfirst, label %keep, label %away"},
                 {"done:\n  ret void", "done:\n  ret void\n\naway:\n  ret void"}},
                false, seed);
    EXPECT_NE(outcome.error.find("deadlock: it waits at llvm.nvvm.barrier.cta.sync.aligned.all"),
              std::string::npos)
        << outcome.error;
    EXPECT_NE(outcome.error.find("has ended without coming there"), std::string::npos) << outcome.error;
  }
}

TEST(Bugs, two_places_of_one_barrier_are_named) {
  for (uint32_t seed : seeds) {
    const Outcome outcome =
        sumRows({{"br i1 %isfirst, label %keep, label %meet", "br i1 %isfirst, label %keep, label %other"},
                 {"done:\n  ret void", "other:\n  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)\n"
                                       "  br label %done\n\ndone:\n  ret void"}},
                false, seed);
    EXPECT_NE(outcome.error.find("divergent barrier: it comes to"), std::string::npos) << outcome.error;
  }
}

TEST(Bugs, a_shuffle_over_another_distance_gives_wrong_numbers) {
  for (uint32_t seed : seeds) {
    const Outcome outcome =
        sumRows({{"float %a16, i32 8, i32 31", "float %a16, i32 4, i32 31"}}, false, seed);
    EXPECT_EQ(outcome.error, "");
    EXPECT_FALSE(outcome.isRight);
  }
}

TEST(Bugs, a_shuffle_that_a_part_of_the_warp_comes_to_is_named) {
  for (uint32_t seed : seeds) {
    const Outcome outcome =
        sumRows({{"br i1 %isinside, label %body, label %end", "br i1 %isinside, label %body, label %ask"},
                 {"end:\n", "ask:\n  %ishigh = icmp ugt i32 %tid, 40\n"
                            "  br i1 %ishigh, label %done, label %end\n\nend:\n"}},
                false, seed);
    EXPECT_NE(outcome.error.find("divergent warp operation: it comes to llvm.nvvm.shfl.sync.bfly.f32"),
              std::string::npos)
        << outcome.error;
  }
}

TEST(Bugs, a_copy_that_is_not_waited_for_gives_wrong_numbers) {
  for (uint32_t seed : seeds) {
    const Outcome outcome = multiply({{"wait.group(i32 1)\n  br", "wait.group(i32 2)\n  br"}}, false, seed);
    EXPECT_EQ(outcome.error, "");
    EXPECT_FALSE(outcome.isRight);
  }
}

TEST(Bugs, a_copy_that_is_not_waited_for_is_a_race) {
  for (uint32_t seed : seeds) {
    const Outcome outcome = multiply({{"wait.group(i32 1)\n  br", "wait.group(i32 2)\n  br"}}, true, seed);
    EXPECT_NE(outcome.error.find("race: it reads byte "), std::string::npos) << outcome.error;
    EXPECT_NE(outcome.error.find("is under way: it has not been waited for"), std::string::npos);
  }
}

/// One thread copies 16 bytes to shared memory; what it does before it waits.
std::string copyError(const std::string &meanwhile) {
  KernelLibrary library(
      kernelOf("  call void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3) @tile, ptr addrspace(1) "
               "%out)\n" +
                   meanwhile +
                   "  call void @llvm.nvvm.cp.async.wait.all()\n"
                   "  store i32 1, ptr addrspace(3) @tile",
               "@tile = internal addrspace(3) global [4 x i32] undef, align 16\n"
               "declare void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3), ptr addrspace(1))\n"
               "declare void @llvm.nvvm.cp.async.wait.all()"),
      true);
  EXPECT_EQ(library.error(), "");
  return library.launch("k", {}, {1}, library.allocate<uint32_t>(4, "in"));
}

TEST(Bugs, until_a_copy_is_waited_for_its_place_is_nobodys) {
  EXPECT_EQ(copyError(""), "");
  const std::string last = "ptr addrspace(3) getelementptr (i8, ptr addrspace(3) @tile, i32 12)";
  // Its own thread, too, and a copy to the same place.
  EXPECT_NE(copyError("  %x = load i32, " + last + "\n").find("race: it reads byte 12 of shared memory"),
            std::string::npos);
  EXPECT_NE(copyError("  store i32 0, " + last + "\n").find("race: it writes byte 12 of shared memory"),
            std::string::npos);
  EXPECT_NE(copyError("  call void @llvm.nvvm.cp.async.cg.shared.global.16(ptr addrspace(3) @tile, "
                      "ptr addrspace(1) %out)\n")
                .find("race: it writes byte 0 of shared memory at llvm.nvvm.cp.async.cg.shared.global.16"),
            std::string::npos);
}

TEST(Bugs, a_block_that_waits_for_nobody_before_it_gives_wrong_numbers) {
  // Each block adds one to what the block before it has left: right in one order only.
  KernelLibrary library(kernelOf("  %block = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()\n"
                                 "  %from = getelementptr i32, ptr addrspace(1) %out, i32 %block\n"
                                 "  %to = getelementptr i32, ptr addrspace(1) %from, i32 1\n"
                                 "  %before = load i32, ptr addrspace(1) %from\n"
                                 "  %after = add i32 %before, 1\n"
                                 "  store i32 %after, ptr addrspace(1) %to",
                                 "declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()"),
                        false);
  ASSERT_EQ(library.error(), "");
  for (uint32_t seed : seeds) {
    library.emulator.options.seed = seed;
    uint32_t *out = library.upload(std::vector<uint32_t>(9), "out");
    ASSERT_EQ(library.launch("k", {8}, {1}, out), "");
    EXPECT_NE(out[8], 8u) << seed;
  }
}

TEST(Bugs, a_stage_that_is_filled_while_it_is_read_is_a_race) {
  // The barrier at the end of an iteration keeps lanes from copying over what others still read.
  for (uint32_t seed : seeds) {
    const Outcome outcome = multiply(
        {{"  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)\n  br i1 %ismore", "  br i1 %ismore"}},
        true, seed);
    EXPECT_NE(outcome.error.find("race: it writes byte"), std::string::npos) << outcome.error;
  }
}

TEST(Bugs, a_read_one_past_the_end_is_named) {
  for (uint32_t seed : seeds) {
    const Outcome outcome =
        sumRows({{"%isinside = icmp ult i32 %i, %n", "%isinside = icmp ule i32 %i, %n"}}, true, seed);
    EXPECT_NE(outcome.error.find("reads 4 bytes at offset 1600 of 'in', which has 1600: load float"),
              std::string::npos)
        << outcome.error;
    EXPECT_NE(outcome.error.find("block (1, 0, 0)"), std::string::npos) << outcome.error;
  }
}

TEST(Bugs, a_write_past_the_end_of_shared_memory_is_named) {
  for (uint32_t seed : seeds) {
    const Outcome outcome = sumRows({{"%warp = lshr i32 %tid, 5", "%warp = lshr i32 %tid, 4"}}, true, seed);
    EXPECT_NE(outcome.error.find("writes 4 bytes at offset "), std::string::npos) << outcome.error;
    EXPECT_NE(outcome.error.find(" of shared 'partial', which has 16: store float"), std::string::npos)
        << outcome.error;
  }
}

TEST(Bugs, an_address_that_is_not_aligned_is_named) {
  const Outcome outcome = multiply({{"%part = shl i32 %half, 3", "%part = shl i32 %half, 2"}}, true, 1);
  EXPECT_NE(outcome.error.find("copies 16 bytes between addresses that are no multiples of it"),
            std::string::npos)
      << outcome.error;
}

TEST(Bugs, after_an_error_the_next_launch_is_well) {
  KernelLibrary library(kernelText("reduce"), true);
  ASSERT_EQ(library.error(), "");
  const uint32_t n = 64;
  float *in = library.upload(std::vector<float>(n, 1.0f), "in"), *out = library.allocate<float>(1, "out");
  for (int i = 0; i < 3; ++i) {
    EXPECT_NE(library.launch("row_sums", {}, {128}, in, out, n + 1), "");
    EXPECT_EQ(library.launch("row_sums", {}, {128}, in, out, n), "");
    EXPECT_EQ(out[0], 64.0f);
  }
}

} // namespace
