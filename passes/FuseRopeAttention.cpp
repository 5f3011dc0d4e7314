//===- FuseRopeAttention.cpp - rope, append, view and attention as one ----===//
#include "ir/Locations.h"
#include "passes/Matchers.h"
#include "passes/Passes.h"

#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/Remarks.h"

namespace llmc {
#define GEN_PASS_DEF_FUSEROPEATTENTIONPASS
#include "passes/Passes.h.inc"
} // namespace llmc

using namespace mlir;
using namespace llmc;

namespace {

/// q and k are rotated by the same rule: everything but the rows themselves agrees.
bool isSameRotation(lm::RopeOp a, lm::RopeOp b) {
  return a.getTokens() == b.getTokens() && a->getAttrDictionary() == b->getAttrDictionary();
}

/// rope(q), rope(k), kv_append(k, v), K, V, keys = kv_view, attention(q, K, V, keys)
///   => cached_attention(q, k, v) with the rope's attributes,
/// if view, append and ropes serve this attention alone, nothing else touches the cache between them, and the
/// cache has the attention's key heads.
struct FoldCacheOpsIntoAttention : OpRewritePattern<lm::AttentionOp> {
  FoldCacheOpsIntoAttention(MLIRContext *context, Pass::Statistic &numFused)
      : OpRewritePattern(context), numFused(numFused) {}

  LogicalResult matchAndRewrite(lm::AttentionOp attention, PatternRewriter &rewriter) const override {
    auto view = attention.getK().getDefiningOp<lm::KVViewOp>();
    if (!view || attention.getV().getDefiningOp() != view || attention.getKeys().getDefiningOp() != view)
      return rewriter.notifyMatchFailure(attention, "does not read one view of a cache");
    for (Operation *reader : view->getUsers())
      if (reader != attention)
        return rewriter.notifyMatchFailure(attention, "the view has another reader");
    lm::KVAppendOp append = lastAppend(view);
    if (!append)
      return missed(attention, rewriter, "the layer does not append to the cache it reads");
    if (touchesCacheBetween(view, attention))
      return missed(attention, rewriter, "the cache is used again between the view and the attention");
    if (append.getTokens() != view.getTokens() || append.getTokens() != attention.getTokens())
      return rewriter.notifyMatchFailure(attention, "append, view and attention are of different tokens");

    auto model = attention->getParentOfType<lm::ModelOp>();
    auto cache = model.lookupSymbol<lm::CacheOp>(append.getCacheAttr());
    if (!cache || cache.getHeads() != attention.getKvHeads())
      return missed(attention, rewriter, "the cache has another number of heads than the attention");

    auto ropeQ = attention.getQ().getDefiningOp<lm::RopeOp>(),
         ropeK = append.getK().getDefiningOp<lm::RopeOp>();
    bool isRotated = ropeQ && ropeK;
    if (isRotated && (!isSameRotation(ropeQ, ropeK) || !ropeQ->hasOneUse() || !ropeK->hasOneUse()))
      isRotated = false; // the op then takes the rotated rows as they are

    int64_t headDim = lm::widthOf(append.getK()) / static_cast<int64_t>(attention.getKvHeads());
    if (isRotated && static_cast<int64_t>(ropeQ.getHeadDim()) != headDim)
      return missed(attention, rewriter, "the rope's head dimension is not the attention's");

    Value q = isRotated ? ropeQ.getX() : attention.getQ(), k = isRotated ? ropeK.getX() : append.getK();
    SmallVector<Location> locs = {append.getLoc(), attention.getLoc()};
    if (isRotated)
      locs.insert(locs.begin(), {ropeQ.getLoc(), ropeK.getLoc()});
    // Built in the attention's place: everything it needs stands above.
    auto fused = lm::CachedAttentionOp::create(
        rewriter, fuseLocations(getContext(), locs), attention.getY().getType(), append.getCacheAttr(), q, k,
        append.getV(), append.getTokens(), attention.getSinks(), attention.getHeadsAttr(),
        attention.getKvHeadsAttr(), attention.getScaleAttr(), attention.getMaskAttr(),
        attention.getWindowAttr(), attention.getSoftcapAttr(),
        isRotated ? ropeQ.getStyleAttr() : StringAttr(), isRotated ? ropeQ.getDimsAttr() : IntegerAttr(),
        isRotated ? ropeQ.getBaseAttr() : Attribute(), isRotated ? ropeQ.getFreqsAttr() : DenseF64ArrayAttr(),
        isRotated ? ropeQ.getFactorAttr() : FloatAttr());
    rewriter.replaceOp(attention, fused);
    rewriter.eraseOp(view);
    rewriter.eraseOp(append);
    if (isRotated) {
      rewriter.eraseOp(ropeQ);
      rewriter.eraseOp(ropeK);
    }
    reportApplied(numFused, "fuse-rope-attention", "fused", fused);
    return success();
  }

private:
  /// The append to the same cache that stands above the view, with no other cache op between the two.
  static lm::KVAppendOp lastAppend(lm::KVViewOp view) {
    for (Operation *op = view->getPrevNode(); op; op = op->getPrevNode()) {
      if (auto append = dyn_cast<lm::KVAppendOp>(op))
        return append.getCache() == view.getCache() ? append : lm::KVAppendOp();
      if (isa<lm::KVViewOp, lm::CachedAttentionOp, lm::LayersOp>(op))
        return {};
    }
    return {};
  }

  /// The append moves down to the attention: nothing on the way may see the difference. True as well where
  /// the attention stands in another block, which runs another number of times.
  static bool touchesCacheBetween(lm::KVViewOp view, lm::AttentionOp attention) {
    if (view->getBlock() != attention->getBlock())
      return true;
    for (Operation *op = view->getNextNode(); op != attention; op = op->getNextNode())
      if (isa<lm::KVAppendOp, lm::KVViewOp, lm::CachedAttentionOp, lm::LayersOp>(op))
        return true;
    return false;
  }

  static LogicalResult missed(lm::AttentionOp attention, PatternRewriter &rewriter, StringRef why) {
    remark::missed(attention.getLoc(), remark::RemarkOpts::name("NotFused").category("fuse-rope-attention"))
        << why;
    return rewriter.notifyMatchFailure(attention, why);
  }

  Pass::Statistic &numFused;
};

struct FuseRopeAttentionPass : llmc::impl::FuseRopeAttentionPassBase<FuseRopeAttentionPass> {
  using Base::Base;
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FoldCacheOpsIntoAttention>(&getContext(), numFused);
    applyFusions(getOperation(), std::move(patterns));
  }
};

} // namespace
