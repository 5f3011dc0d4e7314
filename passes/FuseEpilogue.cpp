//===- FuseEpilogue.cpp - activation, scale and residual into their matmul ===//
#include "ir/Locations.h"
#include "passes/Matchers.h"
#include "passes/Passes.h"

namespace llmc {
#define GEN_PASS_DEF_FUSEEPILOGUEPASS
#include "passes/Passes.h.inc"
} // namespace llmc

using namespace mlir;
using namespace llmc;

namespace {

/// The matmul in the same block that makes `value` for `reader` alone, if it has a single result.
std::optional<MatmulParts> onlyReaderOfMatmul(Operation *reader, Value value) {
  std::optional<MatmulParts> matmul = MatmulParts::of(value.getDefiningOp());
  if (!matmul || matmul->results.size() != 1 || !value.hasOneUse() ||
      value.getDefiningOp()->getBlock() != reader->getBlock())
    return std::nullopt;
  return matmul;
}

/// act(fused_linear(x, W)) => fused_linear(x, W) {act}, if the matmul has no epilogue yet and no other
/// reader.
struct FoldActivation : RewritePattern {
  FoldActivation(MLIRContext *context, Pass::Statistic &numActivations)
      : RewritePattern(MatchAnyOpTypeTag(), 1, context), numActivations(numActivations) {}

  LogicalResult matchAndRewrite(Operation *act, PatternRewriter &rewriter) const override {
    std::optional<StringRef> word = activationWord(act);
    if (!word)
      return failure();
    std::optional<MatmulParts> matmul = onlyReaderOfMatmul(act, act->getOperand(0));
    if (!matmul || !matmul->isPlain())
      return rewriter.notifyMatchFailure(act, "does not follow a plain matmul of its own");
    Operation *source = act->getOperand(0).getDefiningOp();
    matmul->act = rewriter.getStringAttr(*word);
    Location loc = fuseLocations(getContext(), {source->getLoc(), act->getLoc()});
    lm::FusedLinearOp fused = matmul->build(rewriter, loc);
    rewriter.replaceOp(act, fused);
    rewriter.eraseOp(source);
    reportApplied(numActivations, "fuse-epilogue", "activations", fused);
    return success();
  }

  Pass::Statistic &numActivations;
};

/// scale(fused_linear(x, W)) => fused_linear(x, W) {scale}, if the matmul has no scale and no residual yet and
/// no other reader.
struct FoldScale : OpRewritePattern<lm::ScaleOp> {
  FoldScale(MLIRContext *context, Pass::Statistic &numScales)
      : OpRewritePattern(context), numScales(numScales) {}

  LogicalResult matchAndRewrite(lm::ScaleOp scale, PatternRewriter &rewriter) const override {
    std::optional<MatmulParts> matmul = onlyReaderOfMatmul(scale, scale.getX());
    if (!matmul || matmul->scale || matmul->residual)
      return rewriter.notifyMatchFailure(scale, "does not follow a matmul of its own");
    Operation *source = scale.getX().getDefiningOp();
    matmul->scale = scale.getFactorAttr();
    Location loc = fuseLocations(getContext(), {source->getLoc(), scale.getLoc()});
    lm::FusedLinearOp fused = matmul->build(rewriter, loc);
    rewriter.replaceOp(scale, fused);
    rewriter.eraseOp(source);
    reportApplied(numScales, "fuse-epilogue", "scales", fused);
    return success();
  }

  Pass::Statistic &numScales;
};

/// add(fused_linear(x, W), r) => fused_linear(x, W) residual(r), operands of the add in either order,
/// if the matmul has no residual yet and no other reader.
struct FoldResidual : OpRewritePattern<lm::AddOp> {
  FoldResidual(MLIRContext *context, Pass::Statistic &numResiduals)
      : OpRewritePattern(context), numResiduals(numResiduals) {}

  LogicalResult matchAndRewrite(lm::AddOp add, PatternRewriter &rewriter) const override {
    // The later matmul takes the sum: it stands below everything the sum needs.
    for (auto [sum, other] : {std::pair<Value, Value>{add.getB(), add.getA()}, {add.getA(), add.getB()}}) {
      std::optional<MatmulParts> matmul = onlyReaderOfMatmul(add, sum);
      if (!matmul || matmul->residual || sum == other)
        continue;
      Operation *source = sum.getDefiningOp();
      matmul->residual = other;
      Location loc = fuseLocations(getContext(), {source->getLoc(), add.getLoc()});
      lm::FusedLinearOp fused = matmul->build(rewriter, loc);
      rewriter.replaceOp(add, fused);
      rewriter.eraseOp(source);
      reportApplied(numResiduals, "fuse-epilogue", "residuals", fused);
      return success();
    }
    return rewriter.notifyMatchFailure(add, "neither operand is a matmul of its own");
  }

  Pass::Statistic &numResiduals;
};

struct FuseEpiloguePass : llmc::impl::FuseEpiloguePassBase<FuseEpiloguePass> {
  using Base::Base;
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FoldActivation>(&getContext(), numActivations);
    patterns.add<FoldScale>(&getContext(), numScales);
    patterns.add<FoldResidual>(&getContext(), numResiduals);
    applyFusions(getOperation(), std::move(patterns));
  }
};

} // namespace
