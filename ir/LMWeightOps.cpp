//===- LMWeightOps.cpp - verifiers and names of weight expressions --------===//
//
// In the order of LMOps.td; the numbers of the rules are those of the descriptions.
//
//===----------------------------------------------------------------------===//
#include "ir/LMOps.h"
#include "ir/quant/quantize/Quantize.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::lm;

/// The pattern's last telling word: "blk.{i}.attn_q.weight" gives %attn_q.
void WeightRefOp::getAsmResultNames(OpAsmSetValueNameFn setName) {
  SmallVector<StringRef> parts;
  getTensor().split(parts, '.');
  if (parts.size() > 1 && parts.back() == "weight")
    parts.pop_back();
  std::string name = parts.back().str();
  if (name == "bias" && parts.size() > 1)
    name = (parts[parts.size() - 2] + "_bias").str();
  bool isIdentifier = !name.empty() && !llvm::isDigit(name[0]) &&
                      llvm::all_of(name, [](char c) { return llvm::isAlnum(c) || c == '_'; });
  if (isIdentifier)
    setName(getW(), name);
}

LogicalResult WConcatOp::verify() {
  // w_concat_c1
  if (getParts().empty())
    return emitOpError("expected at least one part");
  auto result = cast<WeightType>(getW().getType());
  int64_t rows = 0;
  for (Type type : getParts().getTypes()) {
    auto part = cast<WeightType>(type);
    if (part.getShape().drop_front() != result.getShape().drop_front())
      return emitOpError() << "expected all parts to have the result's columns but got " << part << " for "
                           << result;
    rows += part.dim(0);
  }
  if (rows != result.dim(0))
    return emitOpError() << "expected the parts' rows to add up to " << result.dim(0) << " but got " << rows;
  return success();
}

LogicalResult WMulOp::verify() {
  // w_mul_c1
  auto a = cast<WeightType>(getA().getType()), b = cast<WeightType>(getB().getType()),
       w = cast<WeightType>(getW().getType());
  if (a.dim(1) != b.dim(0) || w.dim(0) != a.dim(0) || w.dim(1) != b.dim(1))
    return emitOpError() << "expected " << a << " times " << b << " to be <" << a.dim(0) << "x" << b.dim(1)
                         << "> but got " << w;
  return success();
}

LogicalResult WPermuteOp::verify() {
  // w_permute_c1
  int64_t rows = cast<WeightType>(getA().getType()).dim(0), product = 1;
  for (int64_t dim : getShape()) {
    if (dim < 1 || dim > rows)
      return emitOpError() << "expected axes of 'shape' between 1 and " << rows << " but got " << dim;
    product *= dim;
    if (product > rows)
      break;
  }
  if (product != rows)
    return emitOpError() << "expected the product of 'shape' to be the " << rows << " rows but got "
                         << product;
  // w_permute_c2
  SmallVector<bool> seen(getShape().size(), false);
  bool isPermutation = getOrder().size() == getShape().size();
  for (int64_t axis : getOrder()) {
    bool isAxis = axis >= 0 && axis < static_cast<int64_t>(seen.size());
    isPermutation = isPermutation && isAxis && !seen[axis];
    if (isAxis)
      seen[axis] = true;
  }
  if (!isPermutation)
    return emitOpError() << "expected 'order' to be a permutation of the " << getShape().size()
                         << " axes of 'shape'";
  return success();
}

StringRef WQuantizeOp::schemeIn(std::optional<int64_t> layer) {
  if (auto list = dyn_cast<ArrayAttr>(getTo()))
    return layer ? cast<StringAttr>(list[*layer]).getValue() : StringRef("keep");
  return cast<StringAttr>(getTo()).getValue();
}

LogicalResult WQuantizeOp::verify() {
  Attribute to = getTo();
  auto list = dyn_cast<ArrayAttr>(to);
  // w_quantize_c1
  for (Attribute word : list ? list.getValue() : ArrayRef<Attribute>(to)) {
    StringRef name = cast<StringAttr>(word).getValue();
    if (!quant::quantizerByName(name) && !(list && name == "keep"))
      return emitOpError() << "expected 'to' to be of " << quant::quantizerNames() << " but got '" << name
                           << "'";
  }
  // w_quantize_c2
  auto stack = (*this)->getParentOfType<LayersOp>();
  if (list && !stack)
    return emitOpError("has a list of schemes, one a layer, but stands outside the stack");
  if (list && list.size() != stack.getCount())
    return emitOpError() << "expected " << stack.getCount() << " schemes, one a layer, but got "
                         << list.size();
  return success();
}

LogicalResult WRowsOp::verify() {
  // w_rows_c1
  auto a = cast<WeightType>(getA().getType()), w = cast<WeightType>(getW().getType());
  int64_t from = getFrom(), to = getTo();
  if (from < 0 || to <= from || to > a.dim(0))
    return emitOpError() << "expected rows inside [0:" << a.dim(0) << "] but got [" << from << ":" << to
                         << "]";
  if (w.dim(0) != to - from || w.getShape().drop_front() != a.getShape().drop_front())
    return emitOpError() << "expected " << to - from << " rows of " << a << " but got " << w;
  return success();
}

LogicalResult WTransposeOp::verify() {
  // w_transpose_c1
  auto a = cast<WeightType>(getA().getType()), w = cast<WeightType>(getW().getType());
  if (a.dim(0) != w.dim(1) || a.dim(1) != w.dim(0))
    return emitOpError() << "expected the transpose of " << a << " but got " << w;
  return success();
}
