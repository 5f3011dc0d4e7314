//===- GpuEmbed.h - an embedding of a GPU in the emulator -------*- C++ -*-===//
#ifndef LLMC_TESTS_CUDA_GPUEMBED_H
#define LLMC_TESTS_CUDA_GPUEMBED_H

#include "DeviceKernelRunner.h"

#include "codegen/cuda/kernels/Embed.h"
#include "tests/codegen/TestData.h"

namespace llmc::test {

/// The kernel of a table with random rows.
struct GpuEmbed {
  const emit::EmbedSpec spec;
  Weights table;
  DeviceKernelRunner runner;

  GpuEmbed(const emit::EmbedSpec &wanted, Random &random, const DeviceKernelRunner::Change &change = {})
      : spec(wanted), table(*spec.scheme, spec.vocab, spec.width, random),
        runner([this](mlir::ModuleOp module) { return cuda::emitEmbed(module, "embed", spec); }, change) {}

  int64_t stride() const { return (spec.width + 15) / 16 * 16; }

  /// Empty, or what the emulator says. `result`: a row for each of `asked`, which are numbers of `ids`, or,
  /// if the spec is of tokens, for each of these.
  std::string run(const std::vector<int32_t> &ids, const std::vector<int32_t> &asked,
                  std::vector<float> &result) {
    std::vector<llmc_token_row> tokens;
    for (int32_t id : ids)
      tokens.push_back({.id = id, .seq = 0, .pos = int32_t(tokens.size()), .asked = 1});
    const size_t rows = spec.rowSpace == LLMC_ROWS_ASKED ? asked.size() : ids.size();
    result.resize(rows * stride());
    float *y = runner.allocate<float>(result.size(), "y");
    llmc_step step = {};
    step.rows[LLMC_ROWS_TOKENS] = ids.size();
    step.rows[LLMC_ROWS_ASKED] = asked.size();
    step.tokens = runner.upload(tokens.data(), tokens.size(), "tokens");
    step.asked = runner.upload(asked.data(), asked.size(), "asked");
    const uint8_t *packed =
        runner.upload(table.packed, table.scheme.packedBytes(table.n, table.k), "embedding");
    const std::string error = runner.run(step, rows, 0, {packed, y});
    std::copy_n(y, result.size(), result.begin());
    runner.reset();
    return error;
  }
};

} // namespace llmc::test
#endif
