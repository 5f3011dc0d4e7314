//===- DecomposeBuilder.h - short words for decompositions ------*- C++ -*-===//
//
// Decompositions are linalg.generic ops over tensors of rows. This builder names the few shapes they come in.
// Every result row depends on its own row, its token, the keys and the weights alone, and sums run in index
// order.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_IR_DECOMPOSEBUILDER_H
#define LLMC_IR_DECOMPOSEBUILDER_H

#include "ir/LMOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace llmc::lm {

using Sizes = llvm::SmallVector<mlir::OpFoldResult>;
using Decomposed = llvm::FailureOr<llvm::SmallVector<mlir::Value>>;

class DecomposeBuilder : public mlir::ImplicitLocOpBuilder {
public:
  using Value = mlir::Value;
  using Body = llvm::function_ref<Value(mlir::ValueRange)>; // of the inputs' elements, then the output's
  DecomposeBuilder(mlir::OpBuilder &b, mlir::Location loc) : ImplicitLocOpBuilder(loc, b) {}

  // Scalars (f32).
  Value real(double x) {
    return mlir::arith::ConstantOp::create(*this, getF32FloatAttr(static_cast<float>(x)));
  }
  Value minusInfinity();
  Value add(Value a, Value b) { return mlir::arith::AddFOp::create(*this, a, b); }
  Value sub(Value a, Value b) { return mlir::arith::SubFOp::create(*this, a, b); }
  Value mul(Value a, Value b) { return mlir::arith::MulFOp::create(*this, a, b); }
  Value div(Value a, Value b) { return mlir::arith::DivFOp::create(*this, a, b); }
  Value maximum(Value a, Value b) { return mlir::arith::MaximumFOp::create(*this, a, b); }
  Value exp(Value a) { return mlir::math::ExpOp::create(*this, a); }
  Value tanh(Value a) { return mlir::math::TanhOp::create(*this, a); }
  Value select(Value c, Value a, Value b) { return mlir::arith::SelectOp::create(*this, c, a, b); }
  Value equal(Value a, Value b) {
    return mlir::arith::CmpFOp::create(*this, mlir::arith::CmpFPredicate::OEQ, a, b);
  }
  /// 1 / (1 + exp(-x))
  Value sigmoid(Value x);

  // Shapes.
  mlir::OpFoldResult size(Value tensor, int64_t dim) {
    return mlir::tensor::getMixedSize(*this, getLoc(), tensor, dim);
  }
  Sizes sizes(Value tensor) { return mlir::tensor::getMixedSizes(*this, getLoc(), tensor); }
  mlir::OpFoldResult index(int64_t n) { return getIndexAttr(n); }
  Value empty(llvm::ArrayRef<mlir::OpFoldResult> sizes) {
    return mlir::tensor::EmptyOp::create(*this, sizes, getF32Type());
  }
  Value filled(llvm::ArrayRef<mlir::OpFoldResult> sizes, Value x);
  /// [.., a * b, ..] => [.., a, b, ..], where b is `inner`.
  Value split(Value tensor, int64_t dim, int64_t inner);
  /// [T, a, b, ..] => [T, a * b * ..]
  Value flatten(Value tensor);
  /// A tensor of the result's type that differs at most in what is static.
  Value as(mlir::Type type, Value tensor);

  // Loops. Maps are given as the loop numbers of each operand's dimensions: inputs, then the output.
  using Dims = llvm::SmallVector<unsigned, 4>;
  /// All loops in `reduced` are sums or the like, from `init`; the others are rows of the output.
  Value generic(unsigned loops, mlir::ValueRange inputs, llvm::ArrayRef<Dims> maps, Value init,
                llvm::ArrayRef<unsigned> reduced, Body body);
  /// Elementwise on tensors of one shape.
  Value elementwise(mlir::ValueRange inputs, Body body);
  Value matmulTransposed(Value x, Value w); // x [T, K] * w [N, K]^T

  // Doors.
  Value weight(Value w);
  Value tokenRows(Value tokens) { return TokenRowsOp::create(*this, intRowsType(getContext(), 4), tokens); }
  /// One column of integer rows: tensor<?xi32>.
  Value column(Value rows, int64_t c);
};

/// The number an attribute stands for; nothing where it names a table.
std::optional<double> numberOf(mlir::Attribute attr);

} // namespace llmc::lm
#endif
