//===- SpreadThreads.cpp - the ops of a row over the threads of a block ---===//
//
//   1. A linalg op becomes a loop nest. Its outer parallel dimensions are one range of elements, of which
//      thread t takes t, t + threads, ...; what reduces inside stays with its thread. An op without such
//      dimensions is thread 0's.
//   2. A store that stands for itself is thread 0's, too.
//   3. The threads meet before and after each of these; of two meetings with nothing between one goes.
// All else is computed by every thread for itself: it reads only what was there at the last meeting.
//
//===----------------------------------------------------------------------===//
#include "codegen/cuda/DefaultTarget.h"
#include "codegen/cuda/Warp.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;

namespace llmc::cuda {
namespace {

using emit::Emitter;

/// Marks what is not every thread's.
constexpr llvm::StringLiteral isShared = "llmc.spread";

class Spreader {
public:
  Spreader(gpu::GPUFuncOp function) : function(function), e(function.getLoc(), function) {
    e.setInsertionPointToStart(&function.getBody().front());
    lane = gpu::ThreadIdOp::create(e, gpu::Dimension::x);
    lanes = gpu::BlockDimOp::create(e, gpu::Dimension::x);
    isFirst = e.equal(lane, arith::ConstantIndexOp::create(e, 0));
  }

  LogicalResult run() {
    SmallVector<linalg::LinalgOp> ops;
    function.walk([&](linalg::LinalgOp op) { ops.push_back(op); });
    for (linalg::LinalgOp op : ops)
      if (failed(spread(op)))
        return failure();
    SmallVector<Operation *> stores;
    function.walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (op->hasAttr(isShared))
        return WalkResult::skip();
      if (isa<memref::StoreOp, LLVM::StoreOp>(op))
        stores.push_back(op);
      return WalkResult::advance();
    });
    for (Operation *store : stores)
      leaveToFirst(store, std::next(Block::iterator(store)));
    dropRepeatedMeetings();
    return success();
  }

private:
  Operation *meetAt(Operation *op, bool after) {
    if (after)
      e.setInsertionPointAfter(op);
    else
      e.setInsertionPoint(op);
    cuda::meet(e);
    return &*std::prev(e.getInsertionPoint());
  }

  LogicalResult spread(linalg::LinalgOp op) {
    e.setLoc(op->getLoc());
    Operation *before = meetAt(op, /*after=*/false);
    IRRewriter rewriter(e.getContext());
    rewriter.setInsertionPoint(op);
    FailureOr<linalg::LinalgLoops> loops = linalg::linalgOpToParallelLoops(rewriter, op);
    if (failed(loops))
      return op->emitError("cannot be a loop of a kernel");
    meetAt(op, /*after=*/true);
    Block::iterator end = std::next(Block::iterator(op));
    op->erase();
    auto parallel = loops->empty() ? scf::ParallelOp() : dyn_cast<scf::ParallelOp>(loops->front());
    if (parallel)
      spread(parallel);
    else
      leaveToFirst(before->getNextNode(), end, /*meets=*/false);
    return success();
  }

  /// One range over all elements, in steps of the number of threads.
  void spread(scf::ParallelOp parallel) {
    e.setInsertionPoint(parallel);
    ValueRange extents = parallel.getUpperBound();
    Value total = extents.front();
    for (Value extent : extents.drop_front())
      total = e.mul(total, extent);
    auto loop = scf::ForOp::create(e, lane, total, lanes);
    loop->setAttr(isShared, e.getUnitAttr());
    e.setInsertionPointToStart(loop.getBody());
    Value rest = loop.getInductionVar();
    for (size_t i = extents.size(); i-- > 1;) {
      Value index = arith::RemUIOp::create(e, rest, extents[i]);
      rest = e.div(rest, extents[i]);
      parallel.getInductionVars()[i].replaceAllUsesWith(index);
    }
    parallel.getInductionVars()[0].replaceAllUsesWith(rest);
    Block *from = parallel.getBody();
    from->getTerminator()->erase();
    loop.getBody()->getOperations().splice(std::prev(loop.getBody()->end()), from->getOperations());
    parallel.erase();
  }

  /// if (thread 0) { [first, end) }
  void leaveToFirst(Operation *first, Block::iterator end, bool meets = true) {
    e.setLoc(first->getLoc());
    Block *block = first->getBlock();
    e.setInsertionPoint(first);
    if (meets)
      cuda::meet(e);
    auto branch = scf::IfOp::create(e, isFirst, /*withElseRegion=*/false);
    branch->setAttr(isShared, e.getUnitAttr());
    branch.thenBlock()->getOperations().splice(branch.thenBlock()->begin(), block->getOperations(),
                                               Block::iterator(first), end);
    if (meets)
      meetAt(branch, /*after=*/true);
  }

  void dropRepeatedMeetings() {
    SmallVector<gpu::BarrierOp> meetings;
    function.walk([&](gpu::BarrierOp op) { meetings.push_back(op); });
    for (gpu::BarrierOp meeting : meetings) {
      Operation *next = meeting->getNextNode();
      // An allocation gives a place in scratch a name, and does nothing when the kernel runs.
      while (next && (isMemoryEffectFree(next) || isa<memref::AllocOp>(next)))
        next = next->getNextNode();
      if (isa_and_nonnull<gpu::BarrierOp>(next))
        meeting->erase();
    }
  }

  gpu::GPUFuncOp function;
  Emitter e;
  Value lane, lanes, isFirst;
};

} // namespace

LogicalResult spreadOverThreads(ModuleOp module) {
  for (auto kernels : module.getOps<gpu::GPUModuleOp>())
    for (auto function : kernels.getOps<gpu::GPUFuncOp>())
      if (failed(Spreader(function).run()))
        return failure();
  return success();
}

} // namespace llmc::cuda
