//===- LayerEntries.cpp - tables and lists by layer -----------------------===//
#include "ir/LayerEntries.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::lm;

void lm::keepLayerEntries(ModelOp model, ArrayRef<int64_t> layers) {
  for (TableOp table : model.getOps<TableOp>()) {
    SmallVector<double> values;
    for (int64_t layer : layers)
      if (layer < static_cast<int64_t>(table.getValues().size()))
        values.push_back(table.getValues()[layer]);
    table.setValues(values);
  }
  SmallVector<WQuantizeOp> lists;
  model.walk([&](WQuantizeOp op) {
    if (isa<ArrayAttr>(op.getTo()))
      lists.push_back(op);
  });
  for (WQuantizeOp op : lists) {
    auto old = cast<ArrayAttr>(op.getTo());
    SmallVector<Attribute> schemes;
    for (int64_t layer : layers)
      if (layer < static_cast<int64_t>(old.size()))
        schemes.push_back(old[layer]);
    op.setToAttr(ArrayAttr::get(op.getContext(), schemes));
  }
}

void lm::keepLayers(ModelOp model, ArrayRef<int64_t> layers) {
  LayersOp stack = model.layers();
  SmallVector<std::pair<int64_t, int64_t>> bodies; // the old kind, and the number to spell out (-1: none)
  SmallVector<int64_t> kinds;
  for (auto [place, layer] : llvm::enumerate(layers)) {
    const std::pair body(stack.kindOf(layer), layer == static_cast<int64_t>(place) ? -1 : layer);
    const auto *found = llvm::find(bodies, body);
    kinds.push_back(found - bodies.begin());
    if (found == bodies.end())
      bodies.push_back(body);
  }
  OpBuilder builder(stack);
  OperationState state(stack.getLoc(), LayersOp::getOperationName());
  state.addOperands(stack.getInits());
  state.addTypes(stack.getResultTypes());
  state.addAttribute("count", builder.getI64IntegerAttr(layers.size()));
  if (bodies.size() > 1)
    state.addAttribute("kinds", builder.getDenseI64ArrayAttr(kinds));
  for (size_t i = 0; i < bodies.size(); ++i)
    state.addRegion();
  auto fewer = cast<LayersOp>(builder.create(state));
  for (auto [region, body] : llvm::zip_equal(fewer.getBodies(), bodies)) {
    IRMapping mapping;
    stack.getBodies()[body.first].cloneInto(&region, mapping);
    if (const int64_t number = body.second; number >= 0)
      region.walk([&](WeightRefOp weight) { weight.setTensor(nameInLayer(weight.getTensor(), number)); });
  }
  stack.replaceAllUsesWith(fewer.getResults());
  stack.erase();
  keepLayerEntries(model, layers);
}
