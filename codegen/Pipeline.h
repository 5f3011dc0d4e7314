//===- Pipeline.h - from a model file to model.so, phase by phase -*- C++ -*-===//
#ifndef LLMC_CODEGEN_PIPELINE_H
#define LLMC_CODEGEN_PIPELINE_H

#include "codegen/PipelineOptions.h"

#include "mlir/IR/DialectRegistry.h"

namespace llmc::codegen {

/// Dialects and interfaces that the pipeline works with.
mlir::DialectRegistry pipelineDialects();

/// Runs the phases on a module that holds an lm.model, or a step.program where they start behind `step`; a
/// step.program afterwards. Between two phases the module goes through text, so that a compile may start from
/// the text of any of them and make the same bytes. Failures are diagnostics.
mlir::LogicalResult runPipeline(mlir::ModuleOp module, const PipelineOptions &options);

} // namespace llmc::codegen
#endif
