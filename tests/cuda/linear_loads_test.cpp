//===- linear_loads_test.cpp - what matrix products of a GPU load ---------===//
//
// How K is cut between blocks, what these load, and in how many transactions.
//
//===----------------------------------------------------------------------===//
#include "GpuLinear.h"

#include <gtest/gtest.h>

using namespace llmc;
using namespace llmc::test;

namespace {

codegen::DeviceKernel emitted(const LinearSpec &spec) {
  std::string error;
  codegen::DeviceKernel kernel =
      compileKernel([&](mlir::ModuleOp module) { return cuda::emitLinear(module, "linear", spec); }, error);
  EXPECT_EQ(error, "");
  return kernel;
}

TEST(LinearBlocks, k_is_split_between_fences) {
  const codegen::DeviceKernel kernel = emitted(specOf("q4_0", 1024, {256}));
  const llvm::StringRef ptx = imageOf(kernel, LLMC_IMAGE_PTX), fence = "fence.acq_rel.gpu;";
  EXPECT_EQ(ptx.count("atom."), 2u) << "one of each number of tiles";
  for (size_t at = ptx.find("atom."); at != llvm::StringRef::npos; at = ptx.find("atom.", at + 1)) {
    EXPECT_TRUE(ptx.substr(at).starts_with("atom.global.inc.u32")) << ptx.substr(at, 40).str();
    const llvm::StringRef before = ptx.take_front(at);
    EXPECT_GT(before.rfind(fence) + 1, before.rfind("bar.sync") + 1) << "what the block has written";
    EXPECT_LT(ptx.find(fence, at), ptx.find("bar.sync", at)) << "what others have written";
  }
}

TEST(LinearBlocks, k_is_not_split_where_there_are_blocks_enough_or_rows_unknown) {
  const codegen::DeviceKernel split = emitted(specOf("q4_0", 1024, {65536})),
                              wide = emitted(specOf("q4_0", 1024, {65552}));
  EXPECT_EQ(split.launches[0].blocks, 2 * 256u);
  EXPECT_EQ(split.commonPerRow, 2 * 256 * (256 * 4 + 16u));
  EXPECT_EQ(wide.launches[0].blocks, 257u);
  EXPECT_EQ(wide.commonPerRow, 0u);
  // A step has more keys than tokens, and memory in common is of these.
  LinearSpec ofKeys = specOf("q4_0", 1024, {256});
  ofKeys.rowSpace = LLMC_ROWS_KEYS;
  EXPECT_EQ(emitted(ofKeys).launches[0].blocks, 1u);
  EXPECT_EQ(emitted(ofKeys).commonPerRow, 0u);
}

/// By entry and operand.
const auto &countsOf(GpuLinear &linear, int64_t rows) {
  GpuLinear::Outputs y;
  linear.runner.emulator.options.counts = true;
  EXPECT_EQ(linear.run(rows, y), "");
  return linear.runner.emulator.counters().counts();
}

/// A LayerNorm reads x once more in each block.
TEST(LinearLoads, a_layer_norm_of_a_token_loads_x_twice) {
  constexpr uint64_t k = 2560, n = 2560;
  Random random(9);
  const LinearSpec spec = normedSpec("q4_0", k, {n}, Norm::Layer);
  GpuLinear linear(spec, random);
  uint64_t all = 0;
  for (const auto &[key, moved] : countsOf(linear, 1))
    all += moved.warpLoads + moved.warpStores;
  const double least = double(linear.weights[0]->scheme.packedBytes(n, k) + 4 * (3 * k + n));
  EXPECT_LE(double(all), 1.25 * least);
}

/// A matrix of an 8B with all that may stand beside it.
TEST(LinearLoads, a_token_loads_and_stores_little_beside_the_weights) {
  constexpr uint64_t k = 4096, n = 4096;
  Random random(6);
  const LinearSpec spec = normedSpec("q4_0", k, {n}, Norm::Rms);
  GpuLinear linear(spec, random);
  const auto &counts = countsOf(linear, 1);
  const simt::AccessCounts &weights = counts.at({"linear_rows8", "weights"});
  const uint64_t bytes = linear.weights[0]->scheme.packedBytes(n, k);
  EXPECT_EQ(weights.warpLoads, bytes);
  EXPECT_GE(double(weights.warpLoads), 0.8 * 128 * double(weights.loadTransactions));
  EXPECT_EQ(counts.at({"linear_rows8", "y"}).warpStores, 4 * n);
  EXPECT_EQ(counts.at({"linear_rows8", "x"}).warpLoads, n / 256 * 4 * k) << "once by each group of rows";
  const uint64_t least = bytes + 4 * (2 * k + n); // x, the gain, y
  uint64_t all = 0, distinct = 0;
  for (const auto &[key, moved] : counts)
    all += moved.warpLoads + moved.warpStores, distinct += moved.distinctLoads + moved.distinctStores;
  EXPECT_GE(distinct, least);
  EXPECT_LE(double(all), 1.1 * double(least));
  RecordProperty("moved", std::to_string(double(all) / double(least)));
}

class SchemeLoads : public testing::TestWithParam<const char *> {};

TEST_P(SchemeLoads, weights_are_loaded_once_in_whole_lines) {
  constexpr uint64_t k = 1024, n = 320, rows = 2, slices = 2, groups = 2; // of 256 rows
  Random random(5);
  GpuLinear linear(specOf(GetParam(), k, {n}), random);
  const uint64_t bytes = linear.weights[0]->scheme.packedBytes(n, k);
  const auto &all = countsOf(linear, rows);
  const simt::AccessCounts &counts = all.at({"linear_rows8", "weights"}), &x = all.at({"linear_rows8", "x"});
  EXPECT_EQ(counts.loads, bytes);
  EXPECT_EQ(counts.warpLoads, bytes);
  EXPECT_GE(double(counts.warpLoads), 0.8 * 128 * double(counts.loadTransactions));
  RecordProperty("filled", std::to_string(double(counts.warpLoads) / 128 / double(counts.loadTransactions)));
  EXPECT_EQ(x.distinctLoads, rows * 4 * k);
  EXPECT_EQ(x.warpLoads, groups * rows * 4 * k) << "once by each group of rows";
  EXPECT_EQ(all.at({"linear_rows8", "y"}).warpStores, rows * 4 * n);
  const simt::AccessCounts &sums = all.at({"linear_rows8", "scratch"});
  EXPECT_EQ(sums.warpStores, slices * rows * 4 * n);
  EXPECT_EQ(sums.warpLoads, slices * rows * 4 * n);
}

INSTANTIATE_TEST_SUITE_P(Kernels, SchemeLoads, testing::Values("q4_0", "q4_1", "q8_0", "bf16", "f16"),
                         [](const auto &info) { return std::string(info.param); });

} // namespace
