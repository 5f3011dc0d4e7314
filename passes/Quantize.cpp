//===- Quantize.cpp - choose the scheme of each matrix --------------------===//
#include "ir/Locations.h"
#include "passes/Matchers.h"
#include "passes/Passes.h"
#include "passes/QuantizeRules.h"

namespace llmc {
#define GEN_PASS_DEF_QUANTIZEPASS
#include "passes/Passes.h.inc"
} // namespace llmc

using namespace mlir;
using namespace llmc;

namespace {

bool isWeightExpression(Operation *op) {
  return op->getNumResults() == 1 && isa<lm::WeightType>(op->getResult(0).getType());
}

/// Names of the tensors that an expression reads, with `{i}`.
void collectTensors(Value value, llvm::SetVector<StringRef> &tensors,
                    llvm::SmallPtrSetImpl<Operation *> &seen) {
  Operation *op = value.getDefiningOp();
  if (!op || !seen.insert(op).second)
    return;
  if (auto reference = dyn_cast<lm::WeightRefOp>(op))
    tensors.insert(reference.getTensor());
  for (Value operand : op->getOperands())
    collectTensors(operand, tensors, seen);
}

struct QuantizePass : llmc::impl::QuantizePassBase<QuantizePass> {
  using Base::Base;
  QuantizePass() = default;
  QuantizePass(QuantizePassOptions options, const QuantizeRules &given)
      : Base(std::move(options)), given(given) {}

  void runOnOperation() override {
    std::string error;
    std::optional<QuantizeRules> parsed =
        given ? given : QuantizeRules::parse(SmallVector<std::string>(rules.begin(), rules.end()), error);
    if (!parsed) {
      emitError(UnknownLoc::get(&getContext())) << error;
      return signalPassFailure();
    }
    // What something else than an expression reads: the whole expression gets one scheme.
    SmallVector<Value> matrices;
    getOperation().walk([&](Operation *op) {
      if (isWeightExpression(op) && cast<lm::WeightType>(op->getResult(0).getType()).rank() == 2 &&
          !llvm::all_of(op->getUsers(), isWeightExpression))
        matrices.push_back(op->getResult(0));
    });
    for (Value matrix : matrices)
      quantize(matrix, *parsed);
    if (std::string words = parsed->unmatched(); !words.empty()) {
      emitError(UnknownLoc::get(&getContext())) << (given ? "--quantize: " : "") << words;
      return signalPassFailure();
    }
  }

  void quantize(Value matrix, QuantizeRules &rules) {
    llvm::SetVector<StringRef> tensors;
    llvm::SmallPtrSet<Operation *, 8> seen;
    collectTensors(matrix, tensors, seen);
    Operation *op = matrix.getDefiningOp();
    auto isInStack = [](Operation *user) { return static_cast<bool>(user->getParentOfType<lm::LayersOp>()); };
    const bool isOuter = llvm::none_of(op->getUsers(), isInStack);
    // A scheme that the text names gives way to that of a rule.
    auto written = dyn_cast<lm::WQuantizeOp>(op);
    Builder builder(&getContext());
    auto schemeIn = [&](std::optional<int64_t> layer) -> Attribute {
      SmallVector<std::string> names;
      for (StringRef tensor : tensors)
        names.push_back(lm::nameInLayer(tensor, layer));
      std::string scheme = rules.schemeOf(names, cast<lm::WeightType>(matrix.getType()).dim(1), isOuter);
      return builder.getStringAttr(scheme == "keep" && written ? written.schemeIn(layer) : StringRef(scheme));
    };

    SmallVector<Attribute> schemes; // of the layers that the matrix stands in
    Attribute keep = builder.getStringAttr("keep"), to;
    auto stack = op->getParentOfType<lm::LayersOp>();
    if (!stack) {
      schemes = {to = schemeIn(std::nullopt)};
    } else {
      SmallVector<Attribute> list(stack.getCount(), keep);
      for (auto [layer, scheme] : llvm::enumerate(list))
        if (stack.getBodies()[stack.kindOf(layer)].isAncestor(op->getParentRegion()))
          schemes.push_back(scheme = schemeIn(layer));
      to = llvm::all_equal(schemes) ? schemes.front() : Attribute(builder.getArrayAttr(list));
    }
    if (llvm::all_of(schemes, [&](Attribute scheme) { return scheme == keep; }))
      return;
    Operation *made = written;
    if (written) {
      written.setToAttr(to);
    } else {
      OpBuilder at(&getContext());
      at.setInsertionPointAfter(op);
      auto quantized =
          lm::WQuantizeOp::create(at, valueNamed("quantized", op->getLoc()), matrix.getType(), matrix, to);
      matrix.replaceUsesWithIf(quantized.getW(),
                               [&](OpOperand &use) { return !isWeightExpression(use.getOwner()); });
      made = quantized;
    }
    reportApplied(numQuantized, "quantize", "quantized", made);
  }

  std::optional<QuantizeRules> given; // else what the option says
};

} // namespace

std::unique_ptr<Pass> llmc::createQuantizePass(const QuantizeRules &rules) {
  QuantizePassOptions options;
  llvm::append_range(options.rules, rules.texts()); // for whoever prints the pass
  return std::make_unique<QuantizePass>(std::move(options), rules);
}
