//===- Quantize.cpp - choose the scheme of each matrix --------------------===//
#include "passes/Matchers.h"
#include "passes/MatrixSchemes.h"
#include "passes/Passes.h"
#include "passes/QuantizeRules.h"

namespace llmc {
#define GEN_PASS_DEF_QUANTIZEPASS
#include "passes/Passes.h.inc"
} // namespace llmc

using namespace mlir;
using namespace llmc;

namespace {

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
    for (Value matrix : matricesOf(getOperation()))
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
    Builder builder(&getContext());
    // A scheme that the text names gives way to that of a rule.
    Operation *made = setSchemes(matrix, [&](std::optional<int64_t> layer) {
      SmallVector<std::string> names;
      for (StringRef tensor : tensors)
        names.push_back(lm::nameInLayer(tensor, layer));
      std::string scheme = rules.schemeOf(names, cast<lm::WeightType>(matrix.getType()).dim(1), isOuter);
      return builder.getStringAttr(scheme == "keep" ? writtenScheme(matrix, layer) : StringRef(scheme));
    });
    if (made)
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
