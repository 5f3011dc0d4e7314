//===- Epilogue.cpp - bias, activation, gate and residual -----------------===//
//
// Applied in f32 to finished sums: v = act(sum + bias); with a gate v = v * (up + up bias); v = v * scale;
// y = residual + v.
//
//===----------------------------------------------------------------------===//
#include "codegen/cpu/kernels/Linear.h"
#include "codegen/emit/Activation.h"

#include "llvm/ADT/bit.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace llmc::cpu {

LLVM::LLVMFuncOp emitEpilogue(Emitter &e, ModuleOp module, const LinearSpec &spec, const Isa &isa) {
  std::string name =
      llvm::formatv("llmc.epilogue.{0}.act{1}{2}{3}{4}", isa.name, int(spec.act), spec.glu ? ".glu" : "",
                    spec.bias ? ".bias" : "", spec.residual ? ".residual" : "");
  if (spec.scale != 1)
    name += llvm::formatv(".scale{0:x-}", llvm::bit_cast<uint64_t>(spec.scale));
  Type p = e.ptr(), i = e.i64();
  return emitFunction(e, module, name, isa, {p, p, i, p, p, p, p, i, i, i}, true, [&](ValueRange a) {
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
