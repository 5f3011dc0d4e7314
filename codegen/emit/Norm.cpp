//===- Norm.cpp - what norms multiply by ----------------------------------===//
#include "codegen/emit/Norm.h"

using namespace mlir;
using namespace llmc;

Value emit::emitNormFactor(Emitter &e, Value squares, int64_t count, double eps) {
  Value mean = e.divf(squares, e.real(e.f32(), double(count)));
  return e.divf(e.real(e.f32(), 1), e.sqrt(e.addf(mean, e.real(e.f32(), eps))));
}

Value emit::emitGain(Emitter &e, Value x, Value gain, bool plusOne) {
  return e.mulf(x, plusOne ? e.addf(gain, 1.0) : gain);
}
