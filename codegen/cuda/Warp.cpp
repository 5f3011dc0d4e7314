//===- Warp.cpp - what the kernels of a GPU are made of -------------------===//
#include "codegen/cuda/Warp.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace llmc::cuda {

using emit::Emitter;
using emit::Values;

/// A structure of four, and what is in it.
static Type fourOf(Emitter &e, Type element) {
  return LLVM::LLVMStructType::getLiteral(e.getContext(), SmallVector<Type>(4, element));
}
static Values elements(Emitter &e, Value four) {
  Values results;
  for (int64_t i = 0; i < 4; ++i)
    results.push_back(LLVM::ExtractValueOp::create(e, four, i));
  return results;
}

static Type pointerIn(Emitter &e, unsigned space) {
  return LLVM::LLVMPointerType::get(e.getContext(), space);
}

static gpu::Dimension dimensionOf(Axis axis) {
  switch (axis) {
  case Axis::X:
    return gpu::Dimension::x;
  case Axis::Y:
    return gpu::Dimension::y;
  case Axis::Z:
    return gpu::Dimension::z;
  }
  llvm_unreachable("no such axis");
}

static Value number(Emitter &e, unsigned bits, Value index) {
  return arith::IndexCastUIOp::create(e, e.getIntegerType(bits), index);
}

Value threadNumber(Emitter &e, unsigned bits) {
  return number(e, bits, gpu::ThreadIdOp::create(e, gpu::Dimension::x));
}
Value threadCount(Emitter &e) { return number(e, 64, gpu::BlockDimOp::create(e, gpu::Dimension::x)); }
Value blockNumber(Emitter &e, Axis axis, unsigned bits) {
  return number(e, bits, gpu::BlockIdOp::create(e, dimensionOf(axis)));
}
Value blockCount(Emitter &e, Axis axis, unsigned bits) {
  return number(e, bits, gpu::GridDimOp::create(e, dimensionOf(axis)));
}

Value laneNumber(Emitter &e) { return e.rem(threadNumber(e), warpLanes); }
Value warpNumber(Emitter &e) { return e.div(threadNumber(e), warpLanes); }

void meet(Emitter &e) { gpu::BarrierOp::create(e); }
void meetWarp(Emitter &e) { NVVM::SyncWarpOp::create(e, e.splat(e.i32(), -1)); }

Value shuffleXor(Emitter &e, Value value, int64_t mask) {
  // MLIR takes it for pure: a pass that moves ops would move it to where not all lanes are. None runs here.
  return gpu::ShuffleOp::create(e, value, int32_t(mask), int32_t(warpLanes), gpu::ShuffleMode::XOR)
      .getShuffleResult();
}

static Value fold(Emitter &e, Value value, int64_t width, llvm::function_ref<Value(Value, Value)> combine) {
  for (int64_t mask = 1; mask < width; mask *= 2)
    value = combine(value, shuffleXor(e, value, mask));
  return value;
}

Value sumOfLanes(Emitter &e, Value value, int64_t width) {
  return fold(e, value, width, [&](Value a, Value b) { return e.addf(a, b); });
}
Value maxOfLanes(Emitter &e, Value value, int64_t width) {
  return fold(e, value, width, [&](Value a, Value b) { return e.maxf(a, b); });
}

Value ballot(Emitter &e, Value condition) {
  return NVVM::VoteSyncOp::create(e, e.i32(), e.splat(e.i32(), -1), condition, NVVM::VoteSyncKind::ballot);
}

Value reduceInts(Emitter &e, StringRef operation, Value i32) {
  return NVVM::ReduxOp::create(e, e.i32(), i32, *NVVM::symbolizeReduxKind(operation), e.splat(e.i32(), -1));
}

void copyAsync(Emitter &e, Value toShared, Value from) {
  Value inGlobal = LLVM::AddrSpaceCastOp::create(e, pointerIn(e, globalSpace), from);
  NVVM::CpAsyncOp::create(e, toShared, inGlobal, 16, NVVM::LoadCacheModifierKind::CG, /*cpSize=*/Value());
}

void commitCopies(Emitter &e) { NVVM::CpAsyncCommitGroupOp::create(e); }

void waitForCopies(Emitter &e, int64_t pending) { NVVM::CpAsyncWaitGroupOp::create(e, uint32_t(pending)); }

constexpr StringLiteral deviceScope = "device";

void passFence(Emitter &e) { LLVM::FenceOp::create(e, LLVM::AtomicOrdering::acq_rel, deviceScope); }

Value countUp(Emitter &e, Value counter, int64_t last) {
  return LLVM::AtomicRMWOp::create(e, LLVM::AtomicBinOp::uinc_wrap, counter, e.splat(e.i32(), last),
                                   LLVM::AtomicOrdering::monotonic, deviceScope);
}

Values loadMatrices(Emitter &e, Value sharedRow) {
  auto shape = NVVM::LdStMatrixShapeAttr::get(e.getContext(), 8, 8);
  return elements(e, NVVM::LdMatrixOp::create(e, fourOf(e, e.i32()), sharedRow, 4, NVVM::MMALayout::row,
                                              shape, NVVM::LdStMatrixEltType::B16));
}

Values multiplyMatrices(Emitter &e, MatrixType type, ValueRange a, ValueRange b, ValueRange c) {
  const bool isBF16 = type == MatrixType::BF16;
  // Halves are pairs of them, bf16 plain words.
  auto numbers = [&](ValueRange words) {
    return llvm::map_to_vector(words, [&](Value word) -> Value {
      return isBF16 ? word : LLVM::BitcastOp::create(e, e.vec(2, e.f16()), word);
    });
  };
  const NVVM::MMATypes element = isBF16 ? NVVM::MMATypes::bf16 : NVVM::MMATypes::f16;
  Values as = numbers(a), bs = numbers(b);
  return elements(e, NVVM::MmaOp::create(e, fourOf(e, e.f32()), as, bs, c, /*shape=*/{16, 8, 16},
                                         /*b1Op=*/{}, /*intOverflow=*/{}, {{element, element}},
                                         {{NVVM::MMALayout::row, NVVM::MMALayout::col}}));
}

} // namespace llmc::cuda
