//===- Matchers.cpp - what the fusion passes ask about matmuls ------------===//
#include "passes/Matchers.h"

#include "ir/Locations.h"

#include "mlir/IR/Remarks.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace llmc;

std::optional<MatmulParts> MatmulParts::of(Operation *op) {
  MatmulParts parts;
  if (auto linear = dyn_cast_or_null<lm::LinearOp>(op)) {
    Builder builder(op->getContext());
    parts.x = linear.getX();
    parts.weights = {linear.getW()};
    if (linear.getB())
      parts.biases = {linear.getB()};
    parts.norm = parts.act = builder.getStringAttr("none");
  } else if (auto fused = dyn_cast_or_null<lm::FusedLinearOp>(op)) {
    parts.x = fused.getX();
    parts.gain = fused.getGain();
    parts.normBias = fused.getNormBias();
    parts.residual = fused.getResidual();
    parts.weights.assign(fused.getWeights().begin(), fused.getWeights().end());
    parts.biases.assign(fused.getBiases().begin(), fused.getBiases().end());
    parts.norm = fused.getNormAttr();
    parts.act = fused.getActAttr();
    parts.eps = fused.getEpsAttr();
    parts.plusOne = fused.getPlusOne();
    parts.glu = fused.getGlu();
    parts.scale = fused.getScaleAttr();
  } else {
    return std::nullopt;
  }
  parts.results.assign(op->getResultTypes().begin(), op->getResultTypes().end());
  return parts;
}

lm::FusedLinearOp MatmulParts::build(OpBuilder &builder, Location loc) const {
  return lm::FusedLinearOp::create(builder, loc, results, x, gain, normBias, weights, biases, residual, norm,
                                   eps, plusOne ? builder.getUnitAttr() : UnitAttr(), act,
                                   glu ? builder.getUnitAttr() : UnitAttr(), scale);
}

bool MatmulParts::sharesInput(const MatmulParts &other) const {
  return x == other.x && gain == other.gain && normBias == other.normBias && norm == other.norm &&
         eps == other.eps && plusOne == other.plusOne;
}

bool MatmulParts::isPlain() const { return !residual && !glu && !scale && act.getValue() == "none"; }

std::optional<StringRef> llmc::activationWord(Operation *op) {
  return llvm::TypeSwitch<Operation *, std::optional<StringRef>>(op)
      .Case<lm::ReluOp>([](auto) { return "relu"; })
      .Case<lm::Relu2Op>([](auto) { return "relu2"; })
      .Case<lm::SiluOp>([](auto) { return "silu"; })
      .Case<lm::SigmoidOp>([](auto) { return "sigmoid"; })
      .Case<lm::TanhOp>([](auto) { return "tanh"; })
      .Case<lm::GeluOp>([](lm::GeluOp gelu) -> StringRef {
        return gelu.getForm() == "erf" ? "gelu" : gelu.getForm() == "tanh" ? "gelu_tanh" : "gelu_quick";
      })
      .Default([](auto) { return std::nullopt; });
}

void llmc::reportApplied(Pass::Statistic &statistic, StringRef pass, StringRef what, Operation *made) {
  ++statistic;
  std::string words = "'" + made->getName().getStringRef().str() + "' of " + describeLocation(made->getLoc());
  remark::passed(made->getLoc(), remark::RemarkOpts::name(what).category(pass)) << words;
}

void llmc::applyFusions(Operation *root, RewritePatternSet patterns) {
  GreedyRewriteConfig config;
  config.enableFolding(false).enableConstantCSE(false).setRegionSimplificationLevel(
      GreedySimplifyRegionLevel::Disabled);
  // Not converging is impossible: every fusion removes an op.
  (void)applyPatternsGreedily(root, std::move(patterns), config);
}
