//===- Emitter.cpp - short words for building kernels ---------------------===//
#include "codegen/emit/Emitter.h"

using namespace mlir;

namespace llmc::emit {

Value Emitter::splat(Type type, int64_t value) {
  if (auto vector = dyn_cast<VectorType>(type)) {
    Type element = vector.getElementType();
    APInt bits(element.getIntOrFloatBitWidth(), uint64_t(value), /*isSigned=*/true, /*implicitTrunc=*/true);
    return arith::ConstantOp::create(*this, DenseElementsAttr::get(vector, bits));
  }
  return arith::ConstantOp::create(*this, getIntegerAttr(type, value));
}

Value Emitter::real(Type type, double value) {
  APFloat number(value);
  bool isInexact;
  number.convert(cast<FloatType>(getElementTypeOrSelf(type)).getFloatSemantics(),
                 APFloat::rmNearestTiesToEven, &isInexact);
  if (auto vector = dyn_cast<VectorType>(type))
    return arith::ConstantOp::create(*this, DenseElementsAttr::get(vector, number));
  return arith::ConstantOp::create(*this, getFloatAttr(type, number));
}

Value Emitter::iota() {
  SmallVector<int32_t> values;
  for (int32_t i = 0; i < lanes; ++i)
    values.push_back(i);
  return arith::ConstantOp::create(*this,
                                   DenseElementsAttr::get(vec(lanes, i32()), ArrayRef<int32_t>(values)));
}

Value Emitter::fma(Value a, Value b, Value c) {
  // vector.fma becomes llvm.fmuladd, which the backend may take apart, and does under strict contraction.
  return LLVM::FMAOp::create(*this, a.getType(), a, b, c);
}

/// `element`, or a vector of them as long as `value`.
static Type shapedLike(Value value, Type element) {
  auto vector = dyn_cast<VectorType>(value.getType());
  return vector ? Type(VectorType::get(vector.getShape(), element)) : element;
}

Value Emitter::truncToBF16(Value f32) {
  Value bits = arith::BitcastOp::create(*this, shapedLike(f32, i32()), f32);
  auto constant = [&](int64_t number) { return splat(bits.getType(), number); };
  Value high = arith::ShRUIOp::create(*this, bits, constant(16));
  Value isOdd = both(high, constant(1));
  Value rounded = arith::ShRUIOp::create(*this, add(add(bits, constant(0x7fff)), isOdd), constant(16));
  // Rounding could carry the bits of a NaN into an infinity or a zero.
  Value isNaN = less(arith::CmpFPredicate::UNO, f32, f32);
  Value quiet = arith::OrIOp::create(*this, high, constant(0x40));
  return arith::TruncIOp::create(*this, shapedLike(f32, i16()), select(isNaN, quiet, rounded));
}

Value Emitter::truncToF16(Value f32) {
  for (double limit : {65504.0, -65504.0}) {
    Value bound = real(f32.getType(), limit);
    auto beyond = limit > 0 ? arith::CmpFPredicate::OGT : arith::CmpFPredicate::OLT;
    f32 = select(less(beyond, f32, bound), bound, f32);
  }
  return arith::TruncFOp::create(*this, shapedLike(f32, f16()), f32);
}

Value Emitter::extendBF16(Value bf16) {
  Value bits = arith::ExtUIOp::create(*this, shapedLike(bf16, i32()), bf16);
  bits = arith::ShLIOp::create(*this, bits, splat(bits.getType(), 16));
  return arith::BitcastOp::create(*this, shapedLike(bf16, f32()), bits);
}

Value Emitter::maxf(Value a, Value b) { return select(less(arith::CmpFPredicate::OGT, a, b), a, b); }

Value Emitter::slice(Value v, int64_t first, int64_t n) {
  SmallVector<int64_t> indices;
  for (int64_t i = 0; i < n; ++i)
    indices.push_back(first + i);
  return vector::ShuffleOp::create(*this, v, v, indices);
}

Value Emitter::concat(Value a, Value b) {
  SmallVector<int64_t> indices;
  for (int64_t i = 0, n = 2 * cast<VectorType>(a.getType()).getNumElements(); i < n; ++i)
    indices.push_back(i);
  return vector::ShuffleOp::create(*this, a, b, indices);
}

Value Emitter::foldLanes(Value v, llvm::function_ref<Value(Value, Value)> combine) {
  for (int64_t half = cast<VectorType>(v.getType()).getNumElements() / 2; half; half /= 2)
    v = combine(slice(v, 0, half), slice(v, half, half));
  return element(v, 0);
}

Value Emitter::at(Value pointer, Value bytes) {
  return LLVM::GEPOp::create(*this, pointer.getType(), i8(), pointer, ArrayRef<LLVM::GEPArg>{bytes},
                             LLVM::GEPNoWrapFlags::inbounds);
}

Value Emitter::at(Value pointer, int64_t bytes) {
  if (!bytes)
    return pointer;
  if (bytes > INT32_MAX || bytes < INT32_MIN)
    return at(pointer, c(bytes));
  return LLVM::GEPOp::create(*this, pointer.getType(), i8(), pointer, ArrayRef<LLVM::GEPArg>{int32_t(bytes)},
                             LLVM::GEPNoWrapFlags::inbounds);
}

// Without an alignment: that of one element, which every buffer has.
static unsigned elementAlignment(Type type, unsigned alignment) {
  if (alignment)
    return alignment;
  Type element = getElementTypeOrSelf(type);
  return isa<LLVM::LLVMPointerType>(element) ? 8 : std::max(1u, element.getIntOrFloatBitWidth() / 8);
}

Value Emitter::load(Type type, Value pointer, int64_t offset, unsigned alignment) {
  return LLVM::LoadOp::create(*this, type, at(pointer, offset), elementAlignment(type, alignment));
}

void Emitter::store(Value v, Value pointer, int64_t offset, unsigned alignment) {
  LLVM::StoreOp::create(*this, v, at(pointer, offset), elementAlignment(v.getType(), alignment));
}

Value Emitter::loadFloats(Value pointer, int64_t offset, bool halves) {
  if (!halves)
    return load(floats(), pointer, offset);
  return arith::ExtFOp::create(*this, floats(), load(vec(lanes, f16()), pointer, offset));
}

Value Emitter::scratch(int64_t bytes) { return LLVM::AllocaOp::create(*this, ptr(), i8(), c(bytes), 64); }

Values Emitter::loop(Value lower, Value upper, Value step, ValueRange carried, Body body) {
  auto loop =
      scf::ForOp::create(*this, lower, upper, step, carried, [](OpBuilder &, Location, Value, ValueRange) {});
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  Values results = body(loop.getInductionVar(), loop.getRegionIterArgs());
  Block *end = loop.getBody();
  if (end->empty() || !end->back().hasTrait<OpTrait::IsTerminator>())
    scf::YieldOp::create(*this, results);
  return Values(loop.getResults());
}

void Emitter::loop(Value lower, Value upper, Value step, llvm::function_ref<void(Value)> body) {
  loop(lower, upper, step, ValueRange{}, [&](Value i, ValueRange) -> Values {
    body(i);
    return {};
  });
}

void Emitter::when(Value condition, llvm::function_ref<void()> then, llvm::function_ref<void()> otherwise) {
  auto branch = scf::IfOp::create(*this, condition, /*withElseRegion=*/bool(otherwise));
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(branch.thenBlock());
  then();
  if (otherwise) {
    setInsertionPointToStart(branch.elseBlock());
    otherwise();
  }
}

void Emitter::loopWhile(Value first, llvm::function_ref<Value(Value)> condition,
                        llvm::function_ref<void(Value)> body) {
  auto loop = scf::WhileOp::create(*this, TypeRange{i64()}, ValueRange{first});
  OpBuilder::InsertionGuard guard(*this);
  Block *before = createBlock(&loop.getBefore(), {}, i64(), getLoc());
  scf::ConditionOp::create(*this, condition(before->getArgument(0)), before->getArguments());
  Block *after = createBlock(&loop.getAfter(), {}, i64(), getLoc());
  body(after->getArgument(0));
  scf::YieldOp::create(*this, add(after->getArgument(0), 1));
}

Values Emitter::choose(Value condition, TypeRange types, llvm::function_ref<Values()> then,
                       llvm::function_ref<Values()> otherwise) {
  auto branch = scf::IfOp::create(*this, types, condition, /*addThenBlock=*/true, /*addElseBlock=*/true);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(*this, then());
  setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(*this, otherwise());
  return branch.getResults();
}

Value Emitter::intrinsic(StringRef name, Type result, ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(*this, result, getStringAttr(name), operands).getResult(0);
}

void Emitter::call(LLVM::LLVMFuncOp callee, ValueRange operands) {
  LLVM::CallOp::create(*this, callee, operands);
}

} // namespace llmc::emit
