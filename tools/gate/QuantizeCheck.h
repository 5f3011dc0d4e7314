//===- QuantizeCheck.h - what may be said of quantize exactly ---*- C++ -*-===//
//
// quantize moves numbers as far as its schemes round, which no budget of the whole could tell from a mistake.
// So it is taken apart:
//   1. it has changed nothing but how weights are stored (their texts without lm.w.quantize are equal);
//   2. what is stored lies as near to the weights as the scheme's budget says;
//   3. the model computes with exactly what is stored: it is compared with itself where an independent
//   decoder
//      (PlainDecoder.h) has read the stored bytes and the kernels see f32.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_GATE_QUANTIZECHECK_H
#define LLMC_TOOLS_GATE_QUANTIZECHECK_H

#include "codegen/PipelineOptions.h"

#include "mlir/IR/BuiltinOps.h"

#include <string>
#include <vector>

namespace llmc::tools {

codegen::RowDecoder plainDecoder();

/// One sentence if the modules differ in more than their lm.w.quantize ops.
std::string findOtherChanges(mlir::ModuleOp before, mlir::ModuleOp after);

/// One sentence if some rows of a weight that `module` quantizes are stored worse than the scheme promises.
std::string checkPackErrors(mlir::ModuleOp module, const codegen::PipelineOptions &options);

} // namespace llmc::tools
#endif
