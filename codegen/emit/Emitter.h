//===- Emitter.h - short words for building kernels -------------*- C++ -*-===//
//
// Kernels are functions (llvm.func, gpu.func) over pointers and i64, with scf loops and arith/vector
// operations inside. This builder names the few things they are made of. No fast-math flag is ever set: what
// is written is what runs.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_EMIT_EMITTER_H
#define LLMC_CODEGEN_EMIT_EMITTER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace llmc::emit {

using Values = llvm::SmallVector<mlir::Value>;

/// Width of every vector of the kernels; an instruction set with shorter registers splits it.
constexpr int64_t lanes = 16;
constexpr int64_t roundUp(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }
/// Bytes of a row of `width` floats in a buffer.
constexpr int64_t rowStride(int64_t width) { return roundUp(width, lanes) * 4; }

class Emitter : public mlir::ImplicitLocOpBuilder {
public:
  using Value = mlir::Value;
  using ImplicitLocOpBuilder::ImplicitLocOpBuilder;
  explicit Emitter(const mlir::ImplicitLocOpBuilder &b) : ImplicitLocOpBuilder(b) {}

  // Types.
  mlir::Type ptr() { return mlir::LLVM::LLVMPointerType::get(getContext()); }
  mlir::Type i1() { return getI1Type(); }
  mlir::Type i8() { return getI8Type(); }
  mlir::Type i16() { return getI16Type(); }
  mlir::Type i32() { return getI32Type(); }
  mlir::Type i64() { return getI64Type(); }
  mlir::Type f16() { return getF16Type(); }
  mlir::Type f32() { return getF32Type(); }
  mlir::VectorType vec(int64_t n, mlir::Type t) { return mlir::VectorType::get({n}, t); }
  mlir::VectorType floats() { return vec(lanes, f32()); }

  // Constants. `splat` and `real` take a scalar or vector type.
  Value c(int64_t value) { return splat(i64(), value); }
  Value splat(mlir::Type type, int64_t value);
  Value real(mlir::Type type, double value);
  Value zeros() { return real(floats(), 0); }
  /// 0, 1, ..., 15 as i32.
  Value iota();

  // Integers.
  Value add(Value a, Value b) { return mlir::arith::AddIOp::create(*this, a, b); }
  Value sub(Value a, Value b) { return mlir::arith::SubIOp::create(*this, a, b); }
  Value mul(Value a, Value b) { return mlir::arith::MulIOp::create(*this, a, b); }
  Value add(Value a, int64_t b) { return b ? add(a, splat(a.getType(), b)) : a; }
  Value sub(Value a, int64_t b) { return b ? sub(a, splat(a.getType(), b)) : a; }
  Value mul(Value a, int64_t b) { return b == 1 ? a : mul(a, splat(a.getType(), b)); }
  Value div(Value a, int64_t b) { return mlir::arith::DivUIOp::create(*this, a, splat(a.getType(), b)); }
  Value div(Value a, Value b) { return mlir::arith::DivUIOp::create(*this, a, b); }
  Value rem(Value a, int64_t b) { return mlir::arith::RemUIOp::create(*this, a, splat(a.getType(), b)); }
  Value min(Value a, Value b) { return mlir::arith::MinSIOp::create(*this, a, b); }
  Value max(Value a, Value b) { return mlir::arith::MaxSIOp::create(*this, a, b); }
  Value widen(Value v) { return mlir::arith::ExtSIOp::create(*this, i64(), v); } // i32 -> i64
  Value compare(mlir::arith::CmpIPredicate p, Value a, Value b) {
    return mlir::arith::CmpIOp::create(*this, p, a, b);
  }
  Value less(Value a, Value b) { return compare(mlir::arith::CmpIPredicate::slt, a, b); }
  Value equal(Value a, Value b) { return compare(mlir::arith::CmpIPredicate::eq, a, b); }
  Value both(Value a, Value b) { return mlir::arith::AndIOp::create(*this, a, b); }

  // f32, scalar or vector.
  Value addf(Value a, Value b) { return mlir::arith::AddFOp::create(*this, a, b); }
  Value subf(Value a, Value b) { return mlir::arith::SubFOp::create(*this, a, b); }
  Value mulf(Value a, Value b) { return mlir::arith::MulFOp::create(*this, a, b); }
  Value divf(Value a, Value b) { return mlir::arith::DivFOp::create(*this, a, b); }
  Value mulf(Value a, double b) { return mulf(a, real(a.getType(), b)); }
  Value addf(Value a, double b) { return addf(a, real(a.getType(), b)); }
  Value fma(Value a, Value b, Value c);
  Value maxf(Value a, Value b); // a > b ? a : b
  Value sqrt(Value a) { return mlir::LLVM::SqrtOp::create(*this, a.getType(), a); }
  Value abs(Value a) { return mlir::LLVM::FAbsOp::create(*this, a.getType(), a); }
  Value negate(Value a) { return mlir::arith::NegFOp::create(*this, a); }
  Value less(mlir::arith::CmpFPredicate p, Value a, Value b) {
    return mlir::arith::CmpFOp::create(*this, p, a, b);
  }
  /// bf16 numbers as i16, rounded to nearest, ties to even: CPUs without bf16 would call a library function.
  Value truncToBF16(Value f32);
  Value extendBF16(Value i16);
  /// f32 to f16, to nearest, ties to even; what it cannot hold becomes its largest number, a NaN stays one.
  Value truncToF16(Value f32);
  Value select(Value condition, Value a, Value b) {
    return mlir::arith::SelectOp::create(*this, condition, a, b);
  }

  // Vectors.
  Value broadcast(Value scalar, int64_t n = lanes) {
    return mlir::vector::BroadcastOp::create(*this, vec(n, scalar.getType()), scalar);
  }
  Value bitcast(Value v, mlir::VectorType t) { return mlir::vector::BitCastOp::create(*this, t, v); }
  Value slice(Value v, int64_t first, int64_t n);
  Value concat(Value a, Value b);
  Value element(Value v, int64_t i) {
    return mlir::vector::ExtractOp::create(*this, v, mlir::ArrayRef<int64_t>{i});
  }
  /// Folds 16 lanes to a scalar, halves onto halves: the one order of every reduction.
  Value foldLanes(Value v, llvm::function_ref<Value(Value, Value)> combine);
  Value sumLanes(Value v) {
    return foldLanes(v, [&](Value a, Value b) {
      return mlir::isa<mlir::FloatType>(mlir::getElementTypeOrSelf(a.getType())) ? addf(a, b) : add(a, b);
    });
  }
  Value maxLanes(Value v) {
    return foldLanes(v, [&](Value a, Value b) { return maxf(a, b); });
  }

  // Memory.
  Value at(Value pointer, Value bytes);
  Value at(Value pointer, int64_t bytes);
  Value load(mlir::Type type, Value pointer, int64_t offset = 0, unsigned alignment = 0);
  void store(Value v, Value pointer, int64_t offset = 0, unsigned alignment = 0);
  /// 16 floats, or 16 halves widened.
  Value loadFloats(Value pointer, int64_t offset = 0, bool halves = false);
  Value scratch(int64_t bytes); // of the stack; call in the entry block
  /// Into the cache of this level.
  void prefetch(Value pointer, int level) { mlir::LLVM::Prefetch::create(*this, pointer, 0, 4 - level, 1); }

  // Control.
  using Body = llvm::function_ref<Values(Value, mlir::ValueRange)>;
  /// for (i = lower; i < upper; i += step), carrying values.
  Values loop(Value lower, Value upper, int64_t step, mlir::ValueRange carried, Body body) {
    return loop(lower, upper, c(step), carried, body);
  }
  Values loop(Value lower, Value upper, Value step, mlir::ValueRange carried, Body body);
  void loop(Value lower, Value upper, int64_t step, llvm::function_ref<void(Value)> body) {
    loop(lower, upper, c(step), body);
  }
  void loop(Value lower, Value upper, Value step, llvm::function_ref<void(Value)> body);
  void when(Value condition, llvm::function_ref<void()> then, llvm::function_ref<void()> otherwise = nullptr);
  /// for (i = first; condition(i); ++i)
  void loopWhile(Value first, llvm::function_ref<Value(Value)> condition,
                 llvm::function_ref<void(Value)> body);
  /// What one or the other gives, both of these types.
  Values choose(Value condition, mlir::TypeRange types, llvm::function_ref<Values()> then,
                llvm::function_ref<Values()> otherwise);

  // Functions.
  Value intrinsic(llvm::StringRef name, mlir::Type result, mlir::ValueRange operands);
  void call(mlir::LLVM::LLVMFuncOp callee, mlir::ValueRange operands);
};

} // namespace llmc::emit
#endif
