//===- LayerEdits.cpp - fewer layers --------------------------------------===//
//
// Layers differ by their kind, by the entries of tables and lists, and by the tensors that `{i}` names. The
// first n layers keep `{i}`; of one layer somewhere in the stack the names are spelled out.
//
//===----------------------------------------------------------------------===//
#include "tools/reduce/Edits.h"

#include "ir/LayerEntries.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

#include <numeric>

using namespace mlir;
using namespace llmc;
using namespace llmc::tools;

/// One layer has no list of schemes.
static void nameOneScheme(lm::ModelOp model) {
  SmallVector<lm::WQuantizeOp> lists;
  model.walk([&](lm::WQuantizeOp op) {
    if (auto list = dyn_cast<ArrayAttr>(op.getTo()); list && list.size() == 1)
      lists.push_back(op);
  });
  for (lm::WQuantizeOp op : lists) {
    Attribute scheme = cast<ArrayAttr>(op.getTo())[0];
    if (cast<StringAttr>(scheme).getValue() == "keep")
      op.getW().replaceAllUsesWith(op.getA());
    else
      op.setToAttr(scheme);
  }
}

/// `{i}` becomes `layer` in all that is in `body`.
static void spellOut(Region &body, int64_t layer) {
  body.walk([&](lm::WeightRefOp weight) { weight.setTensor(lm::nameInLayer(weight.getTensor(), layer)); });
}

static void keepOnly(lm::ModelOp model, ArrayRef<int64_t> layers) {
  lm::keepLayers(model, layers);
  if (layers.size() == 1)
    nameOneScheme(model);
}

static void dropStack(lm::ModelOp model) {
  lm::LayersOp stack = model.layers();
  stack.replaceAllUsesWith(stack.getInits());
  stack.erase();
}

/// The only layer's ops where the stack is; numbers in place of tables.
static void inlineLayer(lm::ModelOp model) {
  lm::LayersOp stack = model.layers();
  Region &body = stack.getBodies()[0];
  spellOut(body, 0);
  nameOneScheme(model);
  SymbolTable symbols(model);
  Builder builder(model->getContext());
  body.walk([&](Operation *op) {
    for (NamedAttribute attr : llvm::to_vector(op->getAttrs())) {
      auto symbol = dyn_cast<FlatSymbolRefAttr>(attr.getValue());
      auto table = symbol ? symbols.lookup<lm::TableOp>(symbol.getAttr()) : lm::TableOp();
      if (!table || table.getValues().empty())
        continue;
      double value = table.getValues()[0];
      const bool isInteger = attr.getName() == "window";
      if (isInteger && value == 0) // none
        op->removeAttr(attr.getName());
      else
        op->setAttr(attr.getName(),
                    isInteger ? Attribute(builder.getI64IntegerAttr(value)) : builder.getF64FloatAttr(value));
    }
  });
  Block &block = body.front();
  for (auto [argument, init] : llvm::zip(block.getArguments(), stack.getInits()))
    argument.replaceAllUsesWith(init);
  Operation *yield = block.getTerminator();
  SmallVector<Value> results(yield->getOperands());
  yield->erase();
  stack->getBlock()->getOperations().splice(Block::iterator(stack), block.getOperations());
  stack.replaceAllUsesWith(results);
  stack.erase();
}

Edits tools::layerEdits(lm::ModelOp model) {
  Edits edits;
  lm::LayersOp stack = model.layers();
  if (!stack)
    return edits;
  const int64_t count = stack.getCount();
  edits.push_back([=]() mutable { dropStack(model); });
  if (count == 1) {
    edits.push_back([=]() mutable { inlineLayer(model); });
    return edits;
  }
  // One layer: the first and the last of each kind are tried before the others, which differ less.
  SmallVector<int64_t> order;
  for (int64_t kind = 0; kind < static_cast<int64_t>(stack.getBodies().size()); ++kind) {
    SmallVector<int64_t> layers;
    for (int64_t layer = 0; layer < count; ++layer)
      if (stack.kindOf(layer) == kind)
        layers.push_back(layer);
    if (!layers.empty())
      order.append({layers.front(), layers.back()});
  }
  for (int64_t layer = 0; layer < count; ++layer)
    order.push_back(layer);
  llvm::SmallDenseSet<int64_t> seen;
  for (int64_t layer : order)
    if (seen.insert(layer).second)
      edits.push_back([=]() mutable { keepOnly(model, layer); });
  // The first ones: half, three quarters … all but one.
  for (int64_t left = (count + 1) / 2; left > 0; left = left == 1 ? 0 : (left + 1) / 2)
    if (count - left > 1)
      edits.push_back([=]() mutable {
        SmallVector<int64_t> layers(count - left);
        std::iota(layers.begin(), layers.end(), 0);
        keepOnly(model, layers);
      });
  return edits;
}
