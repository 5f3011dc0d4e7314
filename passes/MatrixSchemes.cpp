//===- MatrixSchemes.cpp - schemes of a model's matrices ------------------===//
#include "passes/MatrixSchemes.h"

#include "ir/Locations.h"

using namespace mlir;

namespace llmc {

static bool isWeightExpression(Operation *op) {
  return op->getNumResults() == 1 && isa<lm::WeightType>(op->getResult(0).getType());
}

SmallVector<Value> matricesOf(lm::ModelOp model) {
  SmallVector<Value> matrices;
  model.walk([&](Operation *op) {
    if (isWeightExpression(op) && cast<lm::WeightType>(op->getResult(0).getType()).rank() == 2 &&
        !llvm::all_of(op->getUsers(), isWeightExpression))
      matrices.push_back(op->getResult(0));
  });
  return matrices;
}

StringRef writtenScheme(Value matrix, std::optional<int64_t> layer) {
  auto written = matrix.getDefiningOp<lm::WQuantizeOp>();
  return written ? written.schemeIn(layer) : "keep";
}

Operation *setSchemes(Value matrix, llvm::function_ref<StringAttr(std::optional<int64_t> layer)> schemeIn) {
  Operation *op = matrix.getDefiningOp();
  SmallVector<Attribute> schemes; // of the layers that the matrix stands in
  Attribute keep = StringAttr::get(matrix.getContext(), "keep"), to;
  auto stack = op->getParentOfType<lm::LayersOp>();
  if (!stack) {
    schemes = {to = schemeIn(std::nullopt)};
  } else {
    SmallVector<Attribute> list(stack.getCount(), keep);
    for (auto [layer, scheme] : llvm::enumerate(list))
      if (stack.getBodies()[stack.kindOf(layer)].isAncestor(op->getParentRegion()))
        schemes.push_back(scheme = schemeIn(layer));
    to = llvm::all_equal(schemes) ? schemes.front() : ArrayAttr::get(matrix.getContext(), list);
  }
  if (llvm::all_of(schemes, [&](Attribute scheme) { return scheme == keep; }))
    return nullptr;
  if (auto written = dyn_cast<lm::WQuantizeOp>(op)) {
    written.setToAttr(to);
    return written;
  }
  OpBuilder at(matrix.getContext());
  at.setInsertionPointAfter(op);
  auto quantized =
      lm::WQuantizeOp::create(at, valueNamed("quantized", op->getLoc()), matrix.getType(), matrix, to);
  matrix.replaceUsesWithIf(quantized.getW(),
                           [&](OpOperand &use) { return !isWeightExpression(use.getOwner()); });
  return quantized;
}

} // namespace llmc
