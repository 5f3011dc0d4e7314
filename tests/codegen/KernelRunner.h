//===- KernelRunner.h - default kernels compiled and called in a test -----===//
//
// Kernels are written as text, emitted, compiled in memory with no symbol of the process in reach, and called
// as a step would call them: padded buffers, workers one after the other, scratch exactly as large as
// declared with a canary behind it.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TESTS_CODEGEN_KERNELRUNNER_H
#define LLMC_TESTS_CODEGEN_KERNELRUNNER_H

#include "codegen/DefaultKernels.h"
#include "runtime/include/llmc/module_abi.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace llvm::orc {
class LLJIT;
}

namespace llmc::test {

/// T rows of `width` floats without padding.
struct Rows {
  int64_t width = 0;
  std::vector<float> values;

  Rows() = default;
  Rows(int64_t rows, int64_t width) : width(width), values(rows * width) {}
  Rows(int64_t width, std::vector<float> values) : width(width), values(std::move(values)) {}
  int64_t rows() const { return width ? static_cast<int64_t>(values.size()) / width : 0; }
  float &at(int64_t row, int64_t column) { return values[row * width + column]; }
  float at(int64_t row, int64_t column) const { return values[row * width + column]; }
};
Rows randomRows(int64_t rows, int64_t width, uint32_t seed, float range = 2);

/// A weight: its packed bytes, and the numbers they stand for.
struct Weight {
  std::vector<uint8_t> packed;
  Rows values; // a vector has one row
};
Weight randomWeight(std::string_view scheme, int64_t rows, int64_t columns, uint32_t seed);
Weight vectorWeight(std::vector<float> values);

/// The state that kernels see.
struct Step {
  std::vector<llmc_token_row> tokens;
  std::vector<int32_t> asked;
  std::vector<int32_t> keys; // pairs
  std::vector<llmc_kv_pool> pools;
};

class KernelRunner {
public:
  KernelRunner();
  ~KernelRunner();
  /// Emits one `step.kernel`; false (and `message`) where the text or the kernel is refused.
  bool add(const std::string &text);
  /// Compiles everything added; false if a symbol is undefined.
  bool finish();
  const codegen::DefaultKernel &info(const std::string &name) const { return kernels.at(name); }

  /// Calls a kernel with 1, 2 and 3 workers, checks that the outputs have the same bits, and returns one of
  /// each output, rows * width. Inputs are padded; their padding is not a number.
  std::vector<Rows> call(const std::string &name, const Step &step, uint32_t space,
                         const std::vector<Rows> &inputs, const std::vector<Weight> &weights,
                         const std::vector<int64_t> &immediates, const std::vector<int64_t> &outputWidths,
                         std::vector<int32_t> *keysOut = nullptr);

  std::string message;
  mlir::MLIRContext &context() { return *mlirContext; }

private:
  std::unique_ptr<mlir::MLIRContext> mlirContext;
  mlir::OwningOpRef<mlir::ModuleOp> target;
  std::map<std::string, codegen::DefaultKernel> kernels;
  std::unique_ptr<llvm::orc::LLJIT> jit;
};

} // namespace llmc::test
#endif
