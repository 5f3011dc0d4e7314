//===- LowerToStep.cpp - lm model => step program -------------------------===//
//
//   1. Ops without a kernel of their own become the ops they are made from.
//   2. Walk the entry in order, the stack's regions once a layer; every op that computes becomes a call.
//   3. The op, with its per-layer numbers filled in, its weights' schemes and its row space are the key of a
//      kernel: equal keys share one step.kernel.
//   4. The list of calls gets buffers and barriers (DispatchList).
// Layers become rows of data; kernels do not multiply with them.
//
//===----------------------------------------------------------------------===//
#include "codegen/LowerToStep.h"

#include "codegen/DispatchList.h"
#include "codegen/KernelSpecs.h"
#include "codegen/WeightTable.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;

namespace {

/// The layers' places in a cache's page.
struct CachePlan {
  lm::CacheOp cache;
  int64_t layers = 0;
  int64_t keyBytes() { return storedBytes(cache.getDimK()); }
  int64_t valueBytes() { return storedBytes(llvm::alignTo(cache.getDimV(), quant::panelRows)); }

private:
  /// One layer's numbers in a page; see cpu::AttentionSpec for the layout.
  int64_t storedBytes(int64_t dim) {
    return cache.getHeads() * dim * *cache.getPageTokens() * (*cache.getType() == "f16" ? 2 : 4);
  }
};

class StepLowering {
public:
  StepLowering(lm::ModelOp model, const LowerToStepOptions &options) : model(model), options(options) {}
  FailureOr<step::ProgramOp> run();

private:
  using ValueId = DispatchList::ValueId;

  LogicalResult checkOps();
  LogicalResult splitOpsWithoutKernel();
  void createProgram();
  LogicalResult lowerBlock(Block &block, std::optional<int64_t> layer);
  LogicalResult lowerOp(Operation *op, std::optional<int64_t> layer);
  LogicalResult lowerLayers(lm::LayersOp layers);
  Operation *fillInLayer(Operation *op, std::optional<int64_t> layer);
  StringAttr spaceOf(Operation *op) const;
  LogicalResult checkNames();
  LogicalResult checkSpaces(Operation *op, StringAttr space) const;
  FailureOr<step::KernelOp> kernelFor(Operation *op, StringRef space, ArrayRef<WeightTable::Entry> weights);
  LogicalResult addCacheArgs(Operation *op, std::optional<int64_t> layer, DispatchList::Call &call);
  void setFacts();

  lm::ModelOp model;
  const LowerToStepOptions &options;
  step::ProgramOp program;
  OpBuilder kernelsBuilder{model->getContext()};
  std::optional<WeightTable> weights;
  DispatchList calls;
  DenseMap<Value, ValueId> values;
  llvm::StringMap<step::KernelOp> kernels; // by key
  llvm::StringMap<int> kernelNames;
  llvm::MapVector<StringAttr, CachePlan> caches;
  llvm::SetVector<StringAttr> usedCaches;                        // in the order of their numbers
  std::map<std::pair<std::string, int64_t>, int64_t> cacheSlots; // (cache, layer) => place in the page
};

} // namespace

static int64_t rowBytes(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  if (tensor.getElementType().isInteger())
    return tensor.getDimSize(1) * 4;
  return llvm::alignTo(tensor.getDimSize(1), quant::panelRows) * 4;
}

/// Ops that only name data.
static bool isWeightExpression(Operation *op) {
  return op->getNumResults() == 1 && isa<lm::WeightType>(op->getResult(0).getType());
}

static bool isDeclaration(Operation *op) {
  return isWeightExpression(op) || isa<lm::YieldOp, lm::ReturnOp>(op);
}

FailureOr<step::ProgramOp> StepLowering::run() {
  if (failed(checkNames()) || failed(checkOps()) || failed(splitOpsWithoutKernel()))
    return failure();
  createProgram();
  lm::ForwardOp forward = model.forward();
  if (failed(lowerBlock(forward.getBody().front(), std::nullopt)))
    return failure();

  auto result = cast<lm::ReturnOp>(forward.getBody().front().getTerminator());
  ValueId logits = values.lookup(result.getLogits());
  calls.pin(logits);
  if (calls.spaceOf(logits) != "asked")
    return result.emitOpError("expected the logits to be made from 'lm.asked_rows'");
  if (result.getHidden())
    calls.pin(values.lookup(result.getHidden()));

  OpBuilder end = OpBuilder::atBlockEnd(&program.getBody().front());
  for (StringAttr name : usedCaches) {
    CachePlan &plan = caches[name];
    lm::CacheOp cache = plan.cache;
    step::CacheOp::create(end, cache.getLoc(), cache.getSymNameAttr(), end.getI64IntegerAttr(plan.layers),
                          cache.getHeadsAttr(), cache.getDimKAttr(), cache.getDimVAttr(),
                          cache.getPageTokensAttr(), cache.getTypeAttr(),
                          end.getI64IntegerAttr(plan.layers * (plan.keyBytes() + plan.valueBytes())));
  }
  llvm::DenseMap<ValueId, FlatSymbolRefAttr> pinned = calls.build(end);
  program.setLogitsAttr(pinned.lookup(logits));
  if (result.getHidden())
    program.setHiddenRowsAttr(pinned.lookup(values.lookup(result.getHidden())));
  setFacts();
  return program;
}

/// A program names its buffers, weights and constants by a letter and a number.
LogicalResult StepLowering::checkNames() {
  for (lm::CacheOp cache : model.getBody().getOps<lm::CacheOp>())
    if (StringRef name = cache.getSymName(); name.size() > 1 && StringRef("bcw").contains(name[0]) &&
                                             llvm::all_of(name.drop_front(), llvm::isDigit))
      return cache.emitOpError() << "has the name @" << name << ", which the compiler uses itself";
  return success();
}

/// All of a model is of the lm dialect, without the accessors that stand in decompositions.
LogicalResult StepLowering::checkOps() {
  WalkResult walk = model.walk([](Operation *op) {
    if (isa_and_nonnull<lm::LMDialect>(op->getDialect()) && !isa<lm::TokenRowsOp, lm::WeightValuesOp>(op))
      return WalkResult::advance();
    op->emitOpError("cannot stand in a model that is compiled");
    return WalkResult::interrupt();
  });
  return failure(walk.wasInterrupted());
}

/// Once for each kind of layer, before layers are unrolled.
LogicalResult StepLowering::splitOpsWithoutKernel() {
  SmallVector<lm::DecomposableInterface> ops;
  model.forward().walk([&](lm::DecomposableInterface op) {
    if (!hasKernel(op))
      ops.push_back(op);
  });
  for (lm::DecomposableInterface op : ops) {
    OpBuilder builder(op);
    FailureOr<SmallVector<Value>> parts = op.decompose(builder);
    if (failed(parts))
      return op->emitOpError("has no kernel and no decomposition with these attributes");
    op->replaceAllUsesWith(*parts);
    op->erase();
  }
  return success();
}

void StepLowering::createProgram() {
  OpBuilder builder(model);
  SmallVector<StringRef> files;
  for (lm::WeightsOp file : model.getBody().getOps<lm::WeightsOp>())
    files.push_back(file.getPath());
  auto zero = builder.getI64IntegerAttr(0);
  program = step::ProgramOp::create(
      builder, model.getLoc(), model.getSymNameAttr(), model.getVocabAttr(), model.getContextAttr(), zero,
      zero, zero, zero, zero, zero, FlatSymbolRefAttr::get(builder.getContext(), "b0"), FlatSymbolRefAttr(),
      model.getTokenizerAttr(), model.getFamilyAttr(), builder.getStrArrayAttr(files));
  Block &body = program.getBody().emplaceBlock();
  // Weights first, kernels behind them, then what DispatchList and the caches add.
  kernelsBuilder.setInsertionPointToEnd(&body);
  weights.emplace(body, options);
  for (lm::CacheOp cache : model.getBody().getOps<lm::CacheOp>())
    caches[cache.getSymNameAttr()].cache = cache;
}

LogicalResult StepLowering::lowerBlock(Block &block, std::optional<int64_t> layer) {
  for (Operation &op : block) {
    if (isDeclaration(&op))
      continue;
    if (auto layers = dyn_cast<lm::LayersOp>(op)) {
      if (failed(lowerLayers(layers)))
        return failure();
      continue;
    }
    if (failed(lowerOp(&op, layer)))
      return failure();
  }
  return success();
}

LogicalResult StepLowering::lowerLayers(lm::LayersOp layers) {
  SmallVector<ValueId> carried;
  for (Value init : layers.getInits())
    carried.push_back(values.lookup(init));
  for (int64_t layer = 0; layer < static_cast<int64_t>(layers.getCount()); ++layer) {
    Block &body = layers.getBodies()[layers.kindOf(layer)].front();
    for (auto [arg, value] : llvm::zip(body.getArguments(), carried))
      values[arg] = value;
    if (failed(lowerBlock(body, layer)))
      return failure();
    for (auto [value, yielded] : llvm::zip(carried, body.getTerminator()->getOperands()))
      value = values.lookup(yielded);
  }
  for (auto [result, value] : llvm::zip(layers.getResults(), carried))
    values[result] = value;
  return success();
}

/// A copy of the op (not in any block) with `@table` attributes replaced by the layer's number. The caller
/// destroys it.
Operation *StepLowering::fillInLayer(Operation *op, std::optional<int64_t> layer) {
  Operation *copy = op->cloneWithoutRegions();
  for (StringAttr name : op->getName().getAttributeNames()) {
    auto table = dyn_cast_or_null<FlatSymbolRefAttr>(op->getAttr(name));
    if (!table || name == "cache")
      continue;
    auto numbers = dyn_cast_or_null<lm::TableOp>(mlir::SymbolTable::lookupSymbolIn(model, table));
    if (!numbers || !layer) {
      op->emitOpError() << "names the table " << table
                        << (numbers ? ", but stands outside the stack" : ", which is not declared");
      copy->destroy();
      return nullptr;
    }
    double number = numbers.getValues()[*layer];
    bool isWindow = name == "window";
    if (isWindow ? !(number >= 0 && number <= 1.0e9 && number == std::floor(number)) : !(number > 0)) {
      op->emitOpError() << "expected '" << name.getValue() << "' to be "
                        << (isWindow ? "a number of tokens" : "above 0") << " in every layer but the table "
                        << table << " gives layer " << *layer << " " << number;
      copy->destroy();
      return nullptr;
    }
    Builder builder(op->getContext());
    // A window of 0 means none.
    if (isWindow && number == 0)
      copy->removeAttr(name);
    else
      copy->setAttr(name, isWindow ? Attribute(builder.getI64IntegerAttr(static_cast<int64_t>(number)))
                                   : Attribute(builder.getF64FloatAttr(number)));
  }
  return copy;
}

StringAttr StepLowering::spaceOf(Operation *op) const {
  if (isa<lm::AskedRowsOp>(op))
    return StringAttr::get(op->getContext(), "asked");
  if (isa<lm::KVViewOp>(op))
    return StringAttr::get(op->getContext(), "keys");
  for (Value operand : op->getOperands()) {
    auto value = values.find(operand);
    if (value != values.end())
      return calls.spaceOf(
          value->second); // rows follow the first operand that has rows: x, or q of an attention
  }
  return StringAttr::get(op->getContext(), "tokens");
}

/// What one row of a space stands for.
static StringRef rowWord(StringAttr space) {
  return space == "tokens" ? "token of the step" : space == "asked" ? "asked token" : "visible key";
}

/// Types say how wide rows are; here is checked what they are rows of. All operands agree, but for the keys
/// of an attention; what a cache takes in, and what rows are picked from, has all tokens.
LogicalResult StepLowering::checkSpaces(Operation *op, StringAttr space) const {
  Builder builder(op->getContext());
  StringAttr tokens = builder.getStringAttr("tokens"), keys = builder.getStringAttr("keys");
  auto attention = dyn_cast<lm::AttentionOp>(op);
  StringAttr expected = isa<lm::AskedRowsOp, lm::KVAppendOp, lm::CachedAttentionOp>(op) ? tokens : space;
  for (OpOperand &operand : op->getOpOperands()) {
    Value value = operand.get();
    if (isa<lm::TokensType>(value.getType()) && space == keys && !isa<lm::KVViewOp>(op))
      return op->emitOpError("works on visible keys, but takes the tokens of the step");
    if (!isa<RankedTensorType>(value.getType()))
      continue;
    bool isOfKeys = attention && value != attention.getQ();
    StringAttr wanted = isOfKeys ? keys : expected, found = calls.spaceOf(values.lookup(value));
    if (found != wanted)
      return op->emitOpError() << "expected operand #" << operand.getOperandNumber()
                               << " to have a row for each " << rowWord(wanted) << " but it has one for each "
                               << rowWord(found);
  }
  return success();
}

LogicalResult StepLowering::lowerOp(Operation *op, std::optional<int64_t> layer) {
  StringAttr space = spaceOf(op);
  if (failed(checkSpaces(op, space)))
    return failure();

  Operation *filled = fillInLayer(op, layer);
  if (!filled)
    return failure();
  llvm::scope_exit destroyFilled([&] { filled->destroy(); });

  DispatchList::Call call{{}, {}, layer, space, op->getLoc(), {}, {}};
  SmallVector<WeightTable::Entry> entries;
  for (Value operand : op->getOperands()) {
    if (isa<lm::WeightType>(operand.getType())) {
      FailureOr<WeightTable::Entry> entry = weights->weight(operand, layer);
      if (failed(entry))
        return failure();
      entries.push_back(*entry);
      call.args.push_back(DispatchList::Arg::of(entry->name));
    } else if (isa<RankedTensorType>(operand.getType())) {
      call.args.push_back(DispatchList::Arg::of(values.lookup(operand), Access::Read));
    }
  }
  FailureOr<step::KernelOp> kernel = kernelFor(filled, space, entries);
  if (failed(kernel))
    return failure();
  call.kernel = kernel->getSymNameAttr();

  if (std::optional<SmallVector<float>> freqs = rotaryFrequencies(filled))
    call.args.push_back(DispatchList::Arg::of(weights->constant(*freqs)));
  if (failed(addCacheArgs(op, layer, call)))
    return failure();
  for (Value result : op->getResults()) {
    ValueId value = calls.addValue(space, rowBytes(result.getType()));
    values[result] = value;
    call.args.push_back(DispatchList::Arg::of(value, Access::Write));
  }
  if (kernel->getPackedRowBytes())
    call.args.push_back(
        DispatchList::Arg::of(calls.addValue(space, *kernel->getPackedRowBytes()), Access::ReadWrite));
  calls.add(std::move(call));
  return success();
}

/// The cache's number and where this layer's K and V lie in a page.
LogicalResult StepLowering::addCacheArgs(Operation *op, std::optional<int64_t> layer,
                                         DispatchList::Call &call) {
  auto name = op->getAttrOfType<FlatSymbolRefAttr>("cache");
  if (!name)
    return success();
  auto found = caches.find(name.getAttr());
  if (found == caches.end() || !found->second.cache.getPageTokens() || !found->second.cache.getType())
    return op->emitOpError() << "uses the cache " << name
                             << ", which has no plan (lm-plan-kv-cache has not run)";
  CachePlan &plan = found->second;
  usedCaches.insert(found->first);
  auto [slot, isNew] = cacheSlots.try_emplace({name.getValue().str(), layer.value_or(-1)}, plan.layers);
  plan.layers += isNew;
  int64_t offset = slot->second * (plan.keyBytes() + plan.valueBytes());
  Builder builder(op->getContext());
  for (int64_t number : {static_cast<int64_t>(llvm::find(usedCaches, found->first) - usedCaches.begin()),
                         offset, offset + plan.keyBytes()})
    call.args.push_back(DispatchList::Arg::of(builder.getI64IntegerAttr(number)));
  std::string touched = name.getValue().str() + "." + std::to_string(slot->second);
  if (isa<lm::KVViewOp>(op))
    call.readsCache = touched;
  else
    call.writesCache = touched;
  return success();
}

FailureOr<step::KernelOp> StepLowering::kernelFor(Operation *op, StringRef space,
                                                  ArrayRef<WeightTable::Entry> entries) {
  Builder builder(op->getContext());
  SmallVector<StringRef> schemes;
  bool allIntegers = true, anyMatrix = false;
  for (const WeightTable::Entry &entry : entries) {
    schemes.push_back(entry.scheme);
    if (entry.scheme != "vector") {
      anyMatrix = true;
      allIntegers &= entry.isInteger;
    }
  }
  StringRef activations = options.int8Activations && anyMatrix && allIntegers ? "int8" : "f32";

  // The key: all that decides the code. The frequencies of a rope are an argument, not code.
  NamedAttrList attrs(op->getAttrDictionary());
  attrs.erase("rope_freqs");
  if (attrs.get("rope_base"))
    attrs.set("rope_base", builder.getUnitAttr());
  std::string key;
  llvm::raw_string_ostream os(key);
  os << op->getName() << attrs.getDictionary(op->getContext()) << space << activations;
  llvm::interleave(schemes, os, ",");
  for (Type type : llvm::concat<const Type>(SmallVector<Type>(op->getOperandTypes()),
                                            SmallVector<Type>(op->getResultTypes())))
    os << type;
  if (auto known = kernels.find(key); known != kernels.end())
    return known->second;

  std::string name = kernelName(op, schemes, space, activations);
  if (int count = kernelNames[name]++)
    name += "_v" + std::to_string(count + 1);
  DictionaryAttr cacheLayout;
  if (auto cacheName = op->getAttrOfType<FlatSymbolRefAttr>("cache")) {
    lm::CacheOp cache = caches.lookup(cacheName.getAttr()).cache;
    if (cache && cache.getPageTokens() && cache.getType())
      cacheLayout = builder.getDictionaryAttr({builder.getNamedAttr("heads", cache.getHeadsAttr()),
                                               builder.getNamedAttr("dim_k", cache.getDimKAttr()),
                                               builder.getNamedAttr("dim_v", cache.getDimVAttr()),
                                               builder.getNamedAttr("page_tokens", cache.getPageTokensAttr()),
                                               builder.getNamedAttr("type", cache.getTypeAttr())});
  }
  SmallVector<Attribute> schemeAttrs;
  for (StringRef scheme : schemes)
    schemeAttrs.push_back(builder.getStringAttr(scheme));
  auto kernel = step::KernelOp::create(kernelsBuilder, op->getLoc(), name, builder.getArrayAttr(schemeAttrs),
                                       builder.getStringAttr(activations), builder.getStringAttr(space),
                                       IntegerAttr(), cacheLayout);
  Block &body = kernel.getBody().emplaceBlock();
  OpBuilder inner = OpBuilder::atBlockEnd(&body);
  Operation *computed = op->clone();
  for (OpOperand &operand : computed->getOpOperands())
    operand.set(body.addArgument(operand.get().getType(), UnknownLoc::get(op->getContext())));
  inner.insert(computed);
  step::ReturnOp::create(inner, op->getLoc(), computed->getResults());
  FailureOr<int64_t> packed = packedRowBytes(kernel);
  if (failed(packed))
    return failure();
  if (*packed)
    kernel.setPackedRowBytes(*packed);
  kernels[key] = kernel;
  return kernel;
}

void StepLowering::setFacts() {
  lm::LayersOp layers = model.layers();
  program.setLayers(layers ? layers.getCount() : 0);
  // The rows that the logits are made from, or those the model returns.
  Block &body = model.forward().getBody().front();
  auto result = cast<lm::ReturnOp>(body.getTerminator());
  if (result.getHidden())
    program.setHidden(lm::widthOf(result.getHidden()));
  else if (auto asked = body.getOps<lm::AskedRowsOp>(); !asked.empty())
    program.setHidden(lm::widthOf((*asked.begin()).getX()));
  // The first attention speaks for all.
  model.forward().walk([&](Operation *op) {
    if (!isa<lm::AttentionOp, lm::CachedAttentionOp>(op))
      return WalkResult::advance();
    program.setHeads(op->getAttrOfType<IntegerAttr>("heads").getInt());
    program.setKvHeads(op->getAttrOfType<IntegerAttr>("kv_heads").getInt());
    return WalkResult::interrupt();
  });
  program.setParameters(weights->parameters());
  program.setWeightBytes(weights->bytes());
}

FailureOr<step::ProgramOp> codegen::lowerToStep(lm::ModelOp model, const LowerToStepOptions &options) {
  FailureOr<step::ProgramOp> program = StepLowering(model, options).run();
  if (failed(program))
    return failure();
  model.erase();
  return program;
}
