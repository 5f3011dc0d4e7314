//===- LowerToStep.cpp - lm model => step program -------------------------===//
//
//   1. Ops without a kernel of their own become the ops they are made from.
//   2. Walk the entry in order, the stack's regions once a layer; every op that computes becomes a call.
//   3. The op, with its per-layer numbers filled in, asks for its kernel (KernelTable).
//   4. A cache with several storage types makes several calls of one op, of which a session runs one
//      (CacheTable).
//   5. What only the returned hidden rows need works on rows of its own, which most steps have none of.
//   6. The list of calls gets buffers and barriers (DispatchList).
// Layers become rows of data; kernels do not multiply with them.
//
//===----------------------------------------------------------------------===//
#include "codegen/LowerToStep.h"

#include "codegen/CacheTable.h"
#include "codegen/CpuTarget.h"
#include "codegen/DeviceTarget.h"
#include "codegen/DispatchList.h"
#include "codegen/KernelSpecs.h"
#include "codegen/KernelTable.h"
#include "codegen/WeightTable.h"
#include "ir/AttentionWindow.h"
#include "ir/Locations.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;

namespace {

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
  void findHiddenOnly();
  void setFacts();

  lm::ModelOp model;
  const LowerToStepOptions &options;
  step::ProgramOp program;
  std::optional<WeightTable> weights;
  std::optional<KernelTable> kernels;
  CacheTable caches{model};
  DispatchList calls;
  DenseMap<Value, ValueId> values;
  llvm::DenseSet<Operation *> hiddenOnly; // what only the returned hidden rows need
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
  findHiddenOnly();
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
  caches.create(end);
  llvm::DenseMap<ValueId, FlatSymbolRefAttr> pinned = calls.build(end);
  kernels->setPlaces();
  program.setLogitsAttr(pinned.lookup(logits));
  if (result.getHidden())
    program.setHiddenRowsAttr(pinned.lookup(values.lookup(result.getHidden())));
  setFacts();
  return program;
}

/// In the entry, from its end: an op is for the hidden rows only if all its readers are.
void StepLowering::findHiddenOnly() {
  Block &body = model.forward().getBody().front();
  auto end = cast<lm::ReturnOp>(body.getTerminator());
  auto isForHidden = [&](OpOperand &use) {
    return use.getOwner() == end ? use.get() == end.getHidden() && use.get() != end.getLogits()
                                 : hiddenOnly.contains(use.getOwner());
  };
  for (Operation &op : llvm::reverse(body.without_terminator()))
    if (!op.use_empty() && !isWeightExpression(&op) &&
        !isa<lm::LayersOp, lm::AskedRowsOp, lm::KVViewOp>(op) && llvm::all_of(op.getUses(), isForHidden))
      hiddenOnly.insert(&op);
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
    if (!(options.target ? options.target->hasKernel(op, options.defaultKernels) : cpu::hasKernel(op)))
      ops.push_back(op);
  });
  for (lm::DecomposableInterface op : ops) {
    OpBuilder builder(op);
    Operation *before = op->getPrevNode();
    FailureOr<SmallVector<Value>> parts = op.decompose(builder);
    if (failed(parts))
      return op->emitOpError("has no kernel and no decomposition with these attributes");
    // The op's name is that of its results alone: traces tell values by their names.
    for (Operation *part = before ? before->getNextNode() : &op->getBlock()->front(); part != op;
         part = part->getNextNode())
      if (llvm::none_of(*parts, [&](Value result) { return result.getDefiningOp() == part; }))
        part->setLoc(placeOf(op->getLoc()));
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
  kernels.emplace(OpBuilder::atBlockEnd(&body), options);
  weights.emplace(body, options);
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
    if (isWindow ? !(number >= 0 && number <= lm::longestWindow && number == std::floor(number))
                 : !(number > 0)) {
      op->emitOpError() << "expected '" << name.getValue() << "' to be "
                        << (isWindow ? "a number of tokens" : "above 0") << " in every layer but the table "
                        << table << " gives layer " << *layer << " " << number;
      copy->destroy();
      return nullptr;
    }
    Builder builder(op->getContext());
    // A window of 0 means none. A cached attention takes its window as an argument, so that layers without
    // one share the kernel of the others.
    if (isWindow && number == 0 && isa<lm::CachedAttentionOp>(op))
      number = lm::longestWindow;
    if (isWindow && number == 0)
      copy->removeAttr(name);
    else
      copy->setAttr(name, isWindow ? Attribute(builder.getI64IntegerAttr(static_cast<int64_t>(number)))
                                   : Attribute(builder.getF64FloatAttr(number)));
  }
  return copy;
}

StringAttr StepLowering::spaceOf(Operation *op) const {
  StringAttr hidden = StringAttr::get(op->getContext(), "hidden");
  if (isa<lm::AskedRowsOp>(op))
    return StringAttr::get(op->getContext(), "asked");
  if (isa<lm::KVViewOp>(op))
    return StringAttr::get(op->getContext(), "keys");
  for (Value operand : op->getOperands()) {
    auto value = values.find(operand);
    if (value != values.end()) {
      // Rows follow the first operand that has rows: x, or q of an attention.
      StringAttr space = calls.spaceOf(value->second);
      return space == "asked" && hiddenOnly.contains(op) ? hidden : space;
    }
  }
  return StringAttr::get(op->getContext(), "tokens");
}

/// What one row of a space stands for.
static StringRef rowWord(StringAttr space) {
  return space == "tokens" ? "token of the step" : space == "keys" ? "visible key" : "asked token";
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
    if (found != wanted && !(wanted == "hidden" && found == "asked"))
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

  DispatchList::Call call{{}, {}, layer, space, op->getLoc(), {}, {}, {}, false};
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
  FailureOr<CacheTable::Plan *> cache = caches.planOf(op);
  if (failed(cache))
    return failure();

  if (std::optional<SmallVector<float>> freqs = rotaryFrequencies(filled))
    call.args.push_back(DispatchList::Arg::of(weights->constant(*freqs, op->getLoc())));
  if (auto window = filled->getAttrOfType<IntegerAttr>("window"); window && isa<lm::CachedAttentionOp>(op))
    call.args.push_back(DispatchList::Arg::of(window));
  for (Value result : op->getResults())
    values[result] = calls.addValue(space, rowBytes(result.getType()), op->getLoc());
  const unsigned types = *cache ? (*cache)->cache.storageTypes().size() : 1;
  for (unsigned type = 0; type < types; ++type) {
    FailureOr<step::KernelOp> kernel =
        kernels->kernelFor(filled, space, entries, *cache ? (*cache)->cache : lm::CacheOp(), type);
    if (failed(kernel))
      return failure();
    DispatchList::Call mine = call;
    mine.kernel = kernel->getSymNameAttr();
    if (*cache) {
      caches.addArgs(op, **cache, type, layer, mine);
      mine.isAlternative = type > 0;
      if (types > 1)
        mine.storage = (*cache)->symbolOf(type);
    }
    for (Value result : op->getResults())
      mine.args.push_back(DispatchList::Arg::of(values[result], Access::Write));
    if (kernel->getPackedRowBytes())
      mine.args.push_back(DispatchList::Arg::of(
          calls.addValue(space, *kernel->getPackedRowBytes(), op->getLoc()), Access::ReadWrite));
    calls.add(std::move(mine));
  }
  return success();
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
