//===- ChooseTypes.h - what a model computes in and keeps -------*- C++ -*-===//
#ifndef LLMC_CODEGEN_CHOOSETYPES_H
#define LLMC_CODEGEN_CHOOSETYPES_H

#include "codegen/PipelineOptions.h"
#include "codegen/WeightSource.h"
#include "ir/LMOps.h"

namespace llmc::codegen {

/// What the programs of devices round the inputs of matmuls to, whatever the CPU does: f32, f16 or bf16. Their
/// kernels multiply no int8, and decompositions compute in f32.
std::string deviceActivations(const PipelineOptions &options);

/// What `auto` stands for in --activations and --kv, now that the schemes of the weights are known.
void chooseTypes(lm::ModelOp model, WeightSource &weights, const PipelineOptions &options,
                 PipelineState &state);

} // namespace llmc::codegen
#endif
