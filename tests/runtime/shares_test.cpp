// Every share of a dispatch is run once, whoever runs it.
#include "runtime/Shares.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

using llmc::Shares;

namespace {

/// Two dispatches: one that may be cut into `units`, one that may not.
struct Tables {
  llmc_kernel kernels[2] = {};
  llmc_dispatch dispatches[2] = {};
  llmc_module module = {};
  llmc_step step = {};

  Tables(uint32_t units, uint64_t weightBytes, uint64_t flopsPerRow, uint64_t rows) {
    kernels[0].run_units = units;
    dispatches[0].weight_bytes = weightBytes;
    dispatches[0].flops_per_row = flopsPerRow;
    dispatches[1].kernel = 1;
    dispatches[1].weight_bytes = weightBytes;
    module.n_dispatches = 2;
    module.kernels = kernels;
    module.dispatches = dispatches;
    step.rows[LLMC_ROWS_TOKENS] = rows;
  }
};

uint32_t countOf(uint32_t workers, const Tables &tables) {
  Shares shares;
  shares.create(2, workers);
  shares.deal(tables.module, tables.step);
  EXPECT_EQ(shares.count(1), 0u);
  return shares.count(0);
}

TEST(Shares, AsManyAsPayOff) {
  const uint64_t megabyte = 1 << 20;
  EXPECT_EQ(countOf(1, Tables(1000, 100 * megabyte, 0, 1)), 0u) << "a worker alone";
  EXPECT_EQ(countOf(2, Tables(1000, 1000, 1000, 1)), 2u) << "little work";
  EXPECT_EQ(countOf(2, Tables(1, 100 * megabyte, 0, 1)), 1u) << "one piece";
  EXPECT_EQ(countOf(4, Tables(1000, 2 * megabyte, 0, 1)), 8u) << "by bytes";
  EXPECT_EQ(countOf(2, Tables(1000, megabyte, 10 * megabyte, 16)), 10u) << "by arithmetic";
  EXPECT_EQ(countOf(2, Tables(1000, 1000 * megabyte, 0, 1)), 64u) << "enough to even out";
  EXPECT_EQ(countOf(0x10000, Tables(~0u, ~uint64_t(0), ~uint64_t(0), ~uint64_t(0))), 0x10000u * 32)
      << "numbers as large as a file may have";
}

TEST(Shares, AWorkerTakesItsOwnInOrderAndThenFromTheFarEnd) {
  Tables tables(8, 100 << 20, 0, 1);
  Shares shares;
  shares.create(2, 2);
  for (int step = 0; step < 2; ++step) { // the second as the first
    shares.deal(tables.module, tables.step);
    std::vector<uint32_t> taken;
    for (uint32_t share; shares.take(0, 1, share);)
      taken.push_back(share);
    EXPECT_EQ(taken, (std::vector<uint32_t>{4, 5, 6, 7, 3, 2, 1, 0}));
  }
}

TEST(Shares, EachOnceAmongThreads) {
  const uint32_t workers = 3;
  Tables tables(1000, 1000 << 20, 0, 1);
  Shares shares;
  shares.create(2, workers);
  for (int round = 0; round < 200; ++round) {
    shares.deal(tables.module, tables.step);
    std::vector<uint32_t> taken[workers];
    std::vector<std::thread> threads;
    for (uint32_t worker = 0; worker < workers; ++worker)
      threads.emplace_back([&, worker] {
        for (uint32_t share; shares.take(0, worker, share);)
          taken[worker].push_back(share);
      });
    for (std::thread &thread : threads)
      thread.join();
    std::vector<uint32_t> all;
    for (const auto &part : taken)
      all.insert(all.end(), part.begin(), part.end());
    std::sort(all.begin(), all.end());
    ASSERT_EQ(all.size(), shares.count(0));
    for (uint32_t i = 0; i < all.size(); ++i)
      ASSERT_EQ(all[i], i);
  }
}

} // namespace
