//===- LMDialect.cpp - the lm dialect: generated classes, types, helpers --===//
//
// The generated op classes are compiled here and nowhere else: they are the slowest file of the tree.
// Verifiers are in LMOps.cpp, decompositions in LMDecompose*.cpp.
//
//===----------------------------------------------------------------------===//
#include "ir/LMOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::lm;

#include "ir/LMDialect.cpp.inc"
#include "ir/LMInterfaces.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "ir/LMTypes.cpp.inc"
#define GET_OP_CLASSES
#include "ir/LMOps.cpp.inc"

void LMDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "ir/LMTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "ir/LMOps.cpp.inc"
      >();
}

/// Far above any model, and small enough that products of two widths fit in 64 bits.
constexpr int64_t largestWidth = int64_t(1) << 24;

bool llmc::lm::isRows(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getRank() == 2 && tensor.isDynamicDim(0) && !tensor.isDynamicDim(1) &&
         tensor.getDimSize(1) > 0 && tensor.getDimSize(1) <= largestWidth &&
         tensor.getElementType().isF32() && !tensor.getEncoding();
}

bool llmc::lm::isIntRows(Type type, int64_t columns) {
  return type == intRowsType(type.getContext(), columns);
}

RankedTensorType llmc::lm::rowsType(MLIRContext *context, int64_t width) {
  return RankedTensorType::get({ShapedType::kDynamic, width}, Float32Type::get(context));
}

RankedTensorType llmc::lm::intRowsType(MLIRContext *context, int64_t columns) {
  return RankedTensorType::get({ShapedType::kDynamic, columns}, IntegerType::get(context, 32));
}

/// Types are derived before operands are verified, so a weight of the wrong rank must not stop here: the null
/// type makes the mismatch an error of the op.
static int64_t dimOrZero(Type weight, unsigned dim) {
  auto type = dyn_cast<WeightType>(weight);
  return type && dim < type.rank() ? type.dim(dim) : 0;
}

Type llmc::lm::rowsOf(Type weight, unsigned dim) {
  return rowsType(weight.getContext(), dimOrZero(weight, dim));
}

Type llmc::lm::vectorOf(Type weight, unsigned dim) {
  return WeightType::get(weight.getContext(), {dimOrZero(weight, dim)});
}

std::string llmc::lm::nameInLayer(StringRef pattern, std::optional<int64_t> layer) {
  std::string name = pattern.str();
  if (layer)
    for (size_t at; (at = name.find("{i}")) != std::string::npos;)
      name.replace(at, 3, std::to_string(*layer));
  return name;
}

LogicalResult llmc::lm::verifyStrictAttributes(Operation *op) {
  for (NamedAttribute attr : op->getDiscardableAttrs())
    if (!attr.getName().strref().contains('.'))
      return op->emitOpError() << "has no attribute '" << attr.getName().strref() << "'";
  return success();
}

bool llmc::lm::isWord(Attribute attr, ArrayRef<StringRef> words) {
  auto text = dyn_cast<StringAttr>(attr);
  return text && llvm::is_contained(words, text.getValue());
}
