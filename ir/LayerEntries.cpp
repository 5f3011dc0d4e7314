//===- LayerEntries.cpp - tables and lists by layer -----------------------===//
#include "ir/LayerEntries.h"

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
