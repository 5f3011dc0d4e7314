//===- Decompose.cpp - every op as tensor, linalg, arith, math ------------===//
#include "passes/Passes.h"

#include "mlir/IR/PatternMatch.h"

namespace llmc {
#define GEN_PASS_DEF_DECOMPOSEPASS
#include "passes/Passes.h.inc"
} // namespace llmc

using namespace mlir;
using namespace llmc;

namespace {

struct DecomposePass : llmc::impl::DecomposePassBase<DecomposePass> {
  using Base::Base;

  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    // A decomposition may hold ops that decompose themselves: go on until none is left.
    for (bool changed = true; changed;) {
      changed = false;
      SmallVector<lm::DecomposableInterface> ops;
      getOperation().walk([&](lm::DecomposableInterface op) {
        if (!onlyFused || isa<lm::FusedLinearOp, lm::CachedAttentionOp>(op))
          ops.push_back(op);
      });
      for (lm::DecomposableInterface op : ops) {
        rewriter.setInsertionPoint(op);
        FailureOr<SmallVector<Value>> values = op.decompose(rewriter);
        if (failed(values)) {
          op->emitOpError("has no decomposition with these attributes");
          return signalPassFailure();
        }
        rewriter.replaceOp(op, *values);
        changed = true;
      }
    }
  }
};

} // namespace
