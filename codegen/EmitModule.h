//===- EmitModule.h - step.program => model.so ------------------*- C++ -*-===//
#ifndef LLMC_CODEGEN_EMITMODULE_H
#define LLMC_CODEGEN_EMITMODULE_H

#include "codegen/CompileKernels.h"
#include "codegen/PipelineOptions.h"
#include "codegen/WeightSource.h"

#include <string>

namespace llmc::codegen {

/// Compiles the kernels, links them, and writes the whole file: ELF, manifest, tokenizer, packed weights,
/// footer. The file appears at `path` only when it is complete. `manifest` is JSON text, `tokenizer` a
/// tokenizer blob or empty.
mlir::LogicalResult emitModule(step::ProgramOp program, const WeightSource &weights,
                               const std::string &manifest, const std::string &tokenizer,
                               const CompileKernelsOptions &options, const std::string &path,
                               const ProgressFn &progress);

} // namespace llmc::codegen
#endif
