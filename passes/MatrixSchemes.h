//===- MatrixSchemes.h - schemes of a model's matrices ----------*- C++ -*-===//
#ifndef LLMC_PASSES_MATRIXSCHEMES_H
#define LLMC_PASSES_MATRIXSCHEMES_H

#include "ir/LMOps.h"

#include <optional>

namespace llmc {

/// The matrices that something else than a weight expression reads: each whole expression has one scheme.
llvm::SmallVector<mlir::Value> matricesOf(lm::ModelOp model);

/// The scheme that the text names for the matrix in a layer, or `keep`.
llvm::StringRef writtenScheme(mlir::Value matrix, std::optional<int64_t> layer);

/// Gives the matrix in every layer that it stands in (nothing: outside of the stack) the scheme that
/// `schemeIn` says, or `keep`. The lm.w.quantize that does so; null if all are kept.
mlir::Operation *setSchemes(mlir::Value matrix,
                            llvm::function_ref<mlir::StringAttr(std::optional<int64_t> layer)> schemeIn);

} // namespace llmc
#endif
