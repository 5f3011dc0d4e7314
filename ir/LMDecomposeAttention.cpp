//===- LMDecomposeAttention.cpp - what positions and attention mean -------===//
//
// Attention over T query rows and S keys, with query heads as kv_heads x g:
// 1. scores[h, g, t, s] = q . k * scale, soft-capped
// 2. -inf where row t does not see key s
// 3. p = exp(score - max), l = sum of p; a row without keys has p = 0
// 4. y = sum of p * v, over l
// Masked keys add exactly 0, so a row's bits do not depend on what else is in the step.
//
//===----------------------------------------------------------------------===//
#include "ir/DecomposeBuilder.h"
#include "ir/RotaryFrequencies.h"

#include <cmath>

using namespace mlir;
using namespace llmc::lm;

//===----------------------------------------------------------------------===//
// Rope
//===----------------------------------------------------------------------===//

Decomposed RopeOp::decompose(OpBuilder &builder) {
  DecomposeBuilder b(builder, getLoc());
  int64_t headDim = getHeadDim(), dims = getDims() ? static_cast<int64_t>(*getDims()) : headDim,
          pairs = dims / 2;
  std::optional<double> base = numberOf(getBase());
  if (!getFreqs() && !base)
    return failure();
  SmallVector<float> numbers = rotaryFrequencies(dims, base.value_or(0), getFreqs());
  Value freqs = arith::ConstantOp::create(
      b, DenseElementsAttr::get(RankedTensorType::get({pairs}, b.getF32Type()), ArrayRef<float>(numbers)));
  Value positions = b.column(b.tokenRows(getTokens()), 2);
  OpFoldResult rows = b.size(getX(), 0);
  // cos and sin of every (row, pair), shared by the heads.
  Sizes table{rows, b.index(pairs)};
  double factor = getFactor().convertToDouble();
  auto turn = [&](bool sine) {
    return b.generic(2, {positions, freqs}, {{0}, {1}, {0, 1}}, b.empty(table), {},
                     [&](ValueRange e) -> Value {
                       Value angle = b.mul(arith::SIToFPOp::create(b, b.getF32Type(), e[0]), e[1]);
                       Value value = sine ? math::SinOp::create(b, angle).getResult()
                                          : math::CosOp::create(b, angle).getResult();
                       return factor == 1 ? value : b.mul(value, b.real(factor));
                     });
  };
  Value cosines = turn(false), sines = turn(true);

  // The two halves of the pairs are slices of x [T, heads, head_dim]: beside each other or interleaved.
  int64_t heads = widthOf(getX()) / headDim;
  Value x = b.split(getX(), 1, headDim);
  bool half = getStyle() == "half";
  Sizes extents{rows, b.index(heads), b.index(pairs)};
  Sizes strides{b.index(1), b.index(1), b.index(half ? 1 : 2)};
  Sizes firstOffsets{b.index(0), b.index(0), b.index(0)},
      secondOffsets{b.index(0), b.index(0), b.index(half ? pairs : 1)};
  auto sliceType = RankedTensorType::get({ShapedType::kDynamic, heads, pairs}, b.getF32Type());
  Value first = tensor::ExtractSliceOp::create(b, sliceType, x, firstOffsets, extents, strides);
  Value second = tensor::ExtractSliceOp::create(b, sliceType, x, secondOffsets, extents, strides);
  auto rotate = [&](Value u, Value v, bool sum) {
    return b.generic(3, {u, v, cosines, sines}, {{0, 1, 2}, {0, 1, 2}, {0, 2}, {0, 2}, {0, 1, 2}},
                     b.empty(extents), {}, [&](ValueRange e) {
                       Value c = b.mul(e[0], e[2]), s = b.mul(e[1], e[3]);
                       return sum ? b.add(c, s) : b.sub(c, s);
                     });
  };
  Value y = dims == headDim ? b.empty(b.sizes(x)) : x;
  y = tensor::InsertSliceOp::create(b, rotate(first, second, false), y, firstOffsets, extents, strides);
  y = tensor::InsertSliceOp::create(b, rotate(second, first, true), y, secondOffsets, extents, strides);
  return SmallVector<Value>{b.as(getY().getType(), b.flatten(y))};
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

Decomposed AttentionOp::decompose(OpBuilder &builder) {
  DecomposeBuilder b(builder, getLoc());
  std::optional<double> window;
  if (getWindow() && !(window = numberOf(*getWindow())))
    return failure();
  int64_t heads = getHeads(), kvHeads = getKvHeads(), perKv = heads / kvHeads;
  int64_t dimK = widthOf(getQ()) / heads, dimV = widthOf(getV()) / kvHeads;
  OpFoldResult rows = b.size(getQ(), 0), keys = b.size(getKeys(), 0);

  // q [T, h, g, d], k and v [S, h, d]
  Value q = b.split(b.split(getQ(), 1, dimK), 1, perKv);
  Value k = b.split(getK(), 1, dimK), v = b.split(getV(), 1, dimV);
  Value tokenRows = b.tokenRows(getTokens());
  Value tokenSequence = b.column(tokenRows, 1), tokenPosition = b.column(tokenRows, 2);
  Value keySequence = b.column(getKeys(), 0), keyPosition = b.column(getKeys(), 1);

  using Dims = DecomposeBuilder::Dims;
  const Dims hgts{0, 1, 2, 3}, hgt{0, 1, 2}, t{2}, s{3};
  Sizes scoreSizes{b.index(kvHeads), b.index(perKv), rows, keys};
  Sizes rowSizes{b.index(kvHeads), b.index(perKv), rows};
  Value dots = b.generic(5, {q, k}, {{2, 0, 1, 4}, {3, 0, 4}, hgts}, b.filled(scoreSizes, b.real(0)), {4},
                         [&](ValueRange e) { return b.add(e[2], b.mul(e[0], e[1])); });
  double scale = getScale().convertToDouble();
  Value scores = b.generic(
      4, {dots, tokenSequence, tokenPosition, keySequence, keyPosition}, {hgts, t, t, s, s, hgts},
      b.empty(scoreSizes), {}, [&](ValueRange e) {
        Value score = b.mul(e[0], b.real(scale));
        if (getSoftcap()) {
          Value cap = b.real(getSoftcap()->convertToDouble());
          score = b.mul(b.tanh(b.div(score, cap)), cap);
        }
        Value visible = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, e[1], e[3]);
        auto both = [&](Value condition) { visible = arith::AndIOp::create(b, visible, condition); };
        if (getMask() == "causal")
          both(arith::CmpIOp::create(b, arith::CmpIPredicate::sle, e[4], e[2]));
        if (window) {
          Value reach = arith::ConstantOp::create(b, b.getI32IntegerAttr(static_cast<int32_t>(*window)));
          both(arith::CmpIOp::create(b, arith::CmpIPredicate::slt, arith::SubIOp::create(b, e[2], e[4]),
                                     reach));
        }
        return b.select(visible, score, b.minusInfinity());
      });

  // The largest logit of each row, the sink's included.
  Value sinks = getSinks() ? b.split(b.weight(getSinks()), 0, perKv) : Value();
  Value start =
      sinks ? b.generic(3, sinks, {{0, 1}, hgt}, b.empty(rowSizes), {}, [](ValueRange e) { return e[0]; })
            : b.filled(rowSizes, b.minusInfinity());
  Value top =
      b.generic(4, scores, {hgts, hgt}, start, {3}, [&](ValueRange e) { return b.maximum(e[1], e[0]); });
  // exp(-inf - -inf) is no number, so masked keys are told apart before it.
  Value weights = b.generic(4, {scores, top}, {hgts, hgt, hgts}, b.empty(scoreSizes), {}, [&](ValueRange e) {
    return b.select(b.equal(e[0], b.minusInfinity()), b.real(0), b.exp(b.sub(e[0], e[1])));
  });
  Value first = sinks ? b.generic(3, {sinks, top}, {{0, 1}, hgt, hgt}, b.empty(rowSizes), {},
                                  [&](ValueRange e) { return b.exp(b.sub(e[0], e[1])); })
                      : b.filled(rowSizes, b.real(0));
  Value total =
      b.generic(4, weights, {hgts, hgt}, first, {3}, [&](ValueRange e) { return b.add(e[1], e[0]); });
  Sizes outSizes{rows, b.index(kvHeads), b.index(perKv), b.index(dimV)};
  Value mixed =
      b.generic(5, {weights, v}, {{1, 2, 0, 4}, {4, 1, 3}, {0, 1, 2, 3}}, b.filled(outSizes, b.real(0)), {4},
                [&](ValueRange e) { return b.add(e[2], b.mul(e[0], e[1])); });
  Value y = b.generic(
      4, {mixed, total}, {{0, 1, 2, 3}, {1, 2, 0}, {0, 1, 2, 3}}, b.empty(outSizes), {},
      [&](ValueRange e) { return b.select(b.equal(e[1], b.real(0)), b.real(0), b.div(e[0], e[1])); });
  return SmallVector<Value>{b.as(getY().getType(), b.flatten(y))};
}

Decomposed CachedAttentionOp::decompose(OpBuilder &builder) {
  DecomposeBuilder b(builder, getLoc());
  int64_t headDim = widthOf(getQ()) / static_cast<int64_t>(getHeads());
  auto normed = [&](Value x, Value gain) -> Value {
    if (!getNormEps())
      return x;
    return RMSNormOp::create(b, x.getType(), x, gain, getNormEpsAttr(), getNormPlusOneAttr(),
                             b.getI64IntegerAttr(headDim));
  };
  auto rotated = [&](Value x) -> Value {
    if (!getRopeBase() && !getRopeFreqs())
      return x;
    StringAttr style = getRopeStyleAttr() ? getRopeStyleAttr() : b.getStringAttr("half");
    Attribute base = getRopeBaseAttr() ? getRopeBaseAttr() : b.getF64FloatAttr(1);
    FloatAttr factor = getRopeFactorAttr() ? getRopeFactorAttr() : b.getF64FloatAttr(1);
    return RopeOp::create(b, x.getType(), x, getTokens(), b.getI64IntegerAttr(headDim), style,
                          getRopeDimsAttr(), base, getRopeFreqsAttr(), factor);
  };
  Value q = rotated(normed(getQ(), getQGain())), k = rotated(normed(getK(), getKGain()));
  KVAppendOp::create(b, getCacheAttr(), k, getV(), getTokens());
  auto view = KVViewOp::create(b, k.getType(), getV().getType(), intRowsType(b.getContext(), 2),
                               getCacheAttr(), getTokens());
  return SmallVector<Value>{AttentionOp::create(
      b, getY().getType(), q, view.getK(), view.getV(), view.getKeys(), getTokens(), getSinks(),
      getHeadsAttr(), getKvHeadsAttr(), getScaleAttr(), getMaskAttr(), getWindowAttr(), getSoftcapAttr())};
}
