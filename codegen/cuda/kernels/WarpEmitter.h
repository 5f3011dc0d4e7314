//===- WarpEmitter.h - an emitter that counts in 32 bits --------*- C++ -*-===//
#ifndef LLMC_CODEGEN_CUDA_KERNELS_WARPEMITTER_H
#define LLMC_CODEGEN_CUDA_KERNELS_WARPEMITTER_H

#include "codegen/cuda/Warp.h"

namespace llmc::cuda {

/// A GPU computes addresses and numbers of 64 bits in two steps, so what is known to be small is i32.
struct WarpEmitter : emit::Emitter {
  using Emitter::Emitter;
  using Values = emit::Values;

  Value n(int64_t value) { return splat(i32(), value); }
  Value narrow(Value i64) { return mlir::arith::TruncIOp::create(*this, i32(), i64); }
  Value threadNumber() { return cuda::threadNumber(*this, 32); }
  Value blockNumber(Axis axis) { return cuda::blockNumber(*this, axis, 32); }
  Value blockCount(Axis axis) { return cuda::blockCount(*this, axis, 32); }
  using Emitter::both;
  Value isNot(Value condition) { return equal(condition, splat(i1(), 0)); }
  Value popcount(Value word) { return mlir::LLVM::CtPopOp::create(*this, i32(), word); }

  // With i32 bounds.
  Values loop32(Value lower, Value upper, int64_t step, mlir::ValueRange carried, Body body) {
    return loop(lower, upper, n(step), carried, body);
  }
};

} // namespace llmc::cuda
#endif
