//===- FuseRopeAttention.cpp - norms of heads, rope, cache and attention --===//
#include "ir/Locations.h"
#include "passes/Matchers.h"
#include "passes/Passes.h"

#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/Remarks.h"

#include "llvm/Support/FormatVariadic.h"

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

bool isNorm(Value value) { return isa_and_nonnull<lm::RMSNormOp, lm::LayerNormOp>(value.getDefiningOp()); }

/// Why the attention cannot take this norm of `side`, "q" or "k"; nothing if it is one of each head, by a
/// gain that the heads share or without one, and serves its reader alone.
std::string whyNotOfHeads(StringRef side, Value y, int64_t headDim) {
  auto norm = y.getDefiningOp<lm::RMSNormOp>();
  if (!norm)
    return llvm::formatv("the norm of {0} is an 'lm.layer_norm'", side);
  if (const auto group = static_cast<int64_t>(norm.getGroup().value_or(lm::widthOf(norm.getX())));
      group != headDim)
    return llvm::formatv("the norm of {0} is of {1} columns, a head has {2}", side, group, headDim);
  if (norm.getGain() && cast<lm::WeightType>(norm.getGain().getType()).dim(0) != headDim)
    return llvm::formatv("the norm of {0} has a gain for each head", side);
  if (!norm->hasOneUse())
    return llvm::formatv("the normed {0} has another reader", side);
  return {};
}

/// q and k on their way to the attention, and what it can do with them by itself, in this order.
struct Inputs {
  Value q, k;
  lm::RMSNormOp normQ, normK; // null: the op takes the rows as they are
  lm::RopeOp ropeQ, ropeK;    // likewise

  Inputs(lm::AttentionOp attention, lm::KVAppendOp append) : q(attention.getQ()), k(append.getK()) {}

  /// Why ropes stay that are there; nothing if none do.
  std::string takeRopes() {
    auto ofQ = q.getDefiningOp<lm::RopeOp>(), ofK = k.getDefiningOp<lm::RopeOp>();
    if (!ofQ && !ofK)
      return {};
    if (!ofQ || !ofK)
      return llvm::formatv("only {0} is rotated", ofQ ? "q" : "k");
    if (!isSameRotation(ofQ, ofK))
      return "q and k are rotated by different rules";
    if (!ofQ->hasOneUse() || !ofK->hasOneUse())
      return llvm::formatv("the rotated {0} has another reader", ofQ->hasOneUse() ? "k" : "q");
    ropeQ = ofQ, ropeK = ofK;
    q = ropeQ.getX(), k = ropeK.getX();
    return {};
  }
  /// Likewise, of norms.
  std::string takeNorms(int64_t headDim) {
    if (!isNorm(q) && !isNorm(k))
      return {};
    if (!isNorm(q) || !isNorm(k))
      return llvm::formatv("only {0} is normed", isNorm(q) ? "q" : "k");
    for (auto [side, y] : {std::pair("q", q), std::pair("k", k)})
      if (std::string why = whyNotOfHeads(side, y, headDim); !why.empty())
        return why;
    auto ofQ = q.getDefiningOp<lm::RMSNormOp>(), ofK = k.getDefiningOp<lm::RMSNormOp>();
    if (ofQ.getEpsAttr() != ofK.getEpsAttr())
      return "the norms of q and k differ in eps";
    if (ofQ.getPlusOne() != ofK.getPlusOne())
      return "the norms of q and k differ in plus_one";
    normQ = ofQ, normK = ofK;
    q = normQ.getX(), k = normK.getX();
    return {};
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
    const std::string whyNotRopes = inputs.takeRopes();
    int64_t headDim = lm::widthOf(append.getK()) / static_cast<int64_t>(attention.getKvHeads());
    if (inputs.ropeQ && static_cast<int64_t>(inputs.ropeQ.getHeadDim()) != headDim)
      return missed(attention, rewriter, "the rope's head dimension is not the attention's");
    if (!whyNotRopes.empty()) // norms stand before the ropes
      remarkMissed(attention, "RopesNotFused", "the ropes stay dispatches of their own: " + whyNotRopes);
    else if (const std::string why = inputs.takeNorms(headDim); !why.empty())
      remarkMissed(attention, "NormsNotFused", "the norms stay dispatches of their own: " + why);

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

  static void remarkMissed(lm::AttentionOp attention, StringRef name, StringRef why) {
    remark::missed(attention.getLoc(), remark::RemarkOpts::name(name).category("fuse-rope-attention")) << why;
  }
  static LogicalResult missed(lm::AttentionOp attention, PatternRewriter &rewriter, StringRef why) {
    remarkMissed(attention, "NotFused", why);
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
