//===- IntrinsicTable.cpp - the intrinsics that are known -----------------===//
#include "codegen/simt/IntrinsicTable.h"

#include "runtime/include/llmc/simt_abi.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace llvm;
using namespace llmc::codegen::simt;

using Kind = IntrinsicKind;

constexpr IntrinsicRow table[] = {
    {"llvm.nvvm.read.ptx.sreg.tid.", "x y z", Kind::Number, LLMC_SIMT_THREAD},
    {"llvm.nvvm.read.ptx.sreg.ntid.", "x y z", Kind::Number, LLMC_SIMT_THREADS},
    {"llvm.nvvm.read.ptx.sreg.ctaid.", "x y z", Kind::Number, LLMC_SIMT_BLOCK},
    {"llvm.nvvm.read.ptx.sreg.nctaid.", "x y z", Kind::Number, LLMC_SIMT_BLOCKS},
    {"llvm.nvvm.read.ptx.sreg.laneid", "", Kind::Number, LLMC_SIMT_LANE},
    {"llvm.nvvm.read.ptx.sreg.warpid", "", Kind::Number, LLMC_SIMT_WARP_NUMBER},
    {"llvm.nvvm.read.ptx.sreg.warpsize", "", Kind::Constant, LLMC_SIMT_WARP},
    {"llvm.nvvm.barrier.cta.sync.aligned.all", "", Kind::Barrier, LLMC_SIMT_BARRIER},
    {"llvm.nvvm.barrier.cta.sync.all", "", Kind::Barrier, LLMC_SIMT_BARRIER_ANYWHERE},
    {"llvm.nvvm.bar.warp.sync", "", Kind::Warp, LLMC_SIMT_WARP_BARRIER},
    {"llvm.nvvm.shfl.sync.bfly.", "i32 f32 i32p f32p", Kind::Warp, LLMC_SIMT_SHUFFLE_BUTTERFLY},
    {"llvm.nvvm.shfl.sync.idx.", "i32 f32 i32p f32p", Kind::Warp, LLMC_SIMT_SHUFFLE_INDEX},
    {"llvm.nvvm.shfl.sync.up.", "i32 f32 i32p f32p", Kind::Warp, LLMC_SIMT_SHUFFLE_UP},
    {"llvm.nvvm.shfl.sync.down.", "i32 f32 i32p f32p", Kind::Warp, LLMC_SIMT_SHUFFLE_DOWN},
    {"llvm.nvvm.vote.all.sync", "", Kind::Warp, LLMC_SIMT_VOTE_ALL},
    {"llvm.nvvm.vote.any.sync", "", Kind::Warp, LLMC_SIMT_VOTE_ANY},
    {"llvm.nvvm.vote.uni.sync", "", Kind::Warp, LLMC_SIMT_VOTE_UNIFORM},
    {"llvm.nvvm.vote.ballot.sync", "", Kind::Warp, LLMC_SIMT_VOTE_BALLOT},
    {"llvm.nvvm.redux.sync.add", "", Kind::Warp, LLMC_SIMT_REDUCE_ADD},
    {"llvm.nvvm.redux.sync.min", "", Kind::Warp, LLMC_SIMT_REDUCE_MIN},
    {"llvm.nvvm.redux.sync.max", "", Kind::Warp, LLMC_SIMT_REDUCE_MAX},
    {"llvm.nvvm.redux.sync.umin", "", Kind::Warp, LLMC_SIMT_REDUCE_UMIN},
    {"llvm.nvvm.redux.sync.umax", "", Kind::Warp, LLMC_SIMT_REDUCE_UMAX},
    {"llvm.nvvm.redux.sync.and", "", Kind::Warp, LLMC_SIMT_REDUCE_AND},
    {"llvm.nvvm.redux.sync.or", "", Kind::Warp, LLMC_SIMT_REDUCE_OR},
    {"llvm.nvvm.redux.sync.xor", "", Kind::Warp, LLMC_SIMT_REDUCE_XOR},
    {"llvm.nvvm.ldmatrix.sync.aligned.m8n8.x1.", "b16.p0 b16.p3 trans.b16.p0 trans.b16.p3", Kind::Load, 1},
    {"llvm.nvvm.ldmatrix.sync.aligned.m8n8.x2.", "b16.p0 b16.p3 trans.b16.p0 trans.b16.p3", Kind::Load, 2},
    {"llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.", "b16.p0 b16.p3 trans.b16.p0 trans.b16.p3", Kind::Load, 4},
    {"llvm.nvvm.mma.m16n8k16.row.col.f32.f32", "", Kind::Matrix, LLMC_SIMT_MMA_F16_F32},
    {"llvm.nvvm.mma.m16n8k16.row.col.f16.f16", "", Kind::Matrix, LLMC_SIMT_MMA_F16_F16},
    {"llvm.nvvm.mma.m16n8k16.row.col.bf16", "", Kind::Matrix, LLMC_SIMT_MMA_BF16_F32},
    {"llvm.nvvm.mma.m16n8k32.row.col.s8", "", Kind::Matrix, LLMC_SIMT_MMA_S8_S32},
    {"llvm.nvvm.cp.async.ca.shared.global.", "4 8 16 4.s 8.s 16.s", Kind::CopyAsync, 0},
    {"llvm.nvvm.cp.async.cg.shared.global.", "16 16.s", Kind::CopyAsync, 0},
    {"llvm.nvvm.cp.async.commit.group", "", Kind::Commit, 0},
    {"llvm.nvvm.cp.async.wait.group", "", Kind::WaitGroup, 0},
    {"llvm.nvvm.cp.async.wait.all", "", Kind::WaitAll, 0},
    {"llvm.nvvm.ex2.approx.", "f32 f16 v2f16", Kind::Math, LLMC_SIMT_EXP2},
    {"llvm.nvvm.ex2.approx.ftz.", "f32", Kind::Math, LLMC_SIMT_EXP2 | LLMC_SIMT_FLUSH},
    {"llvm.nvvm.lg2.approx.", "f", Kind::Math, LLMC_SIMT_LOG2},
    {"llvm.nvvm.lg2.approx.ftz.", "f", Kind::Math, LLMC_SIMT_LOG2 | LLMC_SIMT_FLUSH},
    {"llvm.nvvm.sin.approx.", "f", Kind::Math, LLMC_SIMT_SIN},
    {"llvm.nvvm.sin.approx.ftz.", "f", Kind::Math, LLMC_SIMT_SIN | LLMC_SIMT_FLUSH},
    {"llvm.nvvm.cos.approx.", "f", Kind::Math, LLMC_SIMT_COS},
    {"llvm.nvvm.cos.approx.ftz.", "f", Kind::Math, LLMC_SIMT_COS | LLMC_SIMT_FLUSH},
    {"llvm.exp2.", "*", Kind::Math, LLMC_SIMT_EXP2}, // of these only types follow
    {"llvm.log2.", "*", Kind::Math, LLMC_SIMT_LOG2},
    {"llvm.sin.", "*", Kind::Math, LLMC_SIMT_SIN},
    {"llvm.cos.", "*", Kind::Math, LLMC_SIMT_COS},
    {"llvm.tanh.", "*", Kind::Math, LLMC_SIMT_TANH},
    {"llvm.nvvm.sqrt.approx.", "f", Kind::Arithmetic, Sqrt},
    {"llvm.nvvm.sqrt.approx.ftz.", "f", Kind::Arithmetic, Sqrt | Flush},
    {"llvm.nvvm.sqrt.rn.", "f d", Kind::Arithmetic, Sqrt},
    {"llvm.nvvm.sqrt.rn.ftz.", "f", Kind::Arithmetic, Sqrt | Flush},
    {"llvm.nvvm.sqrt.f", "", Kind::Arithmetic, Sqrt},
    {"llvm.nvvm.rsqrt.approx.", "f d", Kind::Arithmetic, Rsqrt},
    {"llvm.nvvm.rsqrt.approx.ftz.", "f", Kind::Arithmetic, Rsqrt | Flush},
    {"llvm.nvvm.rcp.approx.ftz.", "f", Kind::Arithmetic, Rcp | Flush},
    {"llvm.nvvm.rcp.rn.", "f d", Kind::Arithmetic, Rcp},
    {"llvm.nvvm.rcp.rn.ftz.", "f", Kind::Arithmetic, Rcp | Flush},
    {"llvm.nvvm.fma.rn.", "f d f16 f16x2", Kind::Arithmetic, Fma},
    {"llvm.nvvm.fma.rn.ftz.", "f", Kind::Arithmetic, Fma | Flush},
    {"llvm.nvvm.add.rn.", "f d", Kind::Arithmetic, Add},
    {"llvm.nvvm.add.rn.ftz.", "f", Kind::Arithmetic, Add | Flush},
    {"llvm.nvvm.mul.rn.", "f d", Kind::Arithmetic, Mul},
    {"llvm.nvvm.mul.rn.ftz.", "f", Kind::Arithmetic, Mul | Flush},
    {"llvm.nvvm.fmax.", "f d f16 f16x2", Kind::Arithmetic, Max},
    {"llvm.nvvm.fmax.ftz.", "f", Kind::Arithmetic, Max | Flush},
    {"llvm.nvvm.fmax.nan.", "f f16 f16x2", Kind::Arithmetic, MaxNaN},
    {"llvm.nvvm.fmax.ftz.nan.", "f", Kind::Arithmetic, MaxNaN | Flush},
    {"llvm.nvvm.fmin.", "f d f16 f16x2", Kind::Arithmetic, Min},
    {"llvm.nvvm.fmin.ftz.", "f", Kind::Arithmetic, Min | Flush},
    {"llvm.nvvm.fmin.nan.", "f f16 f16x2", Kind::Arithmetic, MinNaN},
    {"llvm.nvvm.fmin.ftz.nan.", "f", Kind::Arithmetic, MinNaN | Flush},
    {"llvm.nvvm.idp4a.", "s.s s.u u.s u.u", Kind::Dot, 0},
    {"llvm.nvvm.ff2f16x2.rn", "", Kind::Pack, 0},
    {"llvm.nvvm.f2f16.rn", "", Kind::Convert, 0},
    {"llvm.nvvm.griddepcontrol.", "wait launch.dependents", Kind::Nothing, 0},
    {"llvm.nvvm.membar.", "cta gl sys", Kind::Nothing, 0},
    {"llvm.nvvm.fence.", "sc.cluster", Kind::Nothing, 0},
    {"llvm.nvvm.prefetch", "*", Kind::Nothing, 0}, // which cache, and of what: all hints
    {"llvm.nvvm.nanosleep", "", Kind::Nothing, 0},
};

const IntrinsicRow *llmc::codegen::simt::findIntrinsic(StringRef name) {
  const IntrinsicRow *row = find_if(table, [&](const IntrinsicRow &row) {
    StringRef rest = name;
    if (!rest.consume_front(row.name))
      return false;
    return row.rest == "*" || (row.rest.empty() ? rest.empty() : is_contained(split(row.rest, ' '), rest));
  });
  return row == std::end(table) ? nullptr : row;
}
