//===- GpuChoose.h - candidates for a sampler, of a GPU in the emulator -*- C++ -*-===//
#ifndef LLMC_TESTS_CUDA_GPUCHOOSE_H
#define LLMC_TESTS_CUDA_GPUCHOOSE_H

#include "DeviceKernelRunner.h"

#include "codegen/cuda/kernels/Choose.h"

#include <cmath>

namespace llmc::test {

/// The kernels for rows of so many logits.
struct GpuChoose {
  DeviceKernelRunner runner;
  const uint32_t stride;

  explicit GpuChoose(uint32_t vocab, const DeviceKernelRunner::Change &change = {},
                     bool isInstrumented = true)
      : runner([=](mlir::ModuleOp module) { return cuda::emitChoose(module, "choose", vocab); }, change,
               isInstrumented),
        stride((vocab + 15) / 16 * 16) {}

  const codegen::DeviceSampling &sampling() const { return *runner.kernel().sampling; }

  /// Empty, or what the emulator says. What was found is there until the next run.
  std::string run(const std::vector<std::vector<float>> &rows, uint64_t wanted) {
    runner.reset();
    std::vector<float> logits(rows.size() * stride, std::nanf(""));
    for (size_t row = 0; row < rows.size(); ++row)
      std::copy(rows[row].begin(), rows[row].end(), logits.begin() + long(row * stride));
    llmc_step step = {};
    step.rows[LLMC_ROWS_ASKED] = rows.size();
    step.n_best = wanted;
    step.candidates = results = runner.allocate<uint8_t>(rows.size() * sampling().rowBytes, "results");
    step.chosen = chosen = runner.allocate<int32_t>(1, "chosen");
    return runner.run(step, rows.size(), 0,
                      {runner.upload(logits.data(), logits.size(), "logits"),
                       runner.allocate<uint8_t>(rows.size() * sampling().workBytes, "work")});
  }
  uint8_t *results = nullptr; ///< rowBytes a row
  int32_t *chosen = nullptr;  ///< for the first row
};

} // namespace llmc::test
#endif
