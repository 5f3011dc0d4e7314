//===- FuseQKV.cpp - matmuls that share an input run as one ---------------===//
//
// Not a pattern: which matmuls share an input is a question about a whole block.
//   1. walk the block in order, keep the first matmul of each (input, norm, biased or not);
//   2. a later one that matches joins it: the first is rebuilt with the weights of both, in its own place.
//
//===----------------------------------------------------------------------===//
#include "ir/Locations.h"
#include "passes/Matchers.h"
#include "passes/Passes.h"

#include <vector>

namespace llmc {
#define GEN_PASS_DEF_FUSEQKVPASS
#include "passes/Passes.h.inc"
} // namespace llmc

using namespace mlir;
using namespace llmc;

namespace {

/// Weights are pure references: one that stands below `point` may be moved above it.
void hoistWeight(Value weight, Operation *point) {
  Operation *op = weight.getDefiningOp();
  if (!op || op->getBlock() != point->getBlock() || op->isBeforeInBlock(point))
    return;
  for (Value operand : op->getOperands())
    hoistWeight(operand, point);
  op->moveBefore(point);
}

/// The matmuls of one input that become one op.
struct Group {
  MatmulParts parts;
  SmallVector<Operation *> members;

  bool takes(const MatmulParts &matmul) const {
    return parts.sharesInput(matmul) && parts.biases.empty() == matmul.biases.empty();
  }
  void add(Operation *op, const MatmulParts &matmul) {
    members.push_back(op);
    llvm::append_range(parts.weights, matmul.weights);
    llvm::append_range(parts.biases, matmul.biases);
    llvm::append_range(parts.results, matmul.results);
  }
  lm::FusedLinearOp merge(IRRewriter &rewriter) {
    Operation *first = members.front();
    for (Value weight : llvm::concat<Value>(parts.weights, parts.biases))
      hoistWeight(weight, first);
    SmallVector<Location> locs;
    for (Operation *member : members)
      locs.push_back(member->getLoc());
    rewriter.setInsertionPoint(first);
    lm::FusedLinearOp merged = parts.build(rewriter, joinLocations(rewriter.getContext(), locs));
    unsigned next = 0;
    for (Operation *member : members) {
      unsigned count = member->getNumResults();
      rewriter.replaceOp(member, merged.getResults().slice(next, count));
      next += count;
    }
    return merged;
  }
};

struct FuseQKVPass : llmc::impl::FuseQKVPassBase<FuseQKVPass> {
  using Base::Base;

  void runOnBlock(Block &block) {
    std::vector<Group> groups;
    for (Operation &op : block) {
      std::optional<MatmulParts> matmul = MatmulParts::of(&op);
      if (!matmul || !matmul->isPlain())
        continue;
      auto group = llvm::find_if(groups, [&](const Group &candidate) { return candidate.takes(*matmul); });
      if (group != groups.end()) {
        group->add(&op, *matmul);
      } else {
        groups.push_back({*matmul, {&op}});
      }
    }
    IRRewriter rewriter(&getContext());
    for (Group &group : groups)
      if (group.members.size() > 1)
        reportApplied(numMerged, "fuse-qkv", "merged", group.merge(rewriter));
  }

  void runOnOperation() override {
    getOperation().walk([&](Operation *op) {
      if (!isa<lm::ForwardOp, lm::LayersOp>(op))
        return;
      for (Region &region : op->getRegions())
        for (Block &block : region)
          runOnBlock(block);
    });
  }
};

} // namespace
