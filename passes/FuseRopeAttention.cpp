//===- FuseRopeAttention.cpp - norms of heads, rope, cache and attention --===//
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

/// A norm of each head by a gain that the heads share, or without one, which serves its reader alone.
bool isNormOfHeads(lm::RMSNormOp norm, int64_t headDim) {
  if (!norm || !norm->hasOneUse() ||
      static_cast<int64_t>(norm.getGroup().value_or(lm::widthOf(norm.getX()))) != headDim)
    return false;
  return !norm.getGain() || cast<lm::WeightType>(norm.getGain().getType()).dim(0) == headDim;
}

/// q and k on their way to the attention, and what it can do with them by itself, in this order.
struct Inputs {
  Value q, k;
  lm::RMSNormOp normQ, normK; // null: the op takes the rows as they are
  lm::RopeOp ropeQ, ropeK;    // likewise

  Inputs(lm::AttentionOp attention, lm::KVAppendOp append) : q(attention.getQ()), k(append.getK()) {
    auto ofQ = q.getDefiningOp<lm::RopeOp>(), ofK = k.getDefiningOp<lm::RopeOp>();
    if (!ofQ || !ofK || !isSameRotation(ofQ, ofK) || !ofQ->hasOneUse() || !ofK->hasOneUse())
      return;
    ropeQ = ofQ, ropeK = ofK;
    q = ropeQ.getX(), k = ropeK.getX();
  }
  void takeNorms(int64_t headDim) {
    auto ofQ = q.getDefiningOp<lm::RMSNormOp>(), ofK = k.getDefiningOp<lm::RMSNormOp>();
    if (!isNormOfHeads(ofQ, headDim) || !isNormOfHeads(ofK, headDim) ||
        ofQ.getEpsAttr() != ofK.getEpsAttr() || ofQ.getPlusOne() != ofK.getPlusOne())
      return;
    normQ = ofQ, normK = ofK;
    q = normQ.getX(), k = normK.getX();
  }
  SmallVector<Operation *> folded() const {
    SmallVector<Operation *> ops;
    if (normQ)
      ops.append({normQ, normK});
    if (ropeQ)
      ops.append({ropeQ, ropeK});
    return ops;
  }
};

/// rms_norm(q, gq), rms_norm(k, gk), rope(q), rope(k), kv_append(k, v), K, V, keys = kv_view,
/// attention(q, K, V, keys)
///   => cached_attention(q, k, v, gq, gk) with the attributes of norms and ropes,
/// if view, append, ropes and norms serve this attention alone, nothing else touches the cache between them,
/// and the cache has the attention's key heads. Norms and ropes are optional.
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

    Inputs inputs(attention, append);
    int64_t headDim = lm::widthOf(append.getK()) / static_cast<int64_t>(attention.getKvHeads());
    if (inputs.ropeQ && static_cast<int64_t>(inputs.ropeQ.getHeadDim()) != headDim)
      return missed(attention, rewriter, "the rope's head dimension is not the attention's");
    inputs.takeNorms(headDim);

    lm::CachedAttentionOp fused = build(attention, append, inputs, rewriter);
    rewriter.replaceOp(attention, fused);
    rewriter.eraseOp(view);
    rewriter.eraseOp(append);
    for (Operation *op : llvm::reverse(inputs.folded()))
      rewriter.eraseOp(op);
    reportApplied(numFused, "fuse-rope-attention", "fused", fused);
    return success();
  }

private:
  /// In the attention's place: everything it needs stands above.
  static lm::CachedAttentionOp build(lm::AttentionOp attention, lm::KVAppendOp append, const Inputs &inputs,
                                     PatternRewriter &rewriter) {
    SmallVector<Location> locs;
    for (Operation *op : inputs.folded())
      locs.push_back(op->getLoc());
    locs.append({append.getLoc(), attention.getLoc()});
    lm::RMSNormOp normQ = inputs.normQ, normK = inputs.normK;
    lm::RopeOp rope = inputs.ropeQ;
    return lm::CachedAttentionOp::create(
        rewriter, fuseLocations(rewriter.getContext(), locs), attention.getY().getType(),
        append.getCacheAttr(), inputs.q, inputs.k, append.getV(), append.getTokens(), attention.getSinks(),
        normQ ? normQ.getGain() : Value(), normK ? normK.getGain() : Value(), attention.getHeadsAttr(),
        attention.getKvHeadsAttr(), attention.getScaleAttr(), attention.getMaskAttr(),
        attention.getWindowAttr(), attention.getSoftcapAttr(), normQ ? normQ.getEpsAttr() : FloatAttr(),
        normQ ? normQ.getPlusOneAttr() : UnitAttr(), rope ? rope.getStyleAttr() : StringAttr(),
        rope ? rope.getDimsAttr() : IntegerAttr(), rope ? rope.getBaseAttr() : Attribute(),
        rope ? rope.getFreqsAttr() : DenseF64ArrayAttr(), rope ? rope.getFactorAttr() : FloatAttr());
  }

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
