//===- Intrinsics.cpp - what the intrinsics of a GPU become ---------------===//
#include "codegen/simt/IntrinsicTable.h"
#include "codegen/simt/Rewriter.h"

#include "llvm/IR/IntrinsicInst.h"

using namespace llvm;
using namespace llmc::codegen::simt;

using Kind = IntrinsicKind;

namespace {

/// The number at the beginning of what is left of a name; 0 if there is none.
uint32_t numberIn(StringRef rest) {
  uint32_t number = 0;
  rest.consumeInteger(10, number);
  return number;
}

class CallRewriter {
public:
  CallRewriter(Rewriter &rewriter, CallInst &intrinsic, const IntrinsicRow &row)
      : rewriter(rewriter), intrinsic(intrinsic), row(row), builder(&intrinsic),
        name(intrinsic.getCalledFunction()->getName()) {}

  /// The value in place of the call; null if there is none, or after a failure.
  Value *rewrite();

private:
  Value *operand(unsigned i) { return intrinsic.getArgOperand(i); }
  Value *site(uint32_t operation) { return rewriter.site(builder, operation, 0, intrinsic, name); }
  Value *warp(uint32_t operation);
  Value *copyAsync();
  Value *elementwise(function_ref<Value *(Value *)> each);
  Value *math();
  Value *flushed(Value *x);
  Value *arithmetic();
  Value *compute(uint32_t operation, ArrayRef<Value *> x);
  Value *dot();

  Rewriter &rewriter;
  CallInst &intrinsic;
  const IntrinsicRow &row;
  IRBuilder<> builder;
  StringRef name;
};

} // namespace

Value *CallRewriter::rewrite() {
  switch (row.kind) {
  case Kind::Number: {
    const uint32_t axis = row.number < LLMC_SIMT_LANE ? uint32_t(name.back() - 'x') : 0;
    return rewriter.call(builder, Call::Number, {builder.getInt32(row.number + axis)});
  }
  case Kind::Constant:
    return builder.getInt32(row.number);
  case Kind::Barrier:
    return rewriter.call(builder, Call::Barrier, {site(row.number), operand(0)});
  case Kind::Warp:
    return warp(row.number);
  case Kind::Matrix:
  case Kind::Load:
    llvm_unreachable("is of a run");
  case Kind::CopyAsync:
    return copyAsync();
  case Kind::Commit:
    return rewriter.call(builder, Call::CommitCopies);
  case Kind::WaitGroup:
    return rewriter.call(builder, Call::WaitCopies, {operand(0)});
  case Kind::WaitAll:
    return rewriter.call(builder, Call::WaitCopies, {builder.getInt32(~0u)});
  case Kind::Math:
    return math();
  case Kind::Arithmetic:
    return arithmetic();
  case Kind::Dot:
    return dot();
  case Kind::Pack: {
    auto *type = cast<FixedVectorType>(intrinsic.getType());
    Value *pair = PoisonValue::get(type);
    for (unsigned i : {0u, 1u})
      pair =
          builder.CreateInsertElement(pair, builder.CreateFPTrunc(operand(1 - i), type->getElementType()), i);
    return pair;
  }
  case Kind::Convert:
    return builder.CreateFPTrunc(operand(0), intrinsic.getType());
  case Kind::Nothing:
    return nullptr;
  }
  return nullptr;
}

/// Operands become words, the mask first.
Value *CallRewriter::warp(uint32_t operation) {
  Function &function = *intrinsic.getFunction();
  Value *in = rewriter.words(function, false), *out = rewriter.words(function, true);
  SmallVector<Value *> operands(intrinsic.args());
  if (operation >= LLMC_SIMT_REDUCE_ADD && operation <= LLMC_SIMT_REDUCE_XOR)
    std::swap(operands[0], operands[1]); // redux.sync has its mask last
  Rewriter::putWords(builder, in, 0, operands);
  rewriter.call(builder, Call::Warp, {site(operation), in, out});
  return intrinsic.getType()->isVoidTy() ? nullptr
                                         : Rewriter::takeWords(builder, intrinsic.getType(), out, 0);
}

Value *CallRewriter::copyAsync() {
  auto plain = [&](unsigned i) { return builder.CreateAddrSpaceCast(operand(i), builder.getPtrTy()); };
  Value *bytes = builder.getInt32(numberIn(name.drop_front(row.name.size())));
  return rewriter.call(
      builder, Call::CopyAsync,
      {site(LLMC_SIMT_COPY_ASYNC), plain(0), plain(1), bytes, intrinsic.arg_size() > 2 ? operand(2) : bytes});
}

Value *CallRewriter::elementwise(function_ref<Value *(Value *)> each) {
  auto *vector = dyn_cast<FixedVectorType>(intrinsic.getType());
  if (!vector)
    return each(operand(0));
  Value *all = PoisonValue::get(vector);
  for (unsigned i = 0; i < vector->getNumElements(); ++i)
    all = builder.CreateInsertElement(all, each(builder.CreateExtractElement(operand(0), i)), i);
  return all;
}

Value *CallRewriter::math() {
  Type *f32 = builder.getFloatTy();
  if (intrinsic.getType()->getScalarType()->isDoubleTy() ||
      intrinsic.getType()->getScalarType()->isBFloatTy())
    return rewriter.fail(intrinsic, "'" + name + "' can be emulated of f32 and f16 only"), nullptr;
  return elementwise([&](Value *x) {
    Type *type = x->getType();
    Value *y =
        rewriter.call(builder, Call::Math, {builder.getInt32(row.number), builder.CreateFPCast(x, f32)});
    return builder.CreateFPCast(y, type);
  });
}

/// Zero of its sign in place of a denormal number.
Value *CallRewriter::flushed(Value *x) {
  Type *type = x->getType();
  Value *size = builder.CreateUnaryIntrinsic(Intrinsic::fabs, x);
  const APFloat least = APFloat::getSmallestNormalized(type->getScalarType()->getFltSemantics());
  return builder.CreateSelect(
      builder.CreateFCmpOLT(size, ConstantFP::get(type, least)),
      builder.CreateBinaryIntrinsic(Intrinsic::copysign, ConstantFP::get(type, 0.0), x), x);
}

Value *CallRewriter::arithmetic() {
  const bool flushes = row.number & Flush;
  SmallVector<Value *, 3> x(intrinsic.args());
  if (flushes)
    for (Value *&value : x)
      value = flushed(value);
  Value *result = compute(row.number & ~uint32_t(Flush), x);
  return flushes ? flushed(result) : result;
}

Value *CallRewriter::compute(uint32_t operation, ArrayRef<Value *> x) {
  Type *type = intrinsic.getType();
  Value *one = ConstantFP::get(type, 1.0);
  auto root = [&] { return builder.CreateUnaryIntrinsic(Intrinsic::sqrt, x[0]); };
  switch (operation) {
  case Sqrt:
    return root();
  case Rsqrt:
    return builder.CreateFDiv(one, root());
  case Rcp:
    return builder.CreateFDiv(one, x[0]);
  case Fma:
    return builder.CreateIntrinsic(Intrinsic::fma, {type}, x);
  case Add:
    return builder.CreateFAdd(x[0], x[1]);
  case Mul:
    return builder.CreateFMul(x[0], x[1]);
  default:
    const Intrinsic::ID ids[] = {Intrinsic::maxnum, Intrinsic::minnum, Intrinsic::maximum,
                                 Intrinsic::minimum};
    return builder.CreateBinaryIntrinsic(ids[operation - Max], x[0], x[1]);
  }
}

Value *CallRewriter::dot() {
  Value *sum = operand(2);
  Type *i8x4 = FixedVectorType::get(builder.getInt8Ty(), 4);
  // The name ends in the signs of both factors: ".s.u".
  auto widen = [&](unsigned i, char sign, uint64_t element) {
    Value *byte = builder.CreateExtractElement(builder.CreateBitCast(operand(i), i8x4), element);
    return sign == 's' ? builder.CreateSExt(byte, builder.getInt32Ty())
                       : builder.CreateZExt(byte, builder.getInt32Ty());
  };
  for (uint64_t i = 0; i < 4; ++i)
    sum = builder.CreateAdd(sum,
                            builder.CreateMul(widen(0, name[name.size() - 3], i), widen(1, name.back(), i)));
  return sum;
}

void Rewriter::rewriteCall(CallInst &call) {
  Function &callee = *call.getCalledFunction();
  const StringRef name = callee.getName();
  const IntrinsicRow *row = findIntrinsic(name);
  if (!row) {
    if (name.starts_with("llvm.nvvm."))
      fail(call, "'" + name + "' cannot be emulated");
    else if (!callee.isIntrinsic() && callee.isDeclaration())
      fail(call, "'" + name + "' is called, but not defined");
    return;
  }
  Value *value = CallRewriter(*this, call, *row).rewrite();
  if (!error.empty())
    return;
  if (!call.getType()->isVoidTy())
    call.replaceAllUsesWith(value);
  call.eraseFromParent();
}
