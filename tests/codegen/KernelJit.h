//===- KernelJit.h - compile emitted kernels and call them ------*- C++ -*-===//
#ifndef LLMC_TESTS_CODEGEN_KERNELJIT_H
#define LLMC_TESTS_CODEGEN_KERNELJIT_H

#include "codegen/cpu/Kernels.h"
#include "codegen/cpu/isa/Isa.h"
#include "runtime/include/llmc/module_abi.h"

#include <memory>
#include <string>
#include <vector>

namespace llmc::test {

/// A module of kernels, compiled in the process as the compiler would: for the baseline CPU, with every
/// function's own target attributes.
class KernelJit {
public:
  KernelJit();
  ~KernelJit();
  mlir::ModuleOp module();
  /// Lowers and compiles what was emitted; false after printing why not.
  bool compile();
  llmc_kernel_fn kernel(const std::string &name); // null if there is none
  /// Seconds in the LLVM part of compile().
  double llvmSeconds = 0;
  bool wantAssembly = false;
  std::string assembly;

private:
  struct State;
  std::unique_ptr<State> state;
};

/// The variants this CPU can run.
std::vector<const cpu::Isa *> runnableIsas();
/// Those of them that share no other's kernels: all there are where nothing is multiplied as int8 or bf16.
std::vector<const cpu::Isa *> runnableBases();

/// Runs a kernel as the runtime would: all workers, one after another, `prepare` where it applies.
struct StepRunner {
  llmc_step step = {};
  uint64_t keys = 0; // of the step, for scratch that grows with them
  std::vector<std::vector<uint8_t>> scratch;
  std::vector<uint8_t *> scratchPointers;

  void run(KernelJit &jit, const std::string &name, const cpu::KernelResult &kernel, uint64_t rows,
           const std::vector<const void *> &args, uint32_t workers);
};

} // namespace llmc::test
#endif
