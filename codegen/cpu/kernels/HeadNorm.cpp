//===- HeadNorm.cpp - norms of the heads of q and k -----------------------===//
#include "codegen/cpu/kernels/HeadNorm.h"

#include "codegen/emit/Norm.h"

using namespace mlir;

namespace llmc::cpu {

void HeadNorm::apply(Value source, Value gain, Value target) {
  if (gain)
    e.call(emit(true), {source, target, gain});
  else
    e.call(emit(false), {source, target});
}

Value HeadNorm::sumOfSquares(Value head) {
  const int64_t whole = spec.dimK / lanes * lanes;
  auto add = [&](Value x, Value sum) { return Values{e.fma(x, x, sum)}; };
  Value sums = e.loop(e.c(0), e.c(4 * whole), 64, e.zeros(), [&](Value at, ValueRange carried) {
    return add(e.loadFloats(e.at(head, at)), carried[0]);
  })[0];
  return e.loop(e.c(4 * whole), e.c(4 * spec.dimK), 4, e.sumLanes(sums), [&](Value at, ValueRange carried) {
    return add(e.load(e.f32(), e.at(head, at)), carried[0]);
  })[0];
}

/// norm(source, target, [gain]).
LLVM::LLVMFuncOp HeadNorm::emit(bool hasGain) {
  SmallVector<Type> types(hasGain ? 3 : 2, e.ptr());
  std::string function = name + (hasGain ? ".norm_by" : ".norm");
  return emitFunction(e, module, function, isa, types, true, [&](ValueRange a) {
    Value inverse = emit::emitNormFactor(e, sumOfSquares(a[0]), spec.dimK, spec.normEps);
    auto scale = [&](Type type, Value factor, Value at) {
      Value x = e.mulf(e.load(type, e.at(a[0], at)), factor);
      if (hasGain)
        x = emit::emitGain(e, x, e.load(type, e.at(a[2], at)), spec.normPlusOne);
      e.store(x, e.at(a[1], at));
    };
    const int64_t whole = spec.dimK / lanes * lanes;
    Value factors = e.broadcast(inverse);
    e.loop(e.c(0), e.c(4 * whole), 64, [&](Value at) { scale(e.floats(), factors, at); });
    e.loop(e.c(4 * whole), e.c(4 * spec.dimK), 4, [&](Value at) { scale(e.f32(), inverse, at); });
  });
}

} // namespace llmc::cpu
