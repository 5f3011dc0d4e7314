//===- Decompose.cpp - every op as tensor, linalg, arith, math ------------===//
#include "ir/Locations.h"
#include "passes/Passes.h"

#include "mlir/IR/PatternMatch.h"

namespace llmc {
#define GEN_PASS_DEF_DECOMPOSEPASS
#include "passes/Passes.h.inc"
} // namespace llmc

using namespace mlir;
using namespace llmc;

/// What the values of `op` are called, those that replace them are called; what leads there has no name.
static void moveNames(Operation *op, Operation *before, ValueRange values) {
  SmallVector<StringRef> names = valueNames(op->getLoc(), op->getNumResults());
  for (Operation *part = op->getPrevNode(); part != before; part = part->getPrevNode())
    part->setLoc(placeOf(op->getLoc()));
  for (auto [value, name] : llvm::zip(values, names))
    if (Operation *part = value.getDefiningOp(); part && part->getNumResults() == 1)
      part->setLoc(valueNamed(name, placeOf(op->getLoc())));
}

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
        Operation *before = op->getPrevNode();
        FailureOr<SmallVector<Value>> values = op.decompose(rewriter);
        if (failed(values)) {
          op->emitOpError("has no decomposition with these attributes");
          return signalPassFailure();
        }
        moveNames(op, before, *values);
        rewriter.replaceOp(op, *values);
        changed = true;
      }
    }
  }
};

} // namespace
