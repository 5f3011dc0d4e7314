//===- MathPoly.cpp - elementary functions as polynomials -----------------===//
//
// Coefficients are near-minimax fits, found by reweighted least squares at 40 digits on slightly widened
// intervals.
//
//===----------------------------------------------------------------------===//
#include "codegen/emit/MathPoly.h"

#include "codegen/emit/KernelArguments.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <limits>

using namespace mlir;
using arith::CmpFPredicate;

namespace llmc::emit {
namespace {

constexpr double log2e = 1.44269504088896341, infinity = std::numeric_limits<double>::infinity();
constexpr double ln2High = 0.693147182464599609375,
                 ln2Low = -1.90465421e-9;    // fma: no need for trailing zeros
constexpr double roundingShift = 12582912.0; // 1.5 * 2^23
constexpr int64_t roundingShiftBits = 0x4b400000;

/// The builder of kernels with a value's shape, scalar or vector, in mind.
struct Shaped : Emitter {
  Type type, intType;
  Shaped(ImplicitLocOpBuilder &b, Value x) : Emitter(b), type(x.getType()) {
    auto vector = dyn_cast<VectorType>(type);
    intType =
        vector ? Type(VectorType::get(vector.getShape(), getI32Type(), vector.getScalableDims())) : i32();
  }
  Value k(double value) { return real(type, value); }
  Value n(int64_t value) { return splat(intType, value); }
  Value asInt(Value x) { return arith::BitcastOp::create(*this, intType, x); }
  Value asFloat(Value x) { return arith::BitcastOp::create(*this, type, x); }
  Value shl(Value x, int64_t by) { return arith::ShLIOp::create(*this, x, n(by)); }
  Value shr(Value x, int64_t by) { return arith::ShRSIOp::create(*this, x, n(by)); }
  Value bitAnd(Value x, int64_t mask) { return arith::AndIOp::create(*this, x, n(mask)); }
  Value bitXor(Value x, Value y) { return arith::XOrIOp::create(*this, x, y); }
  /// c[0] + c[1] x + ..., by Horner's rule.
  Value poly(Value x, ArrayRef<double> coefficients) {
    Value sum = k(coefficients.back());
    for (double coefficient : llvm::reverse(coefficients.drop_back()))
      sum = fma(sum, x, k(coefficient));
    return sum;
  }
  /// Limits to [low, high]; NaN stays.
  Value clamp(Value x, double low, double high) {
    x = select(less(CmpFPredicate::OGT, x, k(high)), k(high), x);
    return select(less(CmpFPredicate::OLT, x, k(low)), k(low), x);
  }
  /// Nearest integer as a float and as bits; |x| < 2^22. NaN gives NaN and some integer.
  std::pair<Value, Value> round(Value x) {
    Value shifted = addf(x, roundingShift);
    return {subf(shifted, k(roundingShift)), sub(asInt(shifted), n(roundingShiftBits))};
  }
  /// y * 2^e in two steps, so that results beyond the normal range come out as infinity or subnormal.
  Value scale(Value y, Value e) {
    Value first = shr(e, 1), second = sub(e, first);
    y = mulf(y, asFloat(shl(add(first, 127), 23)));
    return mulf(y, asFloat(shl(add(second, 127), 23)));
  }
  Value withSignOf(Value magnitude, Value sign) {
    return asFloat(arith::OrIOp::create(*this, asInt(magnitude), bitAnd(asInt(sign), int64_t(INT32_MIN))));
  }
  /// exp(r) for |r| <= ln2 / 2.
  Value expReduced(Value r) {
    Value p = poly(r, {0.5, 0.166665122, 0.0416661873, 0.00836959947, 0.00139517069});
    return addf(fma(mulf(r, r), p, r), 1.0);
  }
};

} // namespace

Value buildRound(ImplicitLocOpBuilder &b, Value x) { return Shaped(b, x).round(x).first; }

// exp(x) = 2^n exp(r), n = round(x / ln 2), r = x - n ln 2
Value buildExp(ImplicitLocOpBuilder &b, Value x) {
  Shaped s(b, x);
  x = s.clamp(x, -110, 100);
  auto [n, e] = s.round(s.mulf(x, log2e));
  Value r = s.fma(n, s.k(-ln2High), x);
  r = s.fma(n, s.k(-ln2Low), r);
  return s.scale(s.expReduced(r), e);
}

Value buildExp2(ImplicitLocOpBuilder &b, Value x) {
  Shaped s(b, x);
  x = s.clamp(x, -160, 140);
  auto [n, e] = s.round(x);
  return s.scale(s.expReduced(s.mulf(s.subf(x, n), 0.693147180559945309)), e);
}

// log(2^e m) = e ln 2 + log m, m in [sqrt(1/2), sqrt(2))
Value buildLog(ImplicitLocOpBuilder &b, Value x) {
  Shaped s(b, x);
  Value tiny = s.less(CmpFPredicate::OLT, x, s.k(1.17549435e-38));
  Value bits = s.asInt(s.select(tiny, s.mulf(x, 0x1p32), x));
  // Subtracting the bits of sqrt(1/2) makes the exponent field count from there.
  Value shifted = s.sub(bits, s.n(0x3f3504f3));
  Value e = arith::SIToFPOp::create(s, s.type, s.sub(s.shr(shifted, 23), s.select(tiny, s.n(32), s.n(0))));
  Value f = s.addf(s.asFloat(s.add(s.bitAnd(shifted, 0x7fffff), 0x3f3504f3)), -1.0);
  Value p = s.poly(f, {0.333333105, -0.249999851, 0.200022742, -0.166693553, 0.142177045, -0.123818249,
                       0.118780099, -0.118077807, 0.0692556649});
  Value square = s.mulf(f, f);
  Value tail = s.fma(s.mulf(square, f), p, s.fma(square, s.k(-0.5), s.mulf(e, ln2Low)));
  Value y = s.fma(e, s.k(ln2High), s.addf(f, tail));
  y = s.select(s.less(CmpFPredicate::OEQ, x, s.k(infinity)), x, y);
  y = s.select(s.less(CmpFPredicate::OEQ, x, s.k(0)), s.k(-infinity), y);
  // Negative or NaN.
  return s.select(s.less(CmpFPredicate::UGE, x, s.k(0)), s.select(s.less(CmpFPredicate::UNO, x, x), x, y),
                  s.k(std::numeric_limits<double>::quiet_NaN()));
}

// tanh x = x + x^3 P(x^2) for small |x|, else 1 - 2 / (exp(2|x|) + 1) with the sign of x
Value buildTanh(ImplicitLocOpBuilder &b, Value x) {
  Shaped s(b, x);
  Value t = s.abs(x), square = s.mulf(x, x);
  Value p =
      s.poly(square, {-0.333333313, 0.133332103, -0.0539472029, 0.0217029601, -0.00818265695, 0.00214752229});
  Value small = s.fma(s.mulf(square, x), p, x);
  Value e = buildExp(b, s.mulf(t, 2.0));
  Value large = s.subf(s.k(1), s.divf(s.k(2), s.addf(e, 1.0)));
  return s.select(s.less(CmpFPredicate::OLT, t, s.k(0.625)), small, s.withSignOf(large, x));
}

// erf x = x + x P(x^2) for |x| < 1, else 1 - exp(Q(|x|)), Q ~ log(erfc)
Value buildErf(ImplicitLocOpBuilder &b, Value x) {
  Shaped s(b, x);
  Value t = s.abs(x), square = s.mulf(x, x);
  Value small = s.fma(s.poly(square, {0.128379166, -0.37612626, 0.112836003, -0.0268544443, 0.00518953474,
                                      -0.000802083639, 7.88910256e-05}),
                      x, x);
  Value q = s.poly(s.clamp(t, 0, 4), {0.000183449607, -1.12955689, -0.633262575, -0.108372547, 0.0251790117,
                                      -0.00419362821, 0.000439110096, -2.14964512e-05});
  Value large = s.withSignOf(s.subf(s.k(1), buildExp(b, q)), x);
  return s.select(s.less(CmpFPredicate::OLT, t, s.k(1)), small, large);
}

// 1 / (1 + exp(-x))
Value buildSigmoid(ImplicitLocOpBuilder &b, Value x) {
  Shaped s(b, x);
  return s.divf(s.k(1), s.addf(buildExp(b, s.negate(x)), 1.0));
}

// x = n pi/2 + r: the quadrant n mod 4 says which polynomial and which sign
std::pair<Value, Value> buildSinCos(ImplicitLocOpBuilder &b, Value x) {
  Shaped s(b, x);
  // Far outside the accurate range the quadrant would overflow: it is limited, the result then means nothing.
  auto [n, quadrant] = s.round(s.mulf(s.clamp(x, -4e6, 4e6), 0.636619772367581343));
  // Three parts of pi/2. With fma the first product subtracts exactly, whatever n < 2^18 is.
  Value r = s.fma(n, s.k(-1.57079637050628662109375), x);
  r = s.fma(n, s.k(4.37113882867379e-08), r);
  r = s.fma(n, s.k(1.71512451e-15), r);
  Value square = s.mulf(r, r);
  Value sine = s.fma(s.mulf(square, r),
                     s.poly(square, {-0.166666672, 0.00833332911, -0.000198392561, 2.71756403e-06}), r);
  Value cosine = s.fma(s.mulf(square, square),
                       s.poly(square, {0.0416666679, -0.00138888834, 2.47994358e-05, -2.72032963e-07}),
                       s.fma(square, s.k(-0.5), s.k(1)));
  Value odd = s.equal(s.bitAnd(quadrant, 1), s.n(1));
  auto flip = [&](Value v, Value q) { return s.asFloat(s.bitXor(s.asInt(v), s.shl(s.bitAnd(q, 2), 30))); };
  return {flip(s.select(odd, cosine, sine), quadrant), flip(s.select(odd, sine, cosine), s.add(quadrant, 1))};
}

namespace {

/// math.<op>(x) => its polynomial, for f32 and vectors of f32.
template <typename Op> struct RewriteWithPolynomial : OpRewritePattern<Op> {
  using Build = Value (*)(ImplicitLocOpBuilder &, ValueRange);
  Build build;
  RewriteWithPolynomial(MLIRContext *context, Build build) : OpRewritePattern<Op>(context), build(build) {}
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getType()).isF32() || isa<TensorType>(op.getType()))
      return rewriter.notifyMatchFailure(op, "not f32");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    rewriter.replaceOp(op, build(b, op->getOperands()));
    return success();
  }
};

Value buildSqrt(ImplicitLocOpBuilder &b, Value x) { return LLVM::SqrtOp::create(b, x.getType(), x); }

} // namespace

void populateMathToPolyPatterns(RewritePatternSet &patterns) {
  using B = ImplicitLocOpBuilder;
  MLIRContext *context = patterns.getContext();
  patterns.add<RewriteWithPolynomial<math::ExpOp>>(context,
                                                   [](B &b, ValueRange x) { return buildExp(b, x[0]); });
  patterns.add<RewriteWithPolynomial<math::Exp2Op>>(context,
                                                    [](B &b, ValueRange x) { return buildExp2(b, x[0]); });
  patterns.add<RewriteWithPolynomial<math::LogOp>>(context,
                                                   [](B &b, ValueRange x) { return buildLog(b, x[0]); });
  patterns.add<RewriteWithPolynomial<math::TanhOp>>(context,
                                                    [](B &b, ValueRange x) { return buildTanh(b, x[0]); });
  patterns.add<RewriteWithPolynomial<math::ErfOp>>(context,
                                                   [](B &b, ValueRange x) { return buildErf(b, x[0]); });
  patterns.add<RewriteWithPolynomial<math::SinOp>>(
      context, [](B &b, ValueRange x) { return buildSinCos(b, x[0]).first; });
  patterns.add<RewriteWithPolynomial<math::CosOp>>(
      context, [](B &b, ValueRange x) { return buildSinCos(b, x[0]).second; });
  patterns.add<RewriteWithPolynomial<math::SqrtOp>>(context,
                                                    [](B &b, ValueRange x) { return buildSqrt(b, x[0]); });
  patterns.add<RewriteWithPolynomial<math::RsqrtOp>>(context, [](B &b, ValueRange x) {
    Shaped s(b, x[0]);
    return s.divf(s.k(1), buildSqrt(b, x[0]));
  });
  // x^y = exp(y log x) for x > 0; relative error grows with |y log x|.
  patterns.add<RewriteWithPolynomial<math::PowFOp>>(context, [](B &b, ValueRange x) {
    Shaped s(b, x[0]);
    return buildExp(b, s.mulf(x[1], buildLog(b, x[0])));
  });
}

} // namespace llmc::emit
