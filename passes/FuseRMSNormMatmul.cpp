//===- FuseRMSNormMatmul.cpp - a norm as the prologue of its matmuls ------===//
#include "ir/Locations.h"
#include "passes/Matchers.h"
#include "passes/Passes.h"

#include "mlir/IR/Remarks.h"

namespace llmc {
#define GEN_PASS_DEF_FUSERMSNORMMATMULPASS
#include "passes/Passes.h.inc"
} // namespace llmc

using namespace mlir;
using namespace llmc;

namespace {

/// fused_linear(norm(x, g), W…) => fused_linear(x norm(g), W…) for every reader of the norm,
/// if all of them are matmuls without a prologue of their own that read the norm as their input. Where the
/// model also returns the normed rows as its hidden rows, the norm stays for these: it then runs only in
/// steps that ask for them.
template <typename NormOp> struct FoldNormIntoReaders : OpRewritePattern<NormOp> {
  FoldNormIntoReaders(MLIRContext *context, Pass::Statistic &numFused)
      : OpRewritePattern<NormOp>(context), numFused(numFused) {}

  LogicalResult matchAndRewrite(NormOp norm, PatternRewriter &rewriter) const override {
    if (norm.getGroup() && static_cast<int64_t>(*norm.getGroup()) != lm::widthOf(norm.getX()))
      return rewriter.notifyMatchFailure(norm, "normalizes groups, not rows");
    bool isReturned = false;
    SmallVector<Operation *> readers;
    for (OpOperand &use : norm->getUses())
      if (auto end = dyn_cast<lm::ReturnOp>(use.getOwner());
          end && end.getHidden() == norm.getY() && end.getLogits() != norm.getY())
        isReturned = true;
      else
        readers.push_back(use.getOwner());
    if (readers.empty())
      return rewriter.notifyMatchFailure(norm, "has no reader");
    for (Operation *reader : readers) {
      if (reader->getBlock() != norm->getBlock())
        return rewriter.notifyMatchFailure(norm, "is read in the stack but computed once, outside it");
      std::optional<MatmulParts> matmul = MatmulParts::of(reader);
      if (!matmul || matmul->x != norm.getY() || matmul->residual == norm.getY() ||
          matmul->norm.getValue() != "none") {
        std::string why = ("the norm is also read by '" + reader->getName().getStringRef() +
                           "' and stays a dispatch of its own")
                              .str();
        remark::missed(norm.getLoc(),
                       remark::RemarkOpts::name("NormHasOtherReader").category("fuse-rmsnorm-matmul"))
            << why;
        return rewriter.notifyMatchFailure(norm, "has a reader that is no matmul");
      }
    }
    for (Operation *reader : readers) {
      MatmulParts matmul = *MatmulParts::of(reader);
      matmul.x = norm.getX();
      matmul.gain = norm.getGain();
      matmul.eps = norm.getEpsAttr();
      if constexpr (std::is_same_v<NormOp, lm::RMSNormOp>) {
        matmul.norm = rewriter.getStringAttr("rms");
        matmul.plusOne = norm.getPlusOne();
      } else {
        matmul.norm = rewriter.getStringAttr("layer");
        matmul.normBias = norm.getBias();
      }
      rewriter.setInsertionPoint(reader);
      Location loc = fuseLocations(this->getContext(), {norm.getLoc(), reader->getLoc()});
      lm::FusedLinearOp fused = matmul.build(rewriter, loc);
      rewriter.replaceOp(reader, fused);
      reportApplied(numFused, "fuse-rmsnorm-matmul", "fused", fused);
    }
    if (!isReturned)
      rewriter.eraseOp(norm);
    return success();
  }

  Pass::Statistic &numFused;
};

struct FuseRMSNormMatmulPass : llmc::impl::FuseRMSNormMatmulPassBase<FuseRMSNormMatmulPass> {
  using Base::Base;
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FoldNormIntoReaders<lm::RMSNormOp>, FoldNormIntoReaders<lm::LayerNormOp>>(&getContext(),
                                                                                           numFused);
    applyFusions(getOperation(), std::move(patterns));
  }
};

} // namespace
