//===- Activation.cpp - activation functions ------------------------------===//
#include "codegen/emit/Activation.h"

#include "codegen/emit/MathPoly.h"

using namespace mlir;

namespace llmc::emit {

Value emitActivation(Emitter &e, Activation act, Value x) {
  switch (act) {
  case Activation::None:
    return x;
  case Activation::Relu:
    return e.maxf(x, e.real(x.getType(), 0));
  case Activation::Relu2: {
    Value positive = e.maxf(x, e.real(x.getType(), 0));
    return e.mulf(positive, positive);
  }
  case Activation::GeluErf: { // x/2 (1 + erf(x / sqrt 2))
    Value erf = buildErf(e, e.mulf(x, 0.70710678118654752));
    return e.mulf(e.mulf(x, 0.5), e.addf(erf, 1.0));
  }
  case Activation::GeluTanh: { // x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
    Value cube = e.mulf(e.mulf(x, x), x);
    Value inner = e.mulf(e.fma(cube, e.real(x.getType(), 0.044715), x), 0.79788456080286536);
    return e.mulf(e.mulf(x, 0.5), e.addf(buildTanh(e, inner), 1.0));
  }
  case Activation::GeluQuick:
    return e.mulf(x, buildSigmoid(e, e.mulf(x, 1.702)));
  case Activation::Silu: // one division: x / (1 + exp(-x))
    return e.divf(x, e.addf(buildExp(e, e.negate(x)), 1.0));
  case Activation::Sigmoid:
    return buildSigmoid(e, x);
  case Activation::Tanh:
    return buildTanh(e, x);
  }
  return x;
}

} // namespace llmc::emit
