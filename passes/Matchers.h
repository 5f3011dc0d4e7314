//===- Matchers.h - what the fusion passes ask about matmuls ----*- C++ -*-===//
//
// `lm.linear` and `lm.fused_linear` are one thing to the fusions: they see both through a MatmulParts.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_PASSES_MATCHERS_H
#define LLMC_PASSES_MATCHERS_H

#include "ir/LMOps.h"

#include "mlir/IR/PatternMatch.h"
#include "mlir/Pass/Pass.h"

#include <optional>

namespace llmc {

/// The operands and attributes of an lm.fused_linear, to be read from either op, changed, and built again.
struct MatmulParts {
  mlir::Value x, gain, normBias, residual;
  llvm::SmallVector<mlir::Value> weights, biases;
  mlir::StringAttr norm, act;
  mlir::FloatAttr eps, scale;
  bool plusOne = false, glu = false;
  llvm::SmallVector<mlir::Type> results;

  /// Of lm.linear or lm.fused_linear; nothing for other ops.
  static std::optional<MatmulParts> of(mlir::Operation *op);
  lm::FusedLinearOp build(mlir::OpBuilder &builder, mlir::Location loc) const;

  /// The same input after the same norm.
  bool sharesInput(const MatmulParts &other) const;
  /// No epilogue yet: only the prologue and one or more weights.
  bool isPlain() const;
};

/// The word that lm.fused_linear uses for an elementwise op ("silu"), or nothing if it cannot be folded.
std::optional<llvm::StringRef> activationWord(mlir::Operation *op);

/// Says that a pass has made `made`: counts it, and a remark with the name of what was done tells where.
void reportApplied(mlir::Pass::Statistic &statistic, llvm::StringRef pass, llvm::StringRef what,
                   mlir::Operation *made);

/// Applies fusion patterns until none matches. No folding and no region simplification: a fusion pass changes
/// what it fuses and nothing else.
void applyFusions(mlir::Operation *root, mlir::RewritePatternSet patterns);

} // namespace llmc
#endif
