//===- Intrinsics.cpp - what the intrinsics of a GPU become ---------------===//
//
// One table: the beginning of an intrinsic's name, what kind of thing it is, and a number. Its first row that
// fits counts.
//
//===----------------------------------------------------------------------===//
#include "codegen/simt/Rewriter.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/IR/IntrinsicInst.h"

using namespace llvm;
using namespace llmc::codegen::simt;

namespace {

enum class Kind {
  Number,    // a number that the thread asks for
  Constant,  // a number that is always the same
  Barrier,   // of the block
  Warp,      // mask and operands in, results out
  Matrix,    // likewise, of the whole warp: no mask among its operands
  Load,      // ldmatrix: as Matrix; the count of matrices stands in its name
  CopyAsync, // the count of bytes stands in its name
  Commit,
  WaitGroup,
  WaitAll,
  Math, // of one number in f32; the emulator's function
  Arithmetic,
  Dot,  // four products of bytes
  Pack, // two f32 as a vector of halves or bf16, the second one below
  Convert,
  Nothing, // orders what is in order here, or hints
};

enum { Sqrt, Rsqrt, Rcp, Fma, Add, Mul, Max, Min, MaxNaN, MinNaN };

struct Row {
  StringLiteral name;
  Kind kind;
  uint32_t number;
};

constexpr Row table[] = {
    {"llvm.nvvm.read.ptx.sreg.tid.", Kind::Number, LLMC_SIMT_THREAD},
    {"llvm.nvvm.read.ptx.sreg.ntid.", Kind::Number, LLMC_SIMT_THREADS},
    {"llvm.nvvm.read.ptx.sreg.ctaid.", Kind::Number, LLMC_SIMT_BLOCK},
    {"llvm.nvvm.read.ptx.sreg.nctaid.", Kind::Number, LLMC_SIMT_BLOCKS},
    {"llvm.nvvm.read.ptx.sreg.laneid", Kind::Number, LLMC_SIMT_LANE},
    {"llvm.nvvm.read.ptx.sreg.warpid", Kind::Number, LLMC_SIMT_WARP_NUMBER},
    {"llvm.nvvm.read.ptx.sreg.warpsize", Kind::Constant, LLMC_SIMT_WARP},
    {"llvm.nvvm.barrier.cta.sync.aligned.all", Kind::Barrier, LLMC_SIMT_BARRIER},
    {"llvm.nvvm.barrier.cta.sync.all", Kind::Barrier, LLMC_SIMT_BARRIER_ANYWHERE},
    {"llvm.nvvm.bar.warp.sync", Kind::Warp, LLMC_SIMT_WARP_BARRIER},
    {"llvm.nvvm.shfl.sync.bfly.", Kind::Warp, LLMC_SIMT_SHUFFLE_BUTTERFLY},
    {"llvm.nvvm.shfl.sync.idx.", Kind::Warp, LLMC_SIMT_SHUFFLE_INDEX},
    {"llvm.nvvm.shfl.sync.up.", Kind::Warp, LLMC_SIMT_SHUFFLE_UP},
    {"llvm.nvvm.shfl.sync.down.", Kind::Warp, LLMC_SIMT_SHUFFLE_DOWN},
    {"llvm.nvvm.vote.all.sync", Kind::Warp, LLMC_SIMT_VOTE_ALL},
    {"llvm.nvvm.vote.any.sync", Kind::Warp, LLMC_SIMT_VOTE_ANY},
    {"llvm.nvvm.vote.uni.sync", Kind::Warp, LLMC_SIMT_VOTE_UNIFORM},
    {"llvm.nvvm.vote.ballot.sync", Kind::Warp, LLMC_SIMT_VOTE_BALLOT},
    {"llvm.nvvm.redux.sync.add", Kind::Warp, LLMC_SIMT_REDUCE_ADD},
    {"llvm.nvvm.redux.sync.min", Kind::Warp, LLMC_SIMT_REDUCE_MIN},
    {"llvm.nvvm.redux.sync.max", Kind::Warp, LLMC_SIMT_REDUCE_MAX},
    {"llvm.nvvm.redux.sync.umin", Kind::Warp, LLMC_SIMT_REDUCE_UMIN},
    {"llvm.nvvm.redux.sync.umax", Kind::Warp, LLMC_SIMT_REDUCE_UMAX},
    {"llvm.nvvm.redux.sync.and", Kind::Warp, LLMC_SIMT_REDUCE_AND},
    {"llvm.nvvm.redux.sync.or", Kind::Warp, LLMC_SIMT_REDUCE_OR},
    {"llvm.nvvm.redux.sync.xor", Kind::Warp, LLMC_SIMT_REDUCE_XOR},
    {"llvm.nvvm.ldmatrix.sync.aligned.m8n8.", Kind::Load, LLMC_SIMT_LDMATRIX},
    {"llvm.nvvm.mma.m16n8k16.row.col.f32.f32", Kind::Matrix, LLMC_SIMT_MMA_F16_F32},
    {"llvm.nvvm.mma.m16n8k16.row.col.f16.f16", Kind::Matrix, LLMC_SIMT_MMA_F16_F16},
    {"llvm.nvvm.mma.m16n8k16.row.col.bf16", Kind::Matrix, LLMC_SIMT_MMA_BF16_F32},
    {"llvm.nvvm.mma.m16n8k32.row.col.s8", Kind::Matrix, LLMC_SIMT_MMA_S8_S32},
    {"llvm.nvvm.cp.async.ca.shared.global.", Kind::CopyAsync, 0},
    {"llvm.nvvm.cp.async.cg.shared.global.", Kind::CopyAsync, 0},
    {"llvm.nvvm.cp.async.commit.group", Kind::Commit, 0},
    {"llvm.nvvm.cp.async.wait.group", Kind::WaitGroup, 0},
    {"llvm.nvvm.cp.async.wait.all", Kind::WaitAll, 0},
    {"llvm.nvvm.ex2.approx.ftz", Kind::Math, LLMC_SIMT_EXP2 | LLMC_SIMT_FLUSH},
    {"llvm.nvvm.ex2.approx", Kind::Math, LLMC_SIMT_EXP2},
    {"llvm.nvvm.lg2.approx.ftz.f", Kind::Math, LLMC_SIMT_LOG2 | LLMC_SIMT_FLUSH},
    {"llvm.nvvm.lg2.approx.f", Kind::Math, LLMC_SIMT_LOG2},
    {"llvm.nvvm.sin.approx", Kind::Math, LLMC_SIMT_SIN},
    {"llvm.nvvm.cos.approx", Kind::Math, LLMC_SIMT_COS},
    {"llvm.nvvm.tanh.approx", Kind::Math, LLMC_SIMT_TANH},
    {"llvm.exp2.", Kind::Math, LLMC_SIMT_EXP2},
    {"llvm.log2.", Kind::Math, LLMC_SIMT_LOG2},
    {"llvm.sin.", Kind::Math, LLMC_SIMT_SIN},
    {"llvm.cos.", Kind::Math, LLMC_SIMT_COS},
    {"llvm.tanh.", Kind::Math, LLMC_SIMT_TANH},
    {"llvm.nvvm.sqrt.approx", Kind::Arithmetic, Sqrt},
    {"llvm.nvvm.sqrt.rn", Kind::Arithmetic, Sqrt},
    {"llvm.nvvm.sqrt.f", Kind::Arithmetic, Sqrt},
    {"llvm.nvvm.rsqrt.approx", Kind::Arithmetic, Rsqrt},
    {"llvm.nvvm.rcp.approx", Kind::Arithmetic, Rcp},
    {"llvm.nvvm.rcp.rn", Kind::Arithmetic, Rcp},
    {"llvm.nvvm.fma.rn.f", Kind::Arithmetic, Fma},
    {"llvm.nvvm.fma.rn.d", Kind::Arithmetic, Fma},
    {"llvm.nvvm.add.rn.", Kind::Arithmetic, Add},
    {"llvm.nvvm.mul.rn.", Kind::Arithmetic, Mul},
    {"llvm.nvvm.fmax.nan.f", Kind::Arithmetic, MaxNaN},
    {"llvm.nvvm.fmin.nan.f", Kind::Arithmetic, MinNaN},
    {"llvm.nvvm.fmax.f", Kind::Arithmetic, Max},
    {"llvm.nvvm.fmin.f", Kind::Arithmetic, Min},
    {"llvm.nvvm.idp4a.", Kind::Dot, 0},
    {"llvm.nvvm.ff2f16x2.rn", Kind::Pack, 0},
    {"llvm.nvvm.f2f16.rn", Kind::Convert, 0},
    {"llvm.nvvm.griddepcontrol.", Kind::Nothing, 0},
    {"llvm.nvvm.membar.", Kind::Nothing, 0},
    {"llvm.nvvm.fence.", Kind::Nothing, 0},
    {"llvm.nvvm.prefetch", Kind::Nothing, 0},
    {"llvm.nvvm.nanosleep", Kind::Nothing, 0},
};

/// What stands between the words of a row and what comes after the last dot: ".relu", ".sat" and the like
/// change what an operation does.
bool hasModifier(StringRef name) {
  return any_of(ArrayRef<StringRef>{".relu", ".sat", ".xorsign", ".count", ".satfinite", ".b8"},
                [&](StringRef modifier) { return name.contains(modifier); });
}

/// The number at the beginning of what is left of a name; 0 if there is none.
uint32_t numberIn(StringRef rest) {
  uint32_t number = 0;
  rest.consumeInteger(10, number);
  return number;
}

class CallRewriter {
public:
  CallRewriter(Rewriter &rewriter, CallInst &intrinsic, const Row &row)
      : rewriter(rewriter), intrinsic(intrinsic), row(row), builder(&intrinsic),
        name(intrinsic.getCalledFunction()->getName()) {}

  /// The value in place of the call; null if there is none, or after a failure.
  Value *rewrite();

private:
  Value *operand(unsigned i) { return intrinsic.getArgOperand(i); }
  Value *site(uint32_t operation, uint32_t count = 0) {
    return rewriter.site(builder, operation, count, intrinsic, name);
  }
  Value *warp(uint32_t operation, uint32_t count, bool hasMask);
  Value *results(Value *words);
  Value *copyAsync();
  Value *elementwise(function_ref<Value *(Value *)> each);
  Value *math();
  Value *arithmetic();
  Value *dot();

  Rewriter &rewriter;
  CallInst &intrinsic;
  const Row &row;
  IRBuilder<> builder;
  StringRef name;
};

} // namespace

Value *CallRewriter::rewrite() {
  switch (row.kind) {
  case Kind::Number: {
    const uint32_t axis = row.number < LLMC_SIMT_LANE ? uint32_t(name.back() - 'x') : 0;
    if (axis > 2)
      return rewriter.fail(intrinsic, "'" + name + "' cannot be emulated"), nullptr;
    return rewriter.call(builder, Call::Number, {builder.getInt32(row.number + axis)});
  }
  case Kind::Constant:
    return builder.getInt32(row.number);
  case Kind::Barrier:
    return rewriter.call(builder, Call::Barrier, {site(row.number), operand(0)});
  case Kind::Warp:
    return warp(row.number, 0, /*hasMask=*/true);
  case Kind::Matrix:
    return warp(row.number, 0, /*hasMask=*/false);
  case Kind::Load:
    return warp(name.contains(".trans.") ? uint32_t(LLMC_SIMT_LDMATRIX_TRANSPOSED) : row.number,
                numberIn(name.drop_front(row.name.size() + 1)), /*hasMask=*/false);
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

/// Operands become words: the mask, then one for each, two for an address.
Value *CallRewriter::warp(uint32_t operation, uint32_t count, bool hasMask) {
  Function &function = *intrinsic.getFunction();
  Value *in = rewriter.words(function, false), *out = rewriter.words(function, true);
  Type *i32 = builder.getInt32Ty();
  unsigned next = 0;
  auto put = [&](Value *word) { builder.CreateStore(word, builder.CreateConstGEP1_32(i32, in, next++)); };
  if (!hasMask)
    put(builder.getInt32(~0u));
  SmallVector<Value *> operands(intrinsic.args());
  if (operation >= LLMC_SIMT_REDUCE_ADD && operation <= LLMC_SIMT_REDUCE_XOR)
    std::swap(operands[0], operands[1]); // redux.sync has its mask last
  for (Value *value : operands) {
    if (value->getType()->isPointerTy()) {
      Value *address = builder.CreatePtrToInt(value, builder.getInt64Ty());
      put(builder.CreateTrunc(address, i32));
      put(builder.CreateTrunc(builder.CreateLShr(address, 32), i32));
    } else if (value->getType()->isIntegerTy()) {
      put(builder.CreateZExt(value, i32));
    } else {
      put(builder.CreateBitCast(value, i32));
    }
  }
  rewriter.call(builder, Call::Warp, {site(operation, count), in, out});
  return results(out);
}

Value *CallRewriter::results(Value *words) {
  Type *i32 = builder.getInt32Ty();
  unsigned next = 0;
  auto take = [&](Type *type) -> Value * {
    Value *word = builder.CreateLoad(i32, builder.CreateConstGEP1_32(i32, words, next++));
    return type->isIntegerTy() ? builder.CreateTrunc(word, type) : builder.CreateBitCast(word, type);
  };
  Type *type = intrinsic.getType();
  if (type->isVoidTy())
    return nullptr;
  auto *group = dyn_cast<StructType>(type);
  if (!group)
    return take(type);
  Value *all = PoisonValue::get(type);
  for (unsigned i = 0; i < group->getNumElements(); ++i)
    all = builder.CreateInsertValue(all, take(group->getElementType(i)), i);
  return all;
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

Value *CallRewriter::arithmetic() {
  Type *type = intrinsic.getType();
  Value *one = ConstantFP::get(type, 1.0);
  auto root = [&] { return builder.CreateUnaryIntrinsic(Intrinsic::sqrt, operand(0)); };
  switch (row.number) {
  case Sqrt:
    return root();
  case Rsqrt:
    return builder.CreateFDiv(one, root());
  case Rcp:
    return builder.CreateFDiv(one, operand(0));
  case Fma:
    return builder.CreateIntrinsic(Intrinsic::fma, {type}, {operand(0), operand(1), operand(2)});
  case Add:
    return builder.CreateFAdd(operand(0), operand(1));
  case Mul:
    return builder.CreateFMul(operand(0), operand(1));
  default:
    const Intrinsic::ID ids[] = {Intrinsic::maxnum, Intrinsic::minnum, Intrinsic::maximum,
                                 Intrinsic::minimum};
    return builder.CreateBinaryIntrinsic(ids[row.number - Max], operand(0), operand(1));
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
  const Row *row = find_if(table, [&](const Row &candidate) { return name.starts_with(candidate.name); });
  const bool isOfGpu = name.starts_with("llvm.nvvm.");
  if (row == std::end(table) || (isOfGpu && hasModifier(name.drop_front(row->name.size())))) {
    if (isOfGpu)
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
