//===- EmitModule.h - step.program => model.so ------------------*- C++ -*-===//
#ifndef LLMC_CODEGEN_EMITMODULE_H
#define LLMC_CODEGEN_EMITMODULE_H

#include "codegen/ModuleTables.h"
#include "codegen/PipelineOptions.h"
#include "codegen/WeightSource.h"

#include <string>

namespace llmc::codegen {

/// The kernels of all programs of a module.
struct CompiledPrograms {
  CompiledKernels kernels; // of the CPU
  std::vector<DeviceCode> devices;
};
/// `first` is the first program of the module: the CPU's, if there is code for it.
mlir::FailureOr<CompiledPrograms> compilePrograms(step::ProgramOp first, const CompileKernelsOptions &options,
                                                  const ProgressFn &progress);

/// Compiles the kernels, links them, and writes the whole file: ELF, manifest, tokenizer, packed weights,
/// footer. The file appears at `path` only when it is complete. `manifest` gives JSON text, `tokenizer` is a
/// tokenizer blob or empty.
using ManifestFn = llvm::function_ref<std::string(const CompiledPrograms &)>;
mlir::LogicalResult emitModule(step::ProgramOp program, const WeightSource &weights, ManifestFn manifest,
                               const std::string &tokenizer, const CompileKernelsOptions &options,
                               const std::string &path, const ProgressFn &progress);

} // namespace llmc::codegen
#endif
