//===- GpuAttention.h - attention kernels in the emulator -------*- C++ -*-===//
#ifndef LLMC_TESTS_CUDA_GPUATTENTION_H
#define LLMC_TESTS_CUDA_GPUATTENTION_H

#include "DeviceKernelRunner.h"

#include "codegen/cuda/kernels/Attention.h"
#include "tests/codegen/AttentionCase.h"

namespace llmc::test {

/// The kernels of an attention over shuffled pages of two sequences.
struct GpuAttention : AttentionCase {
  static constexpr int64_t lastPosition = 576;
  DeviceKernelRunner runner;

  GpuAttention(const emit::AttentionSpec &wanted, Random &random, int64_t window = 0,
               const DeviceKernelRunner::Change &change = {})
      : AttentionCase(wanted, random, window, lastPosition),
        runner([&](mlir::ModuleOp module) { return cuda::emitAttention(module, "attention", spec); },
               change) {}

  /// Pages of both sequences, in memory of the device; a page also holds something else before and after the
  /// layer. But the last one, with the first keys of sequence 0, ends with the layer: behind it there is no
  /// memory.
  struct Cache {
    static constexpr int64_t gap = 128;
    llmc_kv_pool pool = {};
    uint64_t offsetK, offsetV, bytes;
  };
  Cache makeCache() {
    const emit::KVLayout layout = spec.layout();
    const int64_t pages = (maxPosition + spec.pageTokens - 1) / spec.pageTokens;
    Cache cache;
    cache.offsetK = Cache::gap, cache.offsetV = cache.offsetK + layout.pageBytesK() + Cache::gap;
    cache.pool.page_bytes = cache.offsetV + layout.pageBytesV() + Cache::gap;
    const int64_t all = sequences * pages;
    cache.bytes = all * cache.pool.page_bytes - Cache::gap;
    // Full of NaN: what an earlier owner left behind must not matter.
    cache.pool.pages = runner.allocate<uint8_t>(cache.bytes, "pages");
    std::vector<int32_t> table;
    for (int64_t i = 0; i < all; ++i)
      table.push_back(int32_t((i * 7 + all - 1) % all));
    cache.pool.table = runner.upload(table.data(), table.size(), "table");
    cache.pool.table_stride = pages;
    return cache;
  }

  /// Empty, or what is wrong.
  std::string step(const Cache &cache, const std::vector<Token> &batch, Outputs &outputs) {
    const size_t before = runner.allocations();
    const int64_t rows = batch.size();
    Matrix mq(rows, widthQ()), mk(rows, widthK()), mv(rows, widthV());
    fillRows(batch, mq, mk, mv);
    auto upload = [&](const Matrix &m, const char *name) {
      return runner.upload(m.data, m.rows * m.stride, name);
    };
    const int64_t stride = (widthOut() + 15) / 16 * 16;
    float *y = runner.allocate<float>(rows * stride, "y");
    std::vector<const void *> args = {upload(mq, "q"), upload(mk, "k"), upload(mv, "v")};
    auto number = [&](uint64_t value) { args.push_back(reinterpret_cast<const void *>(uintptr_t(value))); };
    if (spec.hasSinks)
      args.push_back(runner.upload(sinks.data(), sinks.size(), "sinks"));
    if (spec.gainQ)
      args.push_back(runner.upload(gainQ.data(), gainQ.size(), "q gain"));
    if (spec.gainK)
      args.push_back(runner.upload(gainK.data(), gainK.size(), "k gain"));
    if (spec.ropeDims)
      args.push_back(runner.upload(frequencies.data(), frequencies.size(), "frequencies"));
    if (window)
      number(window);
    for (uint64_t value : {uint64_t(1), cache.offsetK, cache.offsetV}) // cache 1 of 2
      number(value);
    args.push_back(y);
    std::vector<llmc_token_row> tokens;
    uint64_t longest = 0;
    for (auto [sequence, position] : batch) {
      tokens.push_back({0, sequence, position, 1});
      longest = std::max<uint64_t>(longest, position + 1);
    }
    const llmc_kv_pool pools[2] = {{}, cache.pool};
    llmc_step step = {};
    step.rows[LLMC_ROWS_TOKENS] = rows;
    step.tokens = runner.upload(tokens.data(), tokens.size(), "tokens");
    step.kv = runner.upload(pools, 2, "pools");
    std::string error = runner.run(step, rows, longest, args);
    for (int64_t r = 0; r < rows && error.empty(); ++r) {
      outputs[batch[r]] = std::vector<float>(y + r * stride, y + r * stride + widthOut());
      for (int64_t c = widthOut(); c < stride; ++c)
        if (y[r * stride + c] != 0)
          error = "there is something behind row " + std::to_string(r);
    }
    runner.reset(before);
    return error;
  }

  std::string run(const std::vector<std::vector<Token>> &batches, uint32_t seed, Outputs &outputs) {
    runner.emulator.options.seed = seed;
    Cache cache = makeCache();
    std::string error;
    for (const std::vector<Token> &batch : batches)
      if (error.empty())
        error = step(cache, batch, outputs);
    runner.reset();
    return error;
  }
};

} // namespace llmc::test
#endif
