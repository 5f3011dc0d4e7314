//===- ModelBuilder.h - traits of a model to the lm dialect -----*- C++ -*-===//
#ifndef LLMC_FRONTEND_MODELBUILDER_H
#define LLMC_FRONTEND_MODELBUILDER_H

#include "frontend/ModelSpec.h"
#include "ir/LMOps.h"

#include <string>
#include <vector>

namespace llmc::frontend {

/// Where the model's bytes lie, as `lm.weights` and `tokenizer` spell it.
struct ModelPaths {
  std::vector<std::string> weights;
  std::string tokenizer; // may be empty
};

/// Builds the lm.model of a checked spec at the builder's insertion point. Every op has the location
/// "blk.{i}.attn_q" (the place in the model, as its tensors are named), and inside it the short name that
/// printModel gives its result.
lm::ModelOp buildModel(mlir::OpBuilder &builder, const ModelSpec &spec, const ModelPaths &paths);

} // namespace llmc::frontend
#endif
