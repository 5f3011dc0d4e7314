//===- FuseSwiglu.cpp - the two matmuls of a gated MLP together -----------===//
#include "ir/Locations.h"
#include "passes/Matchers.h"
#include "passes/Passes.h"

namespace llmc {
#define GEN_PASS_DEF_FUSESWIGLUPASS
#include "passes/Passes.h.inc"
} // namespace llmc

using namespace mlir;
using namespace llmc;

namespace {

/// mul(act(linear(x, Wg)), linear(x, Wu)) => fused_linear(x, Wg, Wu) {act, glu}, operands of the mul in
/// either order, if gate, up and act(gate) have no other reader.
struct FuseGatedPair : OpRewritePattern<lm::MulOp> {
  FuseGatedPair(MLIRContext *context, Pass::Statistic &numFused)
      : OpRewritePattern(context), numFused(numFused) {}

  LogicalResult matchAndRewrite(lm::MulOp mul, PatternRewriter &rewriter) const override {
    if (succeeded(fuse(mul, mul.getA(), mul.getB(), rewriter)))
      return success();
    return fuse(mul, mul.getB(), mul.getA(), rewriter);
  }

private:
  LogicalResult fuse(lm::MulOp mul, Value activated, Value up, PatternRewriter &rewriter) const {
    Operation *act = activated.getDefiningOp();
    std::optional<StringRef> word = act ? activationWord(act) : std::nullopt;
    if (!word)
      return rewriter.notifyMatchFailure(mul, "no operand is an activation");
    Value gate = act->getOperand(0);
    std::optional<MatmulParts> gateParts = MatmulParts::of(gate.getDefiningOp()),
                               upParts = MatmulParts::of(up.getDefiningOp());
    if (!gateParts || !upParts || gate.getDefiningOp() == up.getDefiningOp())
      return rewriter.notifyMatchFailure(mul, "gate and up are not two matmuls");
    if (act->getBlock() != mul->getBlock() || gate.getDefiningOp()->getBlock() != mul->getBlock() ||
        up.getDefiningOp()->getBlock() != mul->getBlock())
      return rewriter.notifyMatchFailure(mul, "gate or up is computed outside the stack");
    if (!activated.hasOneUse() || !gate.hasOneUse() || !up.hasOneUse())
      return rewriter.notifyMatchFailure(mul, "gate, up or the activation has another reader");
    if (!gateParts->isPlain() || !upParts->isPlain() || gateParts->weights.size() != 1 ||
        upParts->weights.size() != 1)
      return rewriter.notifyMatchFailure(mul, "gate or up is not a single plain matmul");
    if (!gateParts->sharesInput(*upParts) || gateParts->biases.size() != upParts->biases.size())
      return rewriter.notifyMatchFailure(mul, "gate and up differ in input, norm or bias");
    MatmulParts fused = *gateParts;
    llvm::append_range(fused.weights, upParts->weights);
    llvm::append_range(fused.biases, upParts->biases);
    fused.act = rewriter.getStringAttr(*word);
    fused.glu = true;
    Operation *gateOp = gate.getDefiningOp(), *upOp = up.getDefiningOp();
    Location loc =
        fuseLocations(getContext(), {gateOp->getLoc(), upOp->getLoc(), act->getLoc(), mul.getLoc()});
    lm::FusedLinearOp made = fused.build(rewriter, loc);
    rewriter.replaceOp(mul, made);
    rewriter.eraseOp(act);
    rewriter.eraseOp(gateOp);
    rewriter.eraseOp(upOp);
    reportApplied(numFused, "fuse-swiglu", "fused", made);
    return success();
  }

  Pass::Statistic &numFused;
};

struct FuseSwigluPass : llmc::impl::FuseSwigluPassBase<FuseSwigluPass> {
  using Base::Base;
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FuseGatedPair>(&getContext(), numFused);
    applyFusions(getOperation(), std::move(patterns));
  }
};

} // namespace
