//===- PlanKVCache.cpp - decide how each cache is stored ------------------===//
#include "passes/Passes.h"

namespace llmc {
#define GEN_PASS_DEF_PLANKVCACHEPASS
#include "passes/Passes.h.inc"
} // namespace llmc

using namespace mlir;
using namespace llmc;

namespace {

struct PlanKVCachePass : llmc::impl::PlanKVCachePassBase<PlanKVCachePass> {
  using Base::Base;

  /// Within one block (a layer, or the entry): one append to a cache, and no view before it.
  LogicalResult checkBlock(Block &block) {
    llvm::StringMap<Operation *> appended;
    for (Operation &op : block) {
      StringRef cache;
      if (auto append = dyn_cast<lm::KVAppendOp>(op))
        cache = append.getCache();
      else if (auto attention = dyn_cast<lm::CachedAttentionOp>(op))
        cache = attention.getCache();
      else if (auto view = dyn_cast<lm::KVViewOp>(op); view && !appended.contains(view.getCache()))
        return view.emitOpError() << "reads the cache @" << view.getCache()
                                  << " before the layer has appended to it";
      if (cache.empty())
        continue;
      if (auto [first, isNew] = appended.try_emplace(cache, &op); !isNew) {
        InFlightDiagnostic error = op.emitOpError()
                                   << "appends to the cache @" << cache << " a second time in one layer";
        error.attachNote(first->second->getLoc()) << "first append is here";
        return error;
      }
    }
    return success();
  }

  void runOnOperation() override {
    Builder builder(&getContext());
    SmallVector<StringRef> types;
    StringRef(type).split(types, ',');
    for (lm::CacheOp cache : getOperation().getBody().getOps<lm::CacheOp>()) {
      if (!cache.getPageTokens())
        cache.setPageTokensAttr(builder.getI64IntegerAttr(pageTokens));
      if (!cache.getType())
        cache.setTypeAttr(types.size() == 1 ? Attribute(builder.getStringAttr(types.front()))
                                            : builder.getStrArrayAttr(types));
      if (failed(cache.verify()))
        return signalPassFailure();
    }
    WalkResult walk = getOperation().forward().walk([&](Block *block) {
      return failed(checkBlock(*block)) ? WalkResult::interrupt() : WalkResult::advance();
    });
    if (walk.wasInterrupted())
      signalPassFailure();
  }
};

} // namespace
