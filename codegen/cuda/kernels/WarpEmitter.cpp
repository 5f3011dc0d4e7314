//===- WarpEmitter.cpp - an emitter that counts in 32 bits ----------------===//
#include "codegen/cuda/kernels/WarpEmitter.h"

using namespace mlir;

namespace llmc::cuda {

constexpr int64_t allLanes = -1;

Value WarpEmitter::reduce(Value f32, llvm::function_ref<Value(Value, Value)> combine) {
  for (int64_t mask = warpLanes / 2; mask; mask /= 2)
    f32 = combine(f32, shuffleXor(*this, f32, mask));
  return f32;
}

Value WarpEmitter::ballot(Value condition) {
  return intrinsic("llvm.nvvm.vote.ballot.sync", i32(), {n(allLanes), condition});
}

Value WarpEmitter::reduceInts(StringRef operation, Value i32) {
  return intrinsic(("llvm.nvvm.redux.sync." + operation).str(), this->i32(), {i32, n(allLanes)});
}

void WarpEmitter::loop32(Value lower, Value upper, Value step, llvm::function_ref<void(Value)> body) {
  loop(lower, upper, step, ValueRange{}, [&](Value i, ValueRange) -> Values {
    body(i);
    return {};
  });
}

} // namespace llmc::cuda
