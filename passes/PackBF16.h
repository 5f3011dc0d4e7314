//===- PackBF16.h - which bf16 matrices are packed --------------*- C++ -*-===//
#ifndef LLMC_PASSES_PACKBF16_H
#define LLMC_PASSES_PACKBF16_H

#include "mlir/IR/Value.h"
#include "mlir/Pass/Pass.h"

#include <functional>
#include <memory>
#include <optional>

namespace llmc {

/// Whether a matrix is stored as bf16 in this layer and its numbers fit the scheme bf16z.
using PackingFits = std::function<bool(mlir::Value matrix, std::optional<int64_t> layer)>;

/// lm-pack-bf16 of the matrices of which `fits` holds. Null: nothing may be packed, and what the text says is
/// bf16z becomes bf16.
std::unique_ptr<mlir::Pass> createPackBF16Pass(PackingFits fits);

} // namespace llmc
#endif
