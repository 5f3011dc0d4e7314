//===- MathPoly.h - elementary functions as polynomials ---------*- C++ -*-===//
//
// exp, log, tanh, erf, sin, cos and what follows from them, built from arithmetic alone on f32 scalars or
// vectors: the same bits on every target and no libm. Errors are those that tests/codegen/math_poly_test.cpp
// holds.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_EMIT_MATHPOLY_H
#define LLMC_CODEGEN_EMIT_MATHPOLY_H

#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/PatternMatch.h"

namespace llmc::emit {

mlir::Value buildExp(mlir::ImplicitLocOpBuilder &b, mlir::Value x);
mlir::Value buildExp2(mlir::ImplicitLocOpBuilder &b, mlir::Value x);
mlir::Value buildLog(mlir::ImplicitLocOpBuilder &b, mlir::Value x);
mlir::Value buildTanh(mlir::ImplicitLocOpBuilder &b, mlir::Value x);
mlir::Value buildErf(mlir::ImplicitLocOpBuilder &b, mlir::Value x);
mlir::Value buildSigmoid(mlir::ImplicitLocOpBuilder &b, mlir::Value x);
/// Sine and cosine; accurate for |x| <= 1e5.
std::pair<mlir::Value, mlir::Value> buildSinCos(mlir::ImplicitLocOpBuilder &b, mlir::Value x);
/// Nearest integer, ties to even, as a float; for |x| < 2^22.
mlir::Value buildRound(mlir::ImplicitLocOpBuilder &b, mlir::Value x);

/// math.exp, exp2, log, tanh, erf, sin, cos, rsqrt, sqrt and powf of f32 scalars and vectors => the functions
/// above.
void populateMathToPolyPatterns(mlir::RewritePatternSet &patterns);

} // namespace llmc::emit
#endif
