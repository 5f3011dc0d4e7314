//===- KernelSpecs.cpp - step.kernel => the emitters' specs ---------------===//
#include "codegen/KernelSpecs.h"

#include "codegen/CacheLayout.h"
#include "codegen/RowSpace.h"
#include "ir/RotaryFrequencies.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;

std::string codegen::kernelName(Operation *op, ArrayRef<StringRef> schemes, StringRef space,
                                StringRef activations) {
  std::string name = op->getName().stripDialect().str();
  llvm::raw_string_ostream os(name);
  if (auto fused = dyn_cast<lm::FusedLinearOp>(op)) {
    if (fused.getNorm() != "none")
      os << "_" << fused.getNorm();
    if (fused.getAct() != "none")
      os << "_" << fused.getAct();
  }
  if (auto attention = dyn_cast<lm::CachedAttentionOp>(op); attention && attention.getNormEps())
    os << "_rms";
  bool hasWeight = false;
  for (Type type : op->getOperandTypes())
    if (auto weight = dyn_cast<lm::WeightType>(type); weight && weight.rank() == 2) {
      os << "_" << weight.dim(0) << "x" << weight.dim(1);
      hasWeight = true;
    }
  if (auto heads = op->getAttrOfType<IntegerAttr>("heads"))
    os << "_" << heads.getInt() << "h" << op->getAttrOfType<IntegerAttr>("kv_heads").getInt();
  if (!hasWeight)
    for (Type type : llvm::concat<const Type>(SmallVector<Type>(op->getOperandTypes()),
                                              SmallVector<Type>(op->getResultTypes())))
      if (auto rows = dyn_cast<RankedTensorType>(type)) {
        os << "_" << rows.getDimSize(1);
        break;
      }
  SmallVector<StringRef> distinct;
  for (StringRef scheme : schemes)
    if (scheme != "vector" && !llvm::is_contained(distinct, scheme))
      distinct.push_back(scheme);
  for (StringRef scheme : distinct)
    os << "_" << scheme;
  if (activations != "f32")
    os << (activations == "int8" ? "_a8" : "_" + activations.str());
  if (space != "tokens")
    os << "_" << space;
  return name;
}

static int64_t headDim(lm::CachedAttentionOp op) {
  return lm::widthOf(op.getK()) / static_cast<int64_t>(op.getKvHeads());
}

std::optional<SmallVector<float>> codegen::rotaryFrequencies(Operation *op) {
  auto attention = dyn_cast<lm::CachedAttentionOp>(op);
  if (!attention || !attention.getRopeBase())
    return std::nullopt;
  double base = cast<FloatAttr>(*attention.getRopeBase()).getValueAsDouble();
  return lm::rotaryFrequencies(attention.getRopeDims().value_or(headDim(attention)), base,
                               attention.getRopeFreqs());
}

static emit::Activation activation(StringRef word) {
  return llvm::StringSwitch<emit::Activation>(word)
      .Case("relu", emit::Activation::Relu)
      .Case("relu2", emit::Activation::Relu2)
      .Case("gelu", emit::Activation::GeluErf)
      .Case("gelu_tanh", emit::Activation::GeluTanh)
      .Case("gelu_quick", emit::Activation::GeluQuick)
      .Case("silu", emit::Activation::Silu)
      .Case("sigmoid", emit::Activation::Sigmoid)
      .Case("tanh", emit::Activation::Tanh)
      .Default(emit::Activation::None);
}

/// Schemes of the matrix weights, in order.
static FailureOr<SmallVector<const quant::QuantScheme *>> matrixSchemes(step::KernelOp kernel) {
  SmallVector<const quant::QuantScheme *> schemes;
  for (StringRef name : kernel.getSchemes().getAsValueRange<StringAttr>()) {
    if (name == "vector")
      continue;
    const quant::QuantScheme *scheme = quant::schemeByName(name);
    if (!scheme)
      return kernel.emitOpError() << "names the scheme '" << name << "', which is not known";
    schemes.push_back(scheme);
  }
  return schemes;
}

static FailureOr<KernelSpec> linearSpec(step::KernelOp kernel) {
  FailureOr<SmallVector<const quant::QuantScheme *>> schemes = matrixSchemes(kernel);
  if (failed(schemes))
    return failure();
  emit::LinearSpec spec;
  spec.rowSpace = rowSpaceNumber(kernel.getRows());
  spec.activations = llvm::StringSwitch<emit::ActivationType>(kernel.getActivations())
                         .Case("int8", emit::ActivationType::Int8)
                         .Case("bf16", emit::ActivationType::BF16)
                         .Case("f16", emit::ActivationType::F16)
                         .Default(emit::ActivationType::F32);
  if (auto linear = dyn_cast<lm::LinearOp>(kernel.computed())) {
    spec.k = lm::widthOf(linear.getX());
    spec.weights.push_back({schemes->front(), lm::widthOf(linear.getY())});
    spec.bias = static_cast<bool>(linear.getB());
    return KernelSpec(spec);
  }
  auto fused = cast<lm::FusedLinearOp>(kernel.computed());
  spec.k = lm::widthOf(fused.getX());
  spec.norm = fused.getNorm() == "rms"     ? emit::Norm::Rms
              : fused.getNorm() == "layer" ? emit::Norm::Layer
                                           : emit::Norm::None;
  spec.eps = fused.getEps() ? fused.getEps()->convertToDouble() : 0;
  spec.normPlusOne = fused.getPlusOne();
  spec.normGain = static_cast<bool>(fused.getGain());
  spec.normBias = static_cast<bool>(fused.getNormBias());
  for (auto [weight, scheme] : llvm::zip(fused.getWeights(), *schemes))
    spec.weights.push_back({scheme, cast<lm::WeightType>(weight.getType()).dim(0)});
  spec.bias = !fused.getBiases().empty();
  spec.act = activation(fused.getAct());
  spec.glu = fused.getGlu();
  if (fused.getScale())
    spec.scale = fused.getScale()->convertToDouble();
  spec.residual = static_cast<bool>(fused.getResidual());
  return KernelSpec(spec);
}

emit::AttentionSpec codegen::attentionSpec(lm::CachedAttentionOp op, const emit::KVLayout &layout) {
  emit::AttentionSpec spec;
  spec.heads = op.getHeads();
  spec.kvHeads = op.getKvHeads();
  spec.dimK = layout.dimK;
  spec.dimV = layout.dimV;
  spec.scale = op.getScale().convertToDouble();
  spec.causal = op.getMask() == "causal";
  spec.hasWindow = bool(op.getWindowAttr());
  spec.hasSinks = bool(op.getSinks());
  if (op.getSoftcap())
    spec.softcap = op.getSoftcap()->convertToDouble();
  if (op.getNormEps()) {
    spec.headNorms = true;
    spec.normEps = op.getNormEps()->convertToDouble();
    spec.normPlusOne = op.getNormPlusOne();
    spec.gainQ = bool(op.getQGain());
    spec.gainK = bool(op.getKGain());
  }
  if (op.getRopeBase()) {
    spec.ropeDims = op.getRopeDims().value_or(headDim(op));
    spec.ropeInterleaved = op.getRopeStyle().value_or("half") == "interleaved";
    spec.ropeFactor = op.getRopeFactor() ? op.getRopeFactor()->convertToDouble() : 1;
  }
  spec.pageTokens = layout.pageTokens;
  spec.cacheType = layout.type;
  return spec;
}

/// A norm of whole rows; one of groups runs through its decomposition.
static std::optional<emit::NormSpec> normSpec(step::KernelOp kernel) {
  emit::NormSpec spec;
  spec.rowSpace = rowSpaceNumber(kernel.getRows());
  auto fill = [&](auto norm) -> std::optional<emit::NormSpec> {
    spec.k = lm::widthOf(norm.getX());
    if (norm.getGroup() && static_cast<int64_t>(*norm.getGroup()) != spec.k)
      return std::nullopt;
    spec.eps = norm.getEps().convertToDouble();
    spec.gain = static_cast<bool>(norm.getGain());
    return spec;
  };
  if (auto rms = dyn_cast<lm::RMSNormOp>(kernel.computed())) {
    spec.plusOne = rms.getPlusOne();
    return fill(rms);
  }
  if (auto layer = dyn_cast<lm::LayerNormOp>(kernel.computed())) {
    spec.norm = emit::Norm::Layer;
    spec.bias = static_cast<bool>(layer.getBias());
    return fill(layer);
  }
  return std::nullopt;
}

FailureOr<KernelSpec> codegen::kernelSpec(step::KernelOp kernel) {
  Operation *op = kernel.computed();
  if (isa<lm::LinearOp, lm::FusedLinearOp>(op))
    return linearSpec(kernel);
  if (auto attention = dyn_cast<lm::CachedAttentionOp>(op)) {
    FailureOr<emit::KVLayout> layout = cacheLayout(kernel);
    if (failed(layout))
      return failure();
    return KernelSpec(attentionSpec(attention, *layout));
  }
  if (auto norm = normSpec(kernel))
    return KernelSpec(*norm);
  if (auto embed = dyn_cast<lm::EmbedOp>(op)) {
    FailureOr<SmallVector<const quant::QuantScheme *>> schemes = matrixSchemes(kernel);
    if (failed(schemes))
      return failure();
    auto table = cast<lm::WeightType>(embed.getW().getType());
    return KernelSpec(emit::EmbedSpec{schemes->front(), table.dim(0), table.dim(1),
                                      embed.getScale().convertToDouble(), rowSpaceNumber(kernel.getRows())});
  }
  return KernelSpec();
}

KernelWork codegen::kernelWork(step::KernelOp kernel) {
  KernelWork work;
  Operation *op = kernel.computed();
  for (Type type : op->getOperandTypes())
    if (auto weight = dyn_cast<lm::WeightType>(type); weight && weight.rank() == 2 && !isa<lm::EmbedOp>(op))
      work.flopsPerRow += 2 * weight.dim(0) * weight.dim(1);
  auto heads = op->getAttrOfType<IntegerAttr>("heads");
  FailureOr<emit::KVLayout> layout = failure();
  if (heads && kernel.getCache() && succeeded(layout = cacheLayout(kernel))) {
    work.flopsPerKey = 2 * heads.getInt() * (layout->dimK + layout->dimV);
    work.keyBytes = layout->tokenBytes();
  }
  return work;
}
