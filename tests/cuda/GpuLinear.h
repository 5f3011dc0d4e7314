//===- GpuLinear.h - matrix products of a GPU in the emulator ---*- C++ -*-===//
#ifndef LLMC_TESTS_CUDA_GPULINEAR_H
#define LLMC_TESTS_CUDA_GPULINEAR_H

#include "DeviceKernelRunner.h"

#include "codegen/cuda/kernels/Linear.h"
#include "tests/codegen/LinearData.h"

namespace llmc::test {

inline LinearSpec specOf(const char *scheme, int64_t k, std::vector<int64_t> widths) {
  LinearSpec spec;
  spec.k = k;
  for (int64_t n : widths)
    spec.weights.push_back({quant::schemeByName(scheme), n});
  return spec;
}

/// A norm without gain has no bias either.
inline LinearSpec normedSpec(const char *scheme, int64_t k, std::vector<int64_t> widths, Norm norm,
                             bool hasGain = true) {
  LinearSpec spec = specOf(scheme, k, std::move(widths));
  spec.norm = norm;
  spec.eps = 1e-5;
  spec.normGain = hasGain;
  spec.normBias = hasGain && norm == Norm::Layer;
  return spec;
}

/// The kernels of a spec, with random operands.
struct GpuLinear : LinearData {
  DeviceKernelRunner runner;

  GpuLinear(const LinearSpec &wanted, Random &random, const DeviceKernelRunner::Change &change = {},
            int64_t mostGroups = cuda::mostSplitGroups)
      : LinearData(wanted, random),
        runner([&](mlir::ModuleOp module) { return cuda::emitLinear(module, "linear", spec, mostGroups); },
               change) {}

  using Outputs = std::vector<std::unique_ptr<Matrix>>;
  /// Empty, or what the emulator says.
  std::string run(int64_t rows, Outputs &y) {
    std::vector<const void *> args;
    for (const Operand &operand : operands()) {
      // Behind the rows of this step there is nothing.
      const bool isRows = operand.name == std::string("x") || operand.name == std::string("residual");
      const uint64_t bytes = isRows ? operand.bytes / maxRows * rows : operand.bytes;
      args.push_back(runner.upload(static_cast<const uint8_t *>(operand.data), bytes, operand.name));
    }
    y.clear();
    std::vector<const float *> onDevice;
    for (int64_t i = 0; i < outputs(); ++i) {
      y.push_back(std::make_unique<Matrix>(rows, width(i)));
      args.push_back(onDevice.emplace_back(runner.allocate<float>(rows * y.back()->stride, "y")));
    }
    args.push_back(runner.allocate<uint8_t>(rows * cuda::linearPackedRowBytes(spec), "packed"));
    llmc_step step = {};
    step.rows[LLMC_ROWS_TOKENS] = rows;
    const std::string error = runner.run(step, rows, 0, args);
    for (int64_t i = 0; i < outputs(); ++i)
      std::copy_n(onDevice[i], rows * y[i]->stride, y[i]->data);
    runner.reset();
    return error;
  }
};

} // namespace llmc::test
#endif
