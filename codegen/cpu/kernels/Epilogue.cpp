//===- Epilogue.cpp - bias, activation, gate and residual -----------------===//
//
// Applied in f32 to finished sums: v = act(sum + bias); with a gate v = v * (up + up bias); v = v * scale;
// y = residual + v.
//
//===----------------------------------------------------------------------===//
#include "codegen/cpu/MathPoly.h"
#include "codegen/cpu/kernels/Linear.h"

#include "llvm/ADT/bit.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace llmc::cpu {

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

LLVM::LLVMFuncOp emitEpilogue(Emitter &e, ModuleOp module, const LinearSpec &spec, const Isa &isa) {
  std::string name =
      llvm::formatv("llmc.epilogue.{0}.act{1}{2}{3}{4}", isa.name, int(spec.act), spec.glu ? ".glu" : "",
                    spec.bias ? ".bias" : "", spec.residual ? ".residual" : "");
  if (spec.scale != 1)
    name += llvm::formatv(".scale{0:x-}", llvm::bit_cast<uint64_t>(spec.scale));
  Type p = e.ptr(), i = e.i64();
  return e.function(module, name, isa, {p, p, i, p, p, p, p, i, i, i}, true, [&](ValueRange a) {
    Value sums = a[0], upSums = a[1], bias = a[3], upBias = a[4];
    e.loop(e.c(0), a[8], 1, [&](Value row) {
      Value sumRow = e.mul(row, a[2]), yRow = e.mul(row, a[7]);
      e.loop(e.c(0), a[9], 1, [&](Value panel) {
        Value column = e.mul(panel, 64), sumAt = e.add(sumRow, column), yAt = e.add(yRow, column);
        Value v = e.loadFloats(e.at(sums, sumAt));
        if (spec.bias)
          v = e.addf(v, e.loadFloats(e.at(bias, column)));
        v = emitActivation(e, spec.act, v);
        if (spec.glu) {
          Value up = e.loadFloats(e.at(upSums, sumAt));
          if (spec.bias)
            up = e.addf(up, e.loadFloats(e.at(upBias, column)));
          v = e.mulf(v, up);
        }
        if (spec.scale != 1)
          v = e.mulf(v, spec.scale);
        if (spec.residual)
          v = e.addf(e.loadFloats(e.at(a[5], yAt)), v);
        e.store(v, e.at(a[6], yAt));
      });
    });
  });
}

} // namespace llmc::cpu
