//===- OpEdits.cpp - fewer ops, operands and attributes -------------------===//
#include "tools/reduce/Edits.h"

#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::tools;

/// Rows of the cache are of the type of rows of the step, but not as many.
static bool isFromCache(Value value) { return isa_and_nonnull<lm::KVViewOp>(value.getDefiningOp()); }

static bool canReplace(Value value, Value by) {
  return by != value && by.getType() == value.getType() && !isFromCache(by);
}

static void forEachValue(lm::ModelOp model, function_ref<void(Operation *)> visit) {
  model.walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (op->getNumResults() == 1 && !isa<lm::LayersOp>(op))
      visit(op);
  });
}

/// What an op reads in place of what it makes: the first or the last operand of the type.
template <bool isLast> static Edits bypasses(lm::ModelOp model) {
  Edits edits;
  forEachValue(model, [&](Operation *op) {
    auto find = [op] {
      Value found;
      for (Value operand : op->getOperands())
        if (canReplace(op->getResult(0), operand) && (isLast || !found))
          found = operand;
      return found;
    };
    if (find())
      edits.push_back([=] {
        if (Value value = find())
          op->getResult(0).replaceAllUsesWith(value);
      });
  });
  return edits;
}

/// The first value of the type that an op can see; null if there is none.
static Value earliestLike(Operation *op) {
  Value result = op->getResult(0), found;
  for (Operation *inner = op; inner && !isa<ModuleOp>(inner); inner = inner->getParentOp()) {
    Block *block = inner->getBlock();
    Value here;
    for (BlockArgument argument : block->getArguments())
      if (!here && canReplace(result, argument))
        here = argument;
    for (Operation &earlier : *block) {
      if (here || &earlier == inner)
        break;
      for (Value value : earlier.getResults())
        if (!here && canReplace(result, value))
          here = value;
    }
    if (here)
      found = here; // outer blocks come first
  }
  return found;
}

static Edits earlierValues(lm::ModelOp model) {
  Edits edits;
  forEachValue(model, [&](Operation *op) {
    if (earliestLike(op))
      edits.push_back([op] {
        if (Value value = earliestLike(op))
          op->getResult(0).replaceAllUsesWith(value);
      });
  });
  return edits;
}

/// Ops without a result, and what else stands in the model by itself.
static Edits erasures(lm::ModelOp model) {
  Edits edits;
  model.walk([&](Operation *op) {
    if (isa<lm::KVAppendOp, lm::WeightsOp>(op))
      edits.push_back([op] { op->erase(); });
  });
  return edits;
}

static Edits optionalOperands(lm::ModelOp model) {
  Edits edits;
  auto clear = [&](MutableOperandRange range) {
    if (range.size())
      edits.push_back([range]() mutable { range.clear(); });
  };
  model.walk([&](Operation *op) {
    llvm::TypeSwitch<Operation *>(op)
        .Case<lm::ReturnOp>([&](auto op) { clear(op.getHiddenMutable()); })
        .Case<lm::LinearOp>([&](auto op) { clear(op.getBMutable()); })
        .Case<lm::AttentionOp>([&](auto op) { clear(op.getSinksMutable()); })
        .Case<lm::CachedAttentionOp>([&](auto op) {
          clear(op.getSinksMutable());
          clear(op.getQGainMutable());
          clear(op.getKGainMutable());
        })
        .Case<lm::RMSNormOp>([&](auto op) { clear(op.getGainMutable()); })
        .Case<lm::LayerNormOp>([&](auto op) {
          clear(op.getBiasMutable());
          clear(op.getGainMutable());
        })
        .Case<lm::FusedLinearOp>([&](auto op) {
          clear(op.getBiasesMutable());
          clear(op.getResidualMutable());
          clear(op.getNormBiasMutable());
        });
  });
  return edits;
}

/// The verifier knows which ones an op cannot do without.
static Edits attributes(lm::ModelOp model) {
  Edits edits;
  model->walk([&](Operation *op) {
    for (NamedAttribute attr : op->getAttrs()) {
      StringAttr name = attr.getName();
      if (name != SymbolTable::getSymbolAttrName() && name != "operandSegmentSizes")
        edits.push_back([=] { op->removeAttr(name); });
    }
  });
  return edits;
}

ArrayRef<EditKind> tools::editKinds() {
  static const EditKind kinds[] = {
      {"layers", layerEdits, true},
      {"ops, by what they read first", bypasses<false>, false},
      {"ops, by what they read last", bypasses<true>, false},
      {"ops, by earlier values", earlierValues, false},
      {"appends and files", erasures, false},
      {"optional operands", optionalOperands, false},
      {"attributes", attributes, false},
  };
  return kinds;
}

void tools::removeDead(lm::ModelOp model) {
  for (bool isChanged = true; isChanged;) {
    SmallVector<Operation *> dead;
    model.walk([&](Operation *op) {
      if (op != model.getOperation() && isOpTriviallyDead(op))
        dead.push_back(op);
    });
    // From within: an op before the one that it stands in.
    for (Operation *op : dead)
      op->erase();
    isChanged = !dead.empty();
  }
  for (Operation &op : llvm::make_early_inc_range(*model.getBody().begin()))
    if (isa<lm::CacheOp, lm::TableOp>(op) && SymbolTable::symbolKnownUseEmpty(&op, &model.getBody()))
      op.erase();
}
