//===- LMDecompose.cpp - what the ops mean: rows, columns, matmuls --------===//
//
// Elementwise ops, embeddings, the plain matmul, and the fused ops, which become what they were made from.
// Norms are in LMDecomposeNorm.cpp, positions and attention in LMDecomposeAttention.cpp.
//
//===----------------------------------------------------------------------===//
#include "ir/DecomposeBuilder.h"

using namespace mlir;
using namespace llmc::lm;

/// The result of an op that works on each element by itself.
static Decomposed unary(Operation *op, OpBuilder &builder,
                        llvm::function_ref<Value(DecomposeBuilder &, Value)> f) {
  DecomposeBuilder b(builder, op->getLoc());
  return SmallVector<Value>{b.elementwise(op->getOperand(0), [&](ValueRange e) { return f(b, e[0]); })};
}

static Decomposed binary(Operation *op, OpBuilder &builder,
                         llvm::function_ref<Value(DecomposeBuilder &, Value, Value)> f) {
  DecomposeBuilder b(builder, op->getLoc());
  return SmallVector<Value>{b.elementwise(op->getOperands(), [&](ValueRange e) { return f(b, e[0], e[1]); })};
}

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

Decomposed AddOp::decompose(OpBuilder &builder) {
  return binary(*this, builder, [](DecomposeBuilder &b, Value x, Value y) { return b.add(x, y); });
}

Decomposed MulOp::decompose(OpBuilder &builder) {
  return binary(*this, builder, [](DecomposeBuilder &b, Value x, Value y) { return b.mul(x, y); });
}

Decomposed ScaleOp::decompose(OpBuilder &builder) {
  double factor = getFactor().convertToDouble();
  return unary(*this, builder, [&](DecomposeBuilder &b, Value x) { return b.mul(x, b.real(factor)); });
}

Decomposed ClampOp::decompose(OpBuilder &builder) {
  double low = getMin().convertToDouble(), high = getMax().convertToDouble();
  return unary(*this, builder, [&](DecomposeBuilder &b, Value x) -> Value {
    return arith::MinimumFOp::create(b, b.maximum(x, b.real(low)), b.real(high));
  });
}

Decomposed SoftcapOp::decompose(OpBuilder &builder) {
  double cap = getCap().convertToDouble();
  return unary(*this, builder, [&](DecomposeBuilder &b, Value x) {
    return b.mul(b.tanh(b.div(x, b.real(cap))), b.real(cap));
  });
}

Decomposed ReluOp::decompose(OpBuilder &builder) {
  return unary(*this, builder, [](DecomposeBuilder &b, Value x) { return b.maximum(x, b.real(0)); });
}

Decomposed Relu2Op::decompose(OpBuilder &builder) {
  return unary(*this, builder, [](DecomposeBuilder &b, Value x) {
    Value positive = b.maximum(x, b.real(0));
    return b.mul(positive, positive);
  });
}

Decomposed SigmoidOp::decompose(OpBuilder &builder) {
  return unary(*this, builder, [](DecomposeBuilder &b, Value x) { return b.sigmoid(x); });
}

Decomposed SiluOp::decompose(OpBuilder &builder) {
  return unary(*this, builder, [](DecomposeBuilder &b, Value x) {
    return b.div(x, b.add(b.real(1), b.exp(arith::NegFOp::create(b, x))));
  });
}

Decomposed TanhOp::decompose(OpBuilder &builder) {
  return unary(*this, builder, [](DecomposeBuilder &b, Value x) { return b.tanh(x); });
}

Decomposed GeluOp::decompose(OpBuilder &builder) {
  constexpr double sqrtHalf = 0.70710678118654752440, sqrtTwoByPi = 0.79788456080286535588;
  StringRef form = getForm();
  return unary(*this, builder, [&](DecomposeBuilder &b, Value x) -> Value {
    if (form == "quick")
      return b.div(x, b.add(b.real(1), b.exp(b.mul(x, b.real(-1.702)))));
    Value inner;
    if (form == "tanh") {
      Value cube = b.mul(b.mul(x, x), x);
      inner = b.tanh(b.mul(b.real(sqrtTwoByPi), b.add(x, b.mul(b.real(0.044715), cube))));
    } else {
      inner = math::ErfOp::create(b, b.mul(x, b.real(sqrtHalf)));
    }
    return b.mul(b.mul(b.real(0.5), x), b.add(b.real(1), inner));
  });
}

//===----------------------------------------------------------------------===//
// Columns
//===----------------------------------------------------------------------===//

Decomposed SliceOp::decompose(OpBuilder &builder) {
  DecomposeBuilder b(builder, getLoc());
  int64_t from = getFrom(), width = static_cast<int64_t>(getTo()) - from;
  Sizes offsets{b.index(0), b.index(from)}, extents{b.size(getX(), 0), b.index(width)}, ones(2, b.index(1));
  return SmallVector<Value>{tensor::ExtractSliceOp::create(b, cast<RankedTensorType>(getY().getType()),
                                                           getX(), offsets, extents, ones)};
}

Decomposed ConcatOp::decompose(OpBuilder &builder) {
  DecomposeBuilder b(builder, getLoc());
  OpFoldResult rows = b.size(getParts().front(), 0);
  Value y = b.empty({rows, b.index(widthOf(getY()))});
  int64_t from = 0;
  for (Value part : getParts()) {
    Sizes offsets{b.index(0), b.index(from)}, extents{rows, b.index(widthOf(part))}, ones(2, b.index(1));
    y = tensor::InsertSliceOp::create(b, part, y, offsets, extents, ones);
    from += widthOf(part);
  }
  return SmallVector<Value>{y};
}

//===----------------------------------------------------------------------===//
// Embeddings
//===----------------------------------------------------------------------===//

/// y[t, j] = f(w[row(tokens[t, column]), j])
static Value gather(DecomposeBuilder &b, Value tokens, int64_t column, Value w,
                    llvm::function_ref<Value(Value)> row, llvm::function_ref<Value(Value)> f) {
  Value numbers = b.column(b.tokenRows(tokens), column), table = b.weight(w);
  int64_t width = cast<WeightType>(w.getType()).dim(1);
  return b.generic(2, numbers, {{0}, {0, 1}}, b.empty({b.size(numbers, 0), b.index(width)}), {},
                   [&](ValueRange e) -> Value {
                     Value i = arith::IndexCastOp::create(b, b.getIndexType(), row(e[0]));
                     Value j = linalg::IndexOp::create(b, 1);
                     return f(tensor::ExtractOp::create(b, table, ValueRange{i, j}));
                   });
}

Decomposed EmbedOp::decompose(OpBuilder &builder) {
  DecomposeBuilder b(builder, getLoc());
  double scale = getScale().convertToDouble();
  Value y = gather(
      b, getTokens(), 0, getW(), [](Value id) { return id; },
      [&](Value x) { return scale == 1 ? x : b.mul(x, b.real(scale)); });
  return SmallVector<Value>{y};
}

Decomposed PositionEmbedOp::decompose(OpBuilder &builder) {
  DecomposeBuilder b(builder, getLoc());
  auto i32 = [&](int64_t x) {
    return arith::ConstantOp::create(b, b.getI32IntegerAttr(static_cast<int32_t>(x)));
  };
  int64_t offset = static_cast<int64_t>(getOffset()), last = cast<WeightType>(getW().getType()).dim(0) - 1;
  Value y = gather(
      b, getTokens(), 2, getW(),
      [&](Value position) -> Value {
        Value row = arith::AddIOp::create(b, position, i32(offset));
        return arith::MinSIOp::create(b, arith::MaxSIOp::create(b, row, i32(0)), i32(last));
      },
      [](Value x) { return x; });
  return SmallVector<Value>{y};
}

//===----------------------------------------------------------------------===//
// Matmul
//===----------------------------------------------------------------------===//

Decomposed LinearOp::decompose(OpBuilder &builder) {
  DecomposeBuilder b(builder, getLoc());
  Value y = b.matmulTransposed(getX(), b.weight(getW()));
  if (getB())
    y = b.generic(2, {y, b.weight(getB())}, {{0, 1}, {1}, {0, 1}}, b.empty(b.sizes(y)), {},
                  [&](ValueRange e) { return b.add(e[0], e[1]); });
  return SmallVector<Value>{y};
}

/// act(x) as an op of the dialect.
static Value activate(DecomposeBuilder &b, StringRef act, Value x) {
  Type type = x.getType();
  if (act == "relu")
    return ReluOp::create(b, type, x);
  if (act == "relu2")
    return Relu2Op::create(b, type, x);
  if (act == "silu")
    return SiluOp::create(b, type, x);
  if (act == "sigmoid")
    return SigmoidOp::create(b, type, x);
  if (act == "tanh")
    return TanhOp::create(b, type, x);
  if (act.consume_front("gelu")) {
    act.consume_front("_");
    return GeluOp::create(b, type, x, act.empty() ? "erf" : act);
  }
  return x;
}

Decomposed FusedLinearOp::decompose(OpBuilder &builder) {
  DecomposeBuilder b(builder, getLoc());
  Value x = getX();
  if (getNorm() != "none" && !getEps())
    return failure();
  if (getNorm() == "rms")
    x = RMSNormOp::create(b, x.getType(), x, getGain(), getEpsAttr(), getPlusOneAttr(), IntegerAttr());
  else if (getNorm() == "layer")
    x = LayerNormOp::create(b, x.getType(), x, getGain(), getNormBias(), getEpsAttr(), IntegerAttr());
  SmallVector<Value> products, results;
  for (auto [i, w] : llvm::enumerate(getWeights())) {
    Type type = rowsOf(w.getType(), 0);
    products.push_back(LinearOp::create(b, type, x, w, getBiases().empty() ? Value() : getBiases()[i]));
  }
  for (size_t i = 0; i < products.size(); i += getGlu() ? 2 : 1) {
    Value y = activate(b, getAct(), products[i]);
    if (getGlu())
      y = MulOp::create(b, y.getType(), y, products[i + 1]);
    if (getScale())
      y = ScaleOp::create(b, y.getType(), y, getScaleAttr());
    results.push_back(y);
  }
  if (getResidual())
    results[0] = AddOp::create(b, results[0].getType(), getResidual(), results[0]);
  return results;
}
