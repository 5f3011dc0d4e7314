//===- DecomposeBuilder.cpp - short words for decompositions --------------===//
#include "ir/DecomposeBuilder.h"

#include <limits>

using namespace mlir;
using namespace llmc::lm;

Value DecomposeBuilder::minusInfinity() { return real(-std::numeric_limits<float>::infinity()); }

Value DecomposeBuilder::sigmoid(Value x) {
  Value one = real(1);
  return div(one, add(one, exp(arith::NegFOp::create(*this, x))));
}

Value DecomposeBuilder::filled(ArrayRef<OpFoldResult> sizes, Value x) {
  return linalg::FillOp::create(*this, ValueRange{x}, ValueRange{empty(sizes)}).getResult(0);
}

Value DecomposeBuilder::split(Value tensor, int64_t dim, int64_t inner) {
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<int64_t> shape;
  SmallVector<ReassociationIndices> groups;
  Sizes outputSizes;
  for (auto [i, n] : llvm::enumerate(type.getShape())) {
    ReassociationIndices &group = groups.emplace_back();
    auto push = [&](int64_t extent, OpFoldResult size) {
      group.push_back(shape.size());
      shape.push_back(extent);
      outputSizes.push_back(size);
    };
    if (static_cast<int64_t>(i) == dim) {
      push(n / inner, index(n / inner));
      push(inner, index(inner));
    } else {
      push(n, size(tensor, i));
    }
  }
  return tensor::ExpandShapeOp::create(*this, RankedTensorType::get(shape, type.getElementType()), tensor,
                                       groups, outputSizes);
}

Value DecomposeBuilder::flatten(Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  ReassociationIndices columns;
  int64_t width = 1;
  for (int64_t i = 1; i < type.getRank(); ++i) {
    columns.push_back(i);
    width *= type.getDimSize(i);
  }
  return tensor::CollapseShapeOp::create(*this,
                                         RankedTensorType::get({type.getDimSize(0), width}, getF32Type()),
                                         tensor, SmallVector<ReassociationIndices>{{0}, columns});
}

Value DecomposeBuilder::as(Type type, Value tensor) {
  return tensor.getType() == type ? tensor : tensor::CastOp::create(*this, type, tensor).getResult();
}

Value DecomposeBuilder::generic(unsigned loops, ValueRange inputs, ArrayRef<Dims> maps, Value init,
                                ArrayRef<unsigned> reduced, Body body) {
  SmallVector<AffineMap> affine;
  for (const Dims &dims : maps)
    affine.push_back(AffineMap::getMultiDimMapWithTargets(loops, dims, getContext()));
  SmallVector<utils::IteratorType> iterators(loops, utils::IteratorType::parallel);
  for (unsigned loop : reduced)
    iterators[loop] = utils::IteratorType::reduction;
  auto op = linalg::GenericOp::create(*this, init.getType(), inputs, init, affine, iterators,
                                      [&](OpBuilder &inside, Location loc, ValueRange elements) {
                                        OpBuilder::InsertionGuard guard(*this);
                                        restoreInsertionPoint(inside.saveInsertionPoint());
                                        linalg::YieldOp::create(*this, loc, body(elements));
                                      });
  return op.getResult(0);
}

Value DecomposeBuilder::elementwise(ValueRange inputs, Body body) {
  unsigned rank = cast<RankedTensorType>(inputs.front().getType()).getRank();
  Dims all(llvm::to_vector<4>(llvm::seq<unsigned>(rank)));
  return generic(rank, inputs, SmallVector<Dims>(inputs.size() + 1, all), empty(sizes(inputs.front())), {},
                 body);
}

Value DecomposeBuilder::matmulTransposed(Value x, Value w) {
  int64_t rows = cast<RankedTensorType>(w.getType()).getDimSize(0);
  return generic(3, {x, w}, {{0, 2}, {1, 2}, {0, 1}}, filled({size(x, 0), index(rows)}, real(0)), {2},
                 [&](ValueRange e) { return add(e[2], mul(e[0], e[1])); });
}

Value DecomposeBuilder::weight(Value w) {
  ArrayRef<int64_t> shape = cast<WeightType>(w.getType()).getShape();
  return WeightValuesOp::create(*this, RankedTensorType::get(shape, getF32Type()), w);
}

Value DecomposeBuilder::column(Value rows, int64_t c) {
  auto type = RankedTensorType::get({ShapedType::kDynamic}, getI32Type());
  Sizes offsets{index(0), index(c)}, extents{size(rows, 0), index(1)}, strides{index(1), index(1)};
  return tensor::ExtractSliceOp::create(*this, type, rows, offsets, extents, strides);
}

std::optional<double> llmc::lm::numberOf(Attribute attr) {
  if (auto real = dyn_cast_or_null<FloatAttr>(attr))
    return real.getValueAsDouble();
  if (auto integer = dyn_cast_or_null<IntegerAttr>(attr))
    return static_cast<double>(integer.getInt());
  return std::nullopt;
}
