//===- WeightTable.cpp - packed weights of a program, each once -----------===//
#include "codegen/WeightTable.h"

#include "codegen/PackWeights.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;

constexpr int64_t weightAlignment = 64; // a cache line, and the widest vector

/// Quantizes some layers, but not this one.
static bool isKept(Operation *op, std::optional<int64_t> layer) {
  auto quantize = dyn_cast<lm::WQuantizeOp>(op);
  return quantize && quantize.schemeIn(layer) == "keep";
}

/// Copies the ops that make `value` to the builder's place, the layer filled in.
static Value cloneExpression(OpBuilder &builder, Value value, std::optional<int64_t> layer,
                             IRMapping &mapping) {
  if (Value known = mapping.lookupOrNull(value))
    return known;
  Operation *op = value.getDefiningOp();
  for (Value operand : op->getOperands())
    cloneExpression(builder, operand, layer, mapping);
  if (isKept(op, layer)) {
    Value operand = mapping.lookup(op->getOperand(0));
    mapping.map(value, operand);
    return operand;
  }
  Operation *copy = builder.clone(*op, mapping);
  if (auto quantize = dyn_cast<lm::WQuantizeOp>(copy))
    quantize.setToAttr(builder.getStringAttr(quantize.schemeIn(layer)));
  if (auto reference = dyn_cast<lm::WeightRefOp>(copy))
    reference.setTensor(lm::nameInLayer(reference.getTensor(), layer));
  mapping.map(value, copy->getResult(0));
  return copy->getResult(0);
}

/// A text that is the same for the same expression in the same layer.
static void describe(Value value, std::optional<int64_t> layer, llvm::raw_ostream &os) {
  Operation *op = value.getDefiningOp();
  if (isKept(op, layer))
    return describe(op->getOperand(0), layer, os);
  os << op->getName() << "(";
  for (Value operand : op->getOperands()) {
    describe(operand, layer, os);
    os << ",";
  }
  if (auto reference = dyn_cast<lm::WeightRefOp>(op))
    os << '"' << lm::nameInLayer(reference.getTensor(), layer) << '"';
  else if (auto quantize = dyn_cast<lm::WQuantizeOp>(op))
    os << quantize.schemeIn(layer);
  else
    os << op->getAttrDictionary();
  os << ":" << value.getType() << ")";
}

void WeightTable::goBehindLast() {
  if (last)
    builder.setInsertionPointAfter(last);
  else
    builder.setInsertionPointToStart(&body);
}

int64_t WeightTable::place(StringRef key, int64_t bytes) {
  auto [known, isNew] = places.offsets.try_emplace(key, places.end);
  if (isNew)
    places.end = llvm::alignTo(places.end + bytes, weightAlignment);
  return known->second;
}

FailureOr<WeightTable::Entry> WeightTable::weight(Value expression, std::optional<int64_t> layer) {
  auto type = cast<lm::WeightType>(expression.getType());
  std::string key;
  llvm::raw_string_ostream os(key);
  describe(expression, layer, os);
  if (auto known = entries.find(key); known != entries.end())
    return known->second;

  FailureOr<const quant::QuantScheme *> scheme = options.scheme(expression, layer);
  if (failed(scheme))
    return failure();
  bool isVector = type.rank() == 1;
  int64_t rows = type.dim(0), columns = isVector ? 1 : type.dim(1);
  int64_t bytes = packedBytes(isVector ? nullptr : *scheme, type.getShape());
  StringRef schemeName =
      isVector ? StringRef("vector") : StringRef((*scheme)->name.data(), (*scheme)->name.size());

  std::string name = "w" + std::to_string(entries.size());
  goBehindLast();
  auto op = step::WeightOp::create(builder, expression.getLoc(), name, schemeName, place(key, bytes), bytes);
  last = op;
  OpBuilder inner = OpBuilder::atBlockEnd(&op.getBody().emplaceBlock());
  IRMapping mapping;
  Value copy = cloneExpression(inner, expression, layer, mapping);
  step::ReturnOp::create(inner, expression.getLoc(), copy);

  numParameters += rows * columns;
  Entry entry = {FlatSymbolRefAttr::get(builder.getContext(), name), op.getScheme(),
                 !isVector && (*scheme)->isInteger()};
  entries[key] = entry;
  return entry;
}

FlatSymbolRefAttr WeightTable::constant(ArrayRef<float> values, Location loc) {
  StringRef key(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(float));
  if (auto known = constants.find(key); known != constants.end())
    return known->second;
  std::string name = "c" + std::to_string(constants.size());
  goBehindLast();
  last = step::ConstantOp::create(builder, loc, name, values,
                                  place(("constant" + key).str(), values.size() * sizeof(float)));
  return constants[key] = FlatSymbolRefAttr::get(builder.getContext(), name);
}
