//===- LayerEntries.h - tables and lists by layer ---------------*- C++ -*-===//
#ifndef LLMC_IR_LAYERENTRIES_H
#define LLMC_IR_LAYERENTRIES_H

#include "ir/LMOps.h"

namespace llmc::lm {

/// What has an entry for each layer (lm.table, the schemes of lm.w.quantize) keeps those of `layers`, in that
/// order. The stack itself stays as it is.
void keepLayerEntries(ModelOp model, llvm::ArrayRef<int64_t> layers);

/// The stack runs these layers alone, in that order, and so do tables and lists. A layer that has another
/// number then names its tensors outright, in a region of its own.
void keepLayers(ModelOp model, llvm::ArrayRef<int64_t> layers);

} // namespace llmc::lm
#endif
