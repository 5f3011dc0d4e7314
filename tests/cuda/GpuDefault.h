//===- GpuDefault.h - default kernels of a GPU in the emulator --*- C++ -*-===//
#ifndef LLMC_TESTS_CUDA_GPUDEFAULT_H
#define LLMC_TESTS_CUDA_GPUDEFAULT_H

#include "DeviceKernelRunner.h"

#include "codegen/cuda/Kernels.h"
#include "tests/codegen/TestData.h"

#include "mlir/Parser/Parser.h"

namespace llmc::test {

/// What a default kernel is made from, and rows for it; widths are whole multiples of 16, which need no
/// padding.
struct DefaultSpec {
  std::string operands, body;           // of a `step.kernel` over tokens; the body's result is %y
  std::vector<int64_t> inputs, vectors; // the widths of rows, which come first, and of weights
  int64_t output;                       // and of the result
  bool hasKeys = false;                 // each token's, behind the inputs
};

/// The kernel of a spec, with random operands: tokens 0, 1, … of a sequence.
struct GpuDefault {
  const DefaultSpec spec;
  const int64_t rows;
  DeviceKernelRunner runner;

  GpuDefault(DefaultSpec wanted, int64_t rows, const DeviceKernelRunner::Change &change)
      : spec(std::move(wanted)), rows(rows),
        runner([&](mlir::ModuleOp module) { return emit(module); }, change) {}

  /// Empty, or what the emulator says.
  std::string run(std::vector<float> &result) {
    Random random(1);
    std::vector<const void *> args;
    auto add = [&](int64_t n, const char *name) {
      std::vector<float> values(n);
      for (float &x : values)
        x = uniform(random, -2, 2);
      args.push_back(runner.upload(values.data(), values.size(), name));
    };
    for (int64_t width : spec.inputs)
      add(rows * width, "rows");
    std::vector<llmc_token_row> tokens;
    std::vector<int32_t> keys; // pairs
    for (int32_t i = 0; i < rows; ++i) {
      tokens.push_back({.id = 0, .seq = 0, .pos = i, .asked = 0});
      keys.insert(keys.end(), {0, i});
    }
    if (spec.hasKeys)
      args.push_back(runner.upload(keys.data(), keys.size(), "keys"));
    for (int64_t width : spec.vectors)
      add(width, "vector");
    float *y = runner.allocate<float>(rows * spec.output, "y");
    args.push_back(y);
    llmc_step step = {};
    step.rows[LLMC_ROWS_TOKENS] = rows;
    step.rows[LLMC_ROWS_KEYS] = spec.hasKeys ? rows : 0;
    step.tokens = runner.upload(tokens.data(), tokens.size(), "tokens");
    step.keys = runner.upload(keys.data(), keys.size(), "keys");
    const std::string error = runner.run(step, rows, rows, args);
    result.assign(y, y + rows * spec.output);
    runner.reset();
    return error;
  }

private:
  mlir::FailureOr<codegen::DeviceKernel> emit(mlir::ModuleOp module) const {
    std::string schemes;
    for (size_t i = 0; i < spec.vectors.size(); ++i)
      schemes += i ? ", \"vector\"" : "\"vector\"";
    const std::string text = "step.kernel @default {schemes = [" + schemes +
                             "], activations = f32, rows = tokens} (" + spec.operands + ") {\n  " +
                             spec.body + "\n  step.return %y : tensor<?x" + std::to_string(spec.output) +
                             "xf32>\n}\n";
    // A kernel stands in a program; here it is alone.
    mlir::ParserConfig config(module.getContext(), /*verifyAfterParse=*/false);
    auto parsed = mlir::parseSourceString<mlir::ModuleOp>(text, config);
    if (!parsed)
      return mlir::failure();
    return cuda::emitKernel(module, *parsed->getOps<step::KernelOp>().begin(), /*defaultKernels=*/true);
  }
};

} // namespace llmc::test
#endif
