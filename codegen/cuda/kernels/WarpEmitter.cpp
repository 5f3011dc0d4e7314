//===- WarpEmitter.cpp - an emitter that counts in 32 bits ----------------===//
#include "codegen/cuda/kernels/WarpEmitter.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace llmc::cuda {

Value WarpEmitter::reduce(Value f32, llvm::function_ref<Value(Value, Value)> combine) {
  for (int64_t mask = warpLanes / 2; mask; mask /= 2)
    f32 = combine(f32, shuffleXor(*this, f32, mask));
  return f32;
}

Value WarpEmitter::ballot(Value condition) {
  return NVVM::VoteSyncOp::create(*this, i32(), n(-1), condition, NVVM::VoteSyncKind::ballot);
}

} // namespace llmc::cuda
