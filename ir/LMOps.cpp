//===- LMOps.cpp - verifiers and names of the lm dialect ------------------===//
//
// In the order of LMOps.td; the numbers of the rules are those of the descriptions.
//
//===----------------------------------------------------------------------===//
#include "ir/LMOps.h"

#include "ir/AttentionWindow.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace llmc::lm;

//===----------------------------------------------------------------------===//
// Declarations
//===----------------------------------------------------------------------===//

LogicalResult CacheOp::verify() {
  // cache_c1
  for (auto [name, value] :
       {std::pair<StringRef, int64_t>{"heads", getHeads()}, {"dim_k", getDimK()}, {"dim_v", getDimV()}})
    if (value < 1 || value > 1024)
      return emitOpError() << "expected '" << name << "' between 1 and 1024 but got " << value;
  // cache_c2
  if (getPageTokens() && (*getPageTokens() < 16 || *getPageTokens() > 4096 || *getPageTokens() % 16))
    return emitOpError() << "expected 'page_tokens' to be a multiple of 16 up to 4096 but got "
                         << *getPageTokens();
  // cache_c3
  llvm::StringSet<> seen;
  for (StringRef type : storageTypes()) {
    if (!llvm::is_contained({"f32", "f16", "bf16", "q8"}, type))
      return emitOpError() << "expected 'type' to be one of f32, f16, bf16, q8 but got '" << type << "'";
    if (!seen.insert(type).second)
      return emitOpError() << "names the type " << type << " twice";
  }
  if (getType() && seen.empty())
    return emitOpError("expected 'type' to name at least one type");
  return success();
}

SmallVector<StringRef> CacheOp::storageTypes() {
  SmallVector<StringRef> types;
  if (auto one = dyn_cast_or_null<StringAttr>(getTypeAttr()))
    types.push_back(one.getValue());
  else if (auto list = dyn_cast_or_null<ArrayAttr>(getTypeAttr()))
    for (auto type : list.getAsRange<StringAttr>())
      types.push_back(type.getValue());
  return types;
}

LogicalResult ForwardOp::verifyRegions() {
  // forward_c1
  if (getBody().getNumArguments() != 1 || !isa<TokensType>(getBody().getArgument(0).getType()))
    return emitOpError("expected one argument of type '!lm.tokens'");
  return success();
}

void LayersOp::getAsmBlockArgumentNames(Region &region, OpAsmSetValueNameFn setName) {
  for (BlockArgument arg : region.getArguments())
    setName(arg, "h");
}

LogicalResult LayersOp::verify() {
  // layers_c1
  if (getCount() < 1 || getCount() > 1024)
    return emitOpError() << "expected 'count' between 1 and 1024 but got " << getCount();
  // layers_c2
  if (!getKinds()) {
    if (getBodies().size() != 1)
      return emitOpError() << "has " << getBodies().size()
                           << " regions and needs 'kinds' to say which layer is which";
    return success();
  }
  ArrayRef<int64_t> kinds = *getKinds();
  if (kinds.size() != getCount())
    return emitOpError() << "expected 'kinds' to have " << getCount() << " entries but got " << kinds.size();
  for (auto [layer, kind] : llvm::enumerate(kinds))
    if (kind < 0 || kind >= static_cast<int64_t>(getBodies().size()))
      return emitOpError() << "expected the kind of layer " << layer << " to be below " << getBodies().size()
                           << ", the number of regions, but got " << kind;
  return success();
}

LogicalResult LayersOp::verifyRegions() {
  // layers_c3
  for (auto [number, body] : llvm::enumerate(getBodies())) {
    auto yield = dyn_cast<YieldOp>(body.front().getTerminator());
    if (!yield)
      return emitOpError() << "expected region " << number << " to end in 'lm.yield'";
    if (TypeRange(body.getArgumentTypes()) != getInits().getTypes() ||
        TypeRange(yield.getValues()) != getInits().getTypes()) {
      InFlightDiagnostic error = emitOpError() << "expected region " << number
                                               << " to take and yield the types of the iterated values";
      error.attachNote(yield.getLoc()) << "yielded here";
      return error;
    }
  }
  return success();
}

ForwardOp ModelOp::forward() { return *getBody().getOps<ForwardOp>().begin(); }

LayersOp ModelOp::layers() {
  auto stacks = forward().getBody().getOps<LayersOp>();
  return stacks.empty() ? LayersOp() : *stacks.begin();
}

/// model_c3. Expressions are read as trees, from the leaves: a short text can stand for a tree without end.
static LogicalResult verifyWeightExpressions(ModelOp model) {
  constexpr uint64_t most = 4096;
  llvm::DenseMap<Value, uint64_t> terms;
  WalkResult walk = model.walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (op->getNumResults() != 1 || !isa<WeightType>(op->getResult(0).getType()))
      return WalkResult::advance();
    uint64_t count = 1;
    for (Value operand : op->getOperands())
      count += terms.lookup(operand);
    terms[op->getResult(0)] = count;
    if (count <= most)
      return WalkResult::advance();
    op->emitOpError() << "expected a weight expression of at most " << most << " terms";
    return WalkResult::interrupt();
  });
  return failure(walk.wasInterrupted());
}

LogicalResult ModelOp::verifyRegions() {
  // model_c1
  constexpr int64_t limit = int64_t(1) << 24;
  for (auto [name, value] : {std::pair<StringRef, int64_t>{"vocab", getVocab()}, {"context", getContext()}})
    if (value < 1 || value > limit)
      return emitOpError() << "expected '" << name << "' between 1 and 2^24 but got " << value;
  // model_c2
  if (auto forwards = getBody().getOps<ForwardOp>(); llvm::range_size(forwards) != 1)
    return emitOpError() << "expected exactly one 'lm.forward' but got " << llvm::range_size(forwards);
  if (failed(verifyWeightExpressions(*this)))
    return failure();
  int64_t asked = 0, stacks = 0;
  WalkResult walk = forward().walk([&](Operation *op) {
    // embed_c1
    if (auto embed = dyn_cast<EmbedOp>(op)) {
      int64_t rows = cast<WeightType>(embed.getW().getType()).dim(0);
      if (rows < static_cast<int64_t>(getVocab())) {
        embed.emitOpError() << "expected a table of at least the model's vocab " << getVocab()
                            << " rows but got " << rows;
        return WalkResult::interrupt();
      }
    }
    stacks += isa<LayersOp>(op);
    if (isa<LayersOp>(op) && stacks > 1) {
      op->emitOpError("is the second stack of the model; only one is supported");
      return WalkResult::interrupt();
    }
    // asked_rows_c1
    if (isa<AskedRowsOp>(op) && (++asked > 1 || op->getParentOfType<LayersOp>())) {
      op->emitOpError("expected to be used once, outside the stack");
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  if (walk.wasInterrupted())
    return failure();
  // table_c1
  if (LayersOp stack = layers())
    for (TableOp table : getBody().getOps<TableOp>())
      if (table.getValues().size() != stack.getCount())
        return table.emitOpError() << "expected " << stack.getCount() << " numbers, one a layer, but got "
                                   << table.getValues().size();
  return success();
}

LogicalResult ReturnOp::verify() {
  // return_c1
  auto model = (*this)->getParentOfType<ModelOp>();
  if (model && widthOf(getLogits()) != static_cast<int64_t>(model.getVocab())) {
    InFlightDiagnostic error = emitOpError() << "expected logits as wide as the model's vocab "
                                             << model.getVocab() << " but got " << widthOf(getLogits());
    error.attachNote(model.getLoc()) << "model declared here";
    return error;
  }
  return success();
}

LogicalResult PositionEmbedOp::verify() {
  // position_embed_c1
  int64_t offset = getOffset(), rows = cast<WeightType>(getW().getType()).dim(0);
  if (offset < 0 || offset >= rows)
    return emitOpError() << "expected 'offset' between 0 and the table's " << rows << " rows but got "
                         << offset;
  return success();
}

//===----------------------------------------------------------------------===//
// Norms
//===----------------------------------------------------------------------===//

static LogicalResult verifyNorm(Operation *op, Value x, Value gain, Value bias, double eps,
                                std::optional<int64_t> group) {
  int64_t width = widthOf(x);
  // norm_c1
  if (!(eps >= 0))
    return op->emitOpError() << "expected 'eps' not to be negative but got " << eps;
  // norm_c2
  if (group && (*group < 1 || width % *group))
    return op->emitOpError() << "expected 'group' " << *group << " to divide the width " << width;
  // norm_c3
  if (gain) {
    int64_t length = cast<WeightType>(gain.getType()).dim(0);
    if (length != width && length != group.value_or(width))
      return op->emitOpError() << "expected the gain to have " << group.value_or(width) << " entries but got "
                               << length;
  }
  if (bias && !gain)
    return op->emitOpError("has a bias but no gain");
  if (bias && bias.getType() != gain.getType())
    return op->emitOpError() << "expected the bias to be as long as the gain " << gain.getType()
                             << " but got " << bias.getType();
  return success();
}

LogicalResult LayerNormOp::verify() {
  return verifyNorm(*this, getX(), getGain(), getBias(), getEps().convertToDouble(), getGroup());
}

LogicalResult RMSNormOp::verify() {
  return verifyNorm(*this, getX(), getGain(), {}, getEps().convertToDouble(), getGroup());
}

//===----------------------------------------------------------------------===//
// Positions, cache and attention
//===----------------------------------------------------------------------===//

/// The rules that attention keeps over a view of the cache or over the cache itself.
template <typename Op> static LogicalResult verifyAttention(Op op) {
  int64_t heads = op.getHeads(), kvHeads = op.getKvHeads();
  int64_t q = widthOf(op.getQ()), k = widthOf(op.getK()), v = widthOf(op.getV()), y = widthOf(op.getY());
  // attention_c1
  if (heads < 1 || kvHeads < 1 || heads % kvHeads)
    return op.emitOpError() << "expected 'kv_heads' " << kvHeads << " to divide 'heads' " << heads;
  // attention_c2
  if (k % kvHeads || q % heads || q / heads != k / kvHeads)
    return op.emitOpError() << "expected q to be " << heads << " heads and k " << kvHeads
                            << " heads of one dimension but they are " << q << " and " << k << " wide";
  // attention_c3
  if (v % kvHeads || y % heads || y / heads != v / kvHeads)
    return op.emitOpError() << "expected v to be " << kvHeads << " heads and the result " << heads
                            << " heads of one dimension but they are " << v << " and " << y << " wide";
  // attention_c4
  if (!(op.getScale().convertToDouble() > 0))
    return op.emitOpError() << "expected 'scale' above 0 but got " << op.getScale().convertToDouble();
  if (op.getSoftcap() && !(op.getSoftcap()->convertToDouble() > 0))
    return op.emitOpError() << "expected 'softcap' above 0 but got " << op.getSoftcap()->convertToDouble();
  if (auto window = dyn_cast_or_null<IntegerAttr>(op.getWindowAttr());
      window && (window.getInt() < 1 || window.getInt() > longestWindow))
    return op.emitOpError() << "expected 'window' from 1 to " << longestWindow << " but got "
                            << window.getInt();
  // attention_c5
  if (Value sinks = op.getSinks())
    if (int64_t n = cast<WeightType>(sinks.getType()).dim(0); n != heads)
      return op.emitOpError() << "expected sinks for " << heads << " heads but got " << n;
  return success();
}

LogicalResult AttentionOp::verify() { return verifyAttention(*this); }

/// rope_c2 and rope_c3, also for an attention that rotates.
static LogicalResult verifyRotation(Operation *op, int64_t headDim, std::optional<int64_t> rotated,
                                    std::optional<ArrayRef<double>> freqs, Attribute base) {
  int64_t dims = rotated.value_or(headDim);
  // rope_c2
  if (dims < 2 || dims % 2 || dims > headDim)
    return op->emitOpError() << "expected 'dims' to be even and between 2 and 'head_dim' " << headDim
                             << " but got " << dims;
  // rope_c3
  if (freqs && static_cast<int64_t>(freqs->size()) != dims / 2)
    return op->emitOpError() << "expected " << dims / 2 << " 'freqs' but got " << freqs->size();
  if (auto number = dyn_cast<FloatAttr>(base); number && !(number.getValueAsDouble() > 0))
    return op->emitOpError() << "expected 'base' above 0 but got " << number.getValueAsDouble();
  return success();
}

static FailureOr<CacheOp> lookupCache(Operation *op, FlatSymbolRefAttr name, SymbolTableCollection &tables) {
  auto cache = tables.lookupNearestSymbolFrom<CacheOp>(op, name);
  if (!cache)
    return op->emitOpError() << "names the cache " << name << ", which is not declared";
  return cache;
}

/// kv_c1, for one append or view.
static LogicalResult verifyCacheWidths(Operation *op, FlatSymbolRefAttr name, Value k, Value v,
                                       SymbolTableCollection &tables) {
  if (!op->getParentOfType<ModelOp>())
    return success(); // in a kernel, whose cache was checked in the model it came from
  FailureOr<CacheOp> cache = lookupCache(op, name, tables);
  if (failed(cache))
    return failure();
  for (auto [what, value, dim] :
       {std::tuple<StringRef, Value, int64_t>{"k", k, cache->getDimK()}, {"v", v, cache->getDimV()}}) {
    int64_t expected = static_cast<int64_t>(cache->getHeads()) * dim;
    if (widthOf(value) == expected)
      continue;
    InFlightDiagnostic error = op->emitOpError() << "expected " << what << " to be " << cache->getHeads()
                                                 << " heads of " << dim << " wide but got " << widthOf(value);
    error.attachNote(cache->getLoc()) << "cache declared here";
    return error;
  }
  return success();
}

LogicalResult KVAppendOp::verifySymbolUses(SymbolTableCollection &tables) {
  return verifyCacheWidths(*this, getCacheAttr(), getK(), getV(), tables);
}

LogicalResult KVViewOp::verifySymbolUses(SymbolTableCollection &tables) {
  if (failed(verifyCacheWidths(*this, getCacheAttr(), getK(), getV(), tables)))
    return failure();
  // kv_c2: within the block; a view does not leave the layer it was taken in.
  bool appended = false;
  for (Operation *next = (*this)->getNextNode(); next; next = next->getNextNode()) {
    if (appended &&
        llvm::any_of(next->getOperands(), [&](Value v) { return v.getDefiningOp() == getOperation(); })) {
      InFlightDiagnostic error = next->emitOpError("uses a view of the cache after a later append to it");
      error.attachNote(getLoc()) << "view taken here";
      return error;
    }
    if (isa<KVAppendOp, CachedAttentionOp>(next))
      appended |= next->getAttr("cache") == getCacheAttr();
  }
  return success();
}

LogicalResult RopeOp::verify() {
  int64_t headDim = getHeadDim();
  // rope_c1
  if (headDim < 1 || widthOf(getX()) % headDim)
    return emitOpError() << "expected 'head_dim' " << headDim << " to divide the width " << widthOf(getX());
  return verifyRotation(*this, headDim, getDims(), getFreqs(), getBase());
}

//===----------------------------------------------------------------------===//
// Columns
//===----------------------------------------------------------------------===//

LogicalResult ConcatOp::verify() {
  // concat_c1
  int64_t width = 0;
  for (Value part : getParts())
    width += widthOf(part);
  if (width != widthOf(getY()))
    return emitOpError() << "expected the parts' widths to add up to " << widthOf(getY()) << " but got "
                         << width;
  return success();
}

LogicalResult SliceOp::verify() {
  // slice_c1
  int64_t from = getFrom(), to = getTo(), width = widthOf(getX());
  if (from < 0 || to <= from || to > width)
    return emitOpError() << "expected columns inside [0:" << width << "] but got [" << from << ":" << to
                         << "]";
  if (widthOf(getY()) != to - from)
    return emitOpError() << "expected a result " << to - from << " wide but got " << widthOf(getY());
  return success();
}

//===----------------------------------------------------------------------===//
// Made by passes
//===----------------------------------------------------------------------===//

LogicalResult CachedAttentionOp::verifySymbolUses(SymbolTableCollection &tables) {
  if (failed(verifyAttention(*this)) ||
      failed(verifyCacheWidths(*this, getCacheAttr(), getK(), getV(), tables)))
    return failure();
  int64_t headDim = widthOf(getK()) / static_cast<int64_t>(getKvHeads());
  // cached_attention_c2
  if (!getRopeBase() && (getRopeStyle() || getRopeDims() || getRopeFreqs() || getRopeFactor()))
    return emitOpError("has attributes of a rope but no 'rope_base'");
  if (getRopeBase() && failed(verifyRotation(*this, headDim, getRopeDims(), getRopeFreqs(), *getRopeBase())))
    return failure();
  // cached_attention_c3
  if (!getNormEps() && (getQGain() || getKGain() || getNormPlusOne()))
    return emitOpError("has gains of norms or 'norm_plus_one' but no 'norm_eps'");
  if (getNormEps() && !(getNormEps()->convertToDouble() >= 0))
    return emitOpError() << "expected 'norm_eps' not to be negative but got "
                         << getNormEps()->convertToDouble();
  for (Value gain : {getQGain(), getKGain()})
    if (gain && cast<WeightType>(gain.getType()).dim(0) != headDim)
      return emitOpError() << "expected gains of " << headDim << " numbers, as long as a head, but got "
                           << gain.getType();
  // cached_attention_c1; in a kernel the cache has become a step.cache and was checked before
  auto cache = tables.lookupNearestSymbolFrom<CacheOp>(*this, getCacheAttr());
  if (!cache || cache.getHeads() == getKvHeads())
    return success();
  InFlightDiagnostic error = emitOpError() << "expected 'kv_heads' " << getKvHeads() << " to be the "
                                           << cache.getHeads() << " heads of the cache";
  error.attachNote(cache.getLoc()) << "cache declared here";
  return error;
}

LogicalResult FusedLinearOp::verify() {
  size_t weights = getWeights().size();
  if (weights == 0)
    return emitOpError("expected at least one weight");
  // fused_linear_c1
  for (Type type : getWeights().getTypes())
    if (cast<WeightType>(type).dim(1) != widthOf(getX()))
      return emitOpError() << "expected weights of " << widthOf(getX())
                           << " columns, the width of x, but got " << type;
  bool isNormed = getNorm() != "none";
  if (isNormed != getEps().has_value())
    return emitOpError(isNormed ? "expected 'eps' beside 'norm'" : "has 'eps' but no 'norm'");
  if (isNormed && !(getEps()->convertToDouble() >= 0))
    return emitOpError() << "expected 'eps' not to be negative but got " << getEps()->convertToDouble();
  if (getGain() && !isNormed)
    return emitOpError("has a gain but no 'norm'");
  if (getNormBias() && !(getGain() && getNorm() == "layer"))
    return emitOpError("expected a bias of the norm only beside a gain and with norm = layer");
  for (Value value : {getGain(), getNormBias()})
    if (value && value.getType() != vectorOf(getWeights().front().getType(), 1))
      return emitOpError() << "expected gain and bias of the norm to be " << widthOf(getX())
                           << " long but got " << value.getType();
  // fused_linear_c2
  if ((getGlu() && weights % 2) || getResults().size() != (getGlu() ? weights / 2 : weights))
    return emitOpError() << "expected one result " << (getGlu() ? "for two weights" : "a weight")
                         << " but got " << getResults().size() << " for " << weights;
  for (auto [i, result] : llvm::enumerate(getResults())) {
    size_t first = getGlu() ? 2 * i : i, last = getGlu() ? 2 * i + 1 : i;
    for (size_t w = first; w <= last; ++w)
      if (cast<WeightType>(getWeights()[w].getType()).dim(0) != widthOf(result))
        return emitOpError() << "expected result " << i << " as wide as the rows of its weight "
                             << getWeights()[w].getType() << " but got " << widthOf(result);
  }
  // fused_linear_c3
  if (!getBiases().empty() && getBiases().size() != weights)
    return emitOpError() << "expected no biases or " << weights << " but got " << getBiases().size();
  for (auto [bias, weight] : llvm::zip(getBiases(), getWeights()))
    if (bias.getType() != vectorOf(weight.getType(), 0))
      return emitOpError() << "expected a bias as long as its weight's rows but got " << bias.getType()
                           << " for " << weight.getType();
  // fused_linear_c4
  if (getResidual() && (getResults().size() != 1 || getResidual().getType() != getResults()[0].getType()))
    return emitOpError("expected a residual only with a single result of its type");
  // fused_linear_c5
  if (getScale() && !getScale()->isFinite())
    return emitOpError("expected 'scale' to be finite");
  return success();
}
