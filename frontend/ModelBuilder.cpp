//===- ModelBuilder.cpp - traits of a model to the lm dialect -------------===//
//
// One builder for all architectures: each trait of the spec adds or leaves out lines, none asks which model
// it is.
//
//===----------------------------------------------------------------------===//
#include "frontend/ModelBuilder.h"

#include "ir/Locations.h"

#include "llvm/Support/FormatVariadic.h"

#include <map>

using namespace mlir;

namespace llmc::frontend {
namespace {

class Builder {
public:
  Builder(OpBuilder &b, const ModelSpec &spec) : b(b), spec(spec), context(b.getContext()) {}
  lm::ModelOp build(const ModelPaths &paths);

private:
  /// The tensor's place: its name without the last word ("blk.{i}.attn_q.weight" is at "blk.{i}.attn_q").
  static StringRef placeOf(StringRef tensor) { return tensor.rsplit('.').first; }
  /// Where an op stands, and how its result is called in text; without, the op names its results itself.
  Location at(StringRef place, StringRef result = {}) {
    Location loc = placeNamed(context, place);
    return result.empty() ? loc : valueNamed(result, loc);
  }
  Location inLayer(StringRef what, StringRef result = {}) { return at((layerPlace + what).str(), result); }
  FloatAttr f64(double value) { return b.getF64FloatAttr(value); }

  Value weight(const std::string &tensor, ArrayRef<int64_t> shape);
  Value moved(Value w, Location loc, const RowMove &move);
  Value rowsOf(const LinearTensors &tensors, const std::string &tensor, SmallVector<int64_t> shape,
               const Twine &name);
  Value declared(const std::string &tensor, const std::string &key, function_ref<Value()> make);
  Value linear(Value x, const LinearTensors &tensors, int64_t rows, StringRef name);
  Value norm(Value x, const NormTensors &tensors, StringRef name, int64_t group = 0);
  Value normIfPresent(Value x, const NormTensors &tensors, StringRef name) {
    return tensors.present ? norm(x, tensors, name) : x;
  }
  Value rope(Value x, StringRef place, StringRef name);
  Value qkNorm(Value x, const NormTensors &tensors, int64_t heads, StringRef name);
  Value activation(Value x);
  Value attention(Value x);
  Value mlp(Value x);
  Value layer(Value h);
  Value stack(Value x);
  Attribute window();
  Value embedding();
  /// Logits of the asked rows of x; `last` becomes the normed rows they are made from.
  Value logits(Value x, Value &last);

  OpBuilder &b;
  const ModelSpec &spec;
  MLIRContext *context;
  Value tokens;
  Operation *forward = nullptr;
  // Weights stand first in the body of the layer, those outside the stack before lm.forward.
  Block *layerBody = nullptr;
  Operation *lastLayerWeight = nullptr;
  std::map<std::string, Value> known;
  std::string layerPlace; // "blk.{i}."
  bool isRotated = false, hasWindowTable = false;
};

/// A weight expression: in the body of the layer if its tensor is a layer's, else before lm.forward; each
/// once.
Value Builder::declared(const std::string &tensor, const std::string &key, function_ref<Value()> make) {
  auto it = known.find(key);
  if (it != known.end())
    return it->second;
  OpBuilder::InsertionGuard guard(b);
  bool inLayers = StringRef(tensor).contains("{i}");
  if (!inLayers)
    b.setInsertionPoint(forward);
  else if (lastLayerWeight)
    b.setInsertionPointAfter(lastLayerWeight);
  else
    b.setInsertionPointToStart(layerBody);
  Value w = make();
  if (inLayers)
    lastLayerWeight = w.getDefiningOp();
  return known[key] = w;
}

Value Builder::weight(const std::string &tensor, ArrayRef<int64_t> shape) {
  return declared(tensor, tensor, [&]() -> Value {
    return lm::WeightRefOp::create(b, at(placeOf(tensor)), lm::WeightType::get(context, shape),
                                   StringRef(tensor));
  });
}

Value Builder::moved(Value w, Location loc, const RowMove &move) {
  auto type = cast<lm::WeightType>(w.getType());
  if (!move.shape.empty())
    return lm::WPermuteOp::create(b, loc, type, w, b.getDenseI64ArrayAttr(move.shape),
                                  b.getDenseI64ArrayAttr(move.order));
  SmallVector<int64_t> shape(type.getShape());
  shape[0] = move.to - move.from;
  return lm::WRowsOp::create(b, loc, lm::WeightType::get(context, shape), w, move.from, move.to);
}

/// A linear's own rows of one of its tensors; `shape` is that of the result.
Value Builder::rowsOf(const LinearTensors &tensors, const std::string &tensor, SmallVector<int64_t> shape,
                      const Twine &name) {
  if (tensors.rows)
    shape[0] = tensors.rows;
  Value w = weight(tensor, shape);
  std::string key = tensor;
  for (const RowMove &move : tensors.moves) {
    key += llvm::formatv(" {0}:{1}", move.from, move.to);
    for (auto [length, axis] : llvm::zip(move.shape, move.order))
      key += llvm::formatv(" {0}@{1}", length, axis);
    w = declared(tensor, key, [&] { return moved(w, at(placeOf(tensor), name.str()), move); });
  }
  return w;
}

Value Builder::linear(Value x, const LinearTensors &tensors, int64_t rows, StringRef name) {
  Value w = rowsOf(tensors, tensors.weight, {rows, lm::widthOf(x)}, name + "_rows");
  Value bias = tensors.bias.empty() ? Value() : rowsOf(tensors, tensors.bias, {rows}, name + "_bias_rows");
  return lm::LinearOp::create(b, at(placeOf(tensors.weight), name), x, w, bias);
}

Value Builder::norm(Value x, const NormTensors &tensors, StringRef name, int64_t group) {
  int64_t width = group ? group : lm::widthOf(x);
  Value gain = tensors.gain.empty() ? Value() : weight(tensors.gain, {width});
  Location loc = tensors.gain.empty() ? inLayer("norm", name) : at(placeOf(tensors.gain), name);
  IntegerAttr groupAttr = group ? b.getI64IntegerAttr(group) : IntegerAttr();
  if (spec.normKind == NormKind::RMS)
    return lm::RMSNormOp::create(b, loc, x, gain, APFloat(spec.normEps), spec.normPlusOne, groupAttr);
  Value bias = tensors.bias.empty() ? Value() : weight(tensors.bias, {width});
  return lm::LayerNormOp::create(b, loc, x, gain, bias, APFloat(spec.normEps), groupAttr);
}

Value Builder::qkNorm(Value x, const NormTensors &tensors, int64_t heads, StringRef name) {
  switch (spec.attention.qkNorm) {
  case QKNorm::None:
    return x;
  case QKNorm::PerHead:
    return norm(x, tensors, name, lm::widthOf(x) / heads);
  case QKNorm::Whole:
    return norm(x, tensors, name);
  }
  return x;
}

Value Builder::rope(Value x, StringRef place, StringRef name) {
  if (!isRotated)
    return x;
  const RopeSpec &rope = spec.rope;
  int64_t headDim = spec.attention.dimK;
  std::string problem; // none: the spec was checked
  RopeNumbers numbers = *ropeNumbers(rope.scaling, rope.base, rope.dims, spec.ropeContext, problem);
  return lm::RopeOp::create(
      b, at(place, name), x, tokens, headDim, rope.style == RopeStyle::Half ? "half" : "interleaved",
      rope.dims == headDim ? IntegerAttr() : b.getI64IntegerAttr(rope.dims), f64(rope.base),
      numbers.freqs.empty() ? DenseF64ArrayAttr() : b.getDenseF64ArrayAttr(numbers.freqs),
      APFloat(numbers.factor));
}

/// A number for all layers, or a table in which 0 means none.
Attribute Builder::window() {
  const AttentionSpec &a = spec.attention;
  if (!a.window || (!a.windowLayers.empty() && !llvm::is_contained(a.windowLayers, true)))
    return {};
  if (!llvm::is_contained(a.windowLayers, false))
    return b.getI64IntegerAttr(*a.window);
  if (!hasWindowTable) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(forward);
    SmallVector<double> windows;
    for (bool isLimited : a.windowLayers)
      windows.push_back(isLimited ? static_cast<double>(*a.window) : 0);
    lm::TableOp::create(b, at("window"), "window", windows);
    hasWindowTable = true;
  }
  return FlatSymbolRefAttr::get(context, "window");
}

Value Builder::attention(Value x) {
  const AttentionSpec &a = spec.attention;
  Value q = linear(x, a.q, a.heads * a.dimK, "q");
  Value k = linear(x, a.k, a.kvHeads * a.dimK, "new_k");
  Value v = linear(x, a.v, a.kvHeads * a.dimV, "new_v");
  q = qkNorm(q, a.qNorm, a.heads, "q_normed");
  k = qkNorm(k, a.kNorm, a.kvHeads, "k_normed");
  q = rope(q, placeOf(a.q.weight), "q_rotated");
  k = rope(k, placeOf(a.k.weight), "k_rotated");
  lm::KVAppendOp::create(b, inLayer("kv_append"), "kv", k, v, tokens);
  auto view = lm::KVViewOp::create(b, inLayer("kv_view"), k.getType(), v.getType(),
                                   lm::intRowsType(context, 2), "kv", tokens);
  Value y = lm::AttentionOp::create(b, inLayer("attention", "attended"),
                                    lm::rowsType(context, a.heads * a.dimV), q, view.getK(), view.getV(),
                                    view.getKeys(), tokens, Value(), a.heads, a.kvHeads, APFloat(a.scale),
                                    "causal", window(), a.softcap ? f64(*a.softcap) : FloatAttr());
  return linear(y, a.o, spec.hidden, "attn_out");
}

Value Builder::activation(Value x) {
  Location loc = inLayer("activation", "activated");
  switch (spec.mlp.act) {
  case Activation::Relu:
    return lm::ReluOp::create(b, loc, x);
  case Activation::Relu2:
    return lm::Relu2Op::create(b, loc, x);
  case Activation::Gelu:
    return lm::GeluOp::create(b, loc, x, "erf");
  case Activation::GeluTanh:
    return lm::GeluOp::create(b, loc, x, "tanh");
  case Activation::GeluQuick:
    return lm::GeluOp::create(b, loc, x, "quick");
  case Activation::Silu:
    return lm::SiluOp::create(b, loc, x);
  }
  return x;
}

Value Builder::mlp(Value x) {
  const MlpSpec &m = spec.mlp;
  if (!m.gated)
    return linear(activation(linear(x, m.up, m.ffn, "up")), m.down, spec.hidden, "mlp_out");
  Value gate = linear(x, m.gate, m.ffn, "gate");
  Value up = linear(x, m.up, m.ffn, "up");
  Value act = activation(gate);
  Value product = lm::MulOp::create(b, inLayer("mlp", "gated"), act, up);
  return linear(product, m.down, spec.hidden, "mlp_out");
}

Value Builder::layer(Value h) {
  const SublayerNorms &an = spec.attention.norms, &mn = spec.mlp.norms;
  auto add = [&](Value x, Value y, StringRef name) -> Value {
    if (spec.residualScale != 1.0)
      y = lm::ScaleOp::create(b, inLayer("residual", (name + "_scaled").str()), y, f64(spec.residualScale));
    return lm::AddOp::create(b, inLayer("residual", name), x, y);
  };
  Value x = normIfPresent(h, an.before, "attn_in");
  Value attended = normIfPresent(attention(x), an.after, "attn_normed");
  if (spec.block == BlockForm::Parallel) {
    // Both branches read the block's input; without a norm of its own the mlp shares the attention's.
    Value in = mn.before.present ? norm(h, mn.before, "mlp_in") : x;
    Value fed = normIfPresent(mlp(in), mn.after, "mlp_normed");
    return add(add(h, attended, "h_attn"), fed, "h_next");
  }
  Value middle = normIfPresent(add(h, attended, "h_attn"), an.residual, "h_attn_normed");
  Value fed = normIfPresent(mlp(normIfPresent(middle, mn.before, "mlp_in")), mn.after, "mlp_normed");
  return normIfPresent(add(middle, fed, "h_next"), mn.residual, "h_next_normed");
}

/// One body for each kind of layer: rotated or not.
Value Builder::stack(Value x) {
  SmallVector<bool> kinds;
  SmallVector<int64_t> kindOf;
  for (int64_t i = 0; i < spec.layers; ++i) {
    bool rotates = spec.positions == Positions::Rope && (spec.rope.layers.empty() || spec.rope.layers[i]);
    if (!llvm::is_contained(kinds, rotates))
      kinds.push_back(rotates);
    kindOf.push_back(llvm::find(kinds, rotates) - kinds.begin());
  }
  auto layers = lm::LayersOp::create(b, at("layers", "x"), TypeRange{x.getType()}, ValueRange{x}, spec.layers,
                                     kinds.size() > 1 ? b.getDenseI64ArrayAttr(kindOf) : DenseI64ArrayAttr(),
                                     static_cast<unsigned>(kinds.size()));
  OpBuilder::InsertionGuard guard(b);
  StringRef pattern = spec.attention.q.weight;
  layerPlace = pattern.substr(0, pattern.find("{i}") + 4).str();
  std::map<std::string, Value> outside = known;
  for (auto [kind, body] : llvm::zip(kinds, layers.getBodies())) {
    isRotated = kind;
    known = outside;
    lastLayerWeight = nullptr;
    layerBody = &body.emplaceBlock();
    Value h = layerBody->addArgument(x.getType(), at("h", "h"));
    b.setInsertionPointToEnd(layerBody);
    Value next = layer(h);
    lm::YieldOp::create(b, inLayer("yield"), ValueRange{next});
  }
  known = outside;
  layerPlace.clear();
  return layers->getResult(0);
}

Value Builder::embedding() {
  Value table = weight(spec.embedding, {spec.vocab, spec.hidden});
  Value x = lm::EmbedOp::create(b, at(placeOf(spec.embedding), "embedded"), tokens, table,
                                APFloat(spec.embeddingScale));
  if (spec.positions == Positions::Learned) {
    Value positions = weight(spec.positionEmbedding, {spec.positionRows, spec.hidden});
    StringRef place = placeOf(spec.positionEmbedding);
    Value p = lm::PositionEmbedOp::create(b, at(place, "position"), tokens, positions, spec.positionOffset);
    x = lm::AddOp::create(b, at(place, "positioned"), x, p);
  }
  return normIfPresent(x, spec.embeddingNorm, "embedded_normed");
}

Value Builder::logits(Value x, Value &last) {
  Value asked = lm::AskedRowsOp::create(b, at("asked_rows", "asked"), x, tokens);
  last = normIfPresent(asked, spec.outputNorm, "last");
  LinearTensors head = spec.tied ? LinearTensors{spec.embedding, spec.output.bias} : spec.output;
  Value y = linear(last, head, spec.vocab, "logits");
  if (spec.outputScale != 1.0)
    y = lm::ScaleOp::create(b, at("output", "scaled"), y, f64(spec.outputScale));
  if (spec.outputSoftcap)
    y = lm::SoftcapOp::create(b, at("output", "capped"), y, f64(*spec.outputSoftcap));
  return y;
}

lm::ModelOp Builder::build(const ModelPaths &paths) {
  const AttentionSpec &a = spec.attention;
  auto optionalString = [&](const std::string &text) {
    return text.empty() ? StringAttr() : b.getStringAttr(text);
  };
  auto model = lm::ModelOp::create(b, at(spec.name), StringRef(spec.name), spec.vocab, spec.context,
                                   optionalString(paths.tokenizer), optionalString(spec.family));
  b.setInsertionPointToStart(&model->getRegion(0).emplaceBlock());
  for (const std::string &file : paths.weights)
    lm::WeightsOp::create(b, at("weights"), StringRef(file));
  lm::CacheOp::create(b, at("kv"), "kv", a.kvHeads, a.dimK, a.dimV, IntegerAttr(), Attribute());
  forward = lm::ForwardOp::create(b, at("forward"));
  Block &body = forward->getRegion(0).emplaceBlock();
  tokens = body.addArgument(lm::TokensType::get(context), at("tokens", "tokens"));
  b.setInsertionPointToStart(&body);

  Value x = embedding();
  Value hidden, y = logits(stack(x), hidden);
  lm::ReturnOp::create(b, at("return"), y, hidden);
  return model;
}

} // namespace

lm::ModelOp buildModel(OpBuilder &builder, const ModelSpec &spec, const ModelPaths &paths) {
  OpBuilder::InsertionGuard guard(builder);
  return Builder(builder, spec).build(paths);
}

} // namespace llmc::frontend
