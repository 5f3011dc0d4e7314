//===- Rope.cpp - rotating the heads of a token ---------------------------===//
#include "codegen/cpu/kernels/Rope.h"

#include "codegen/emit/Rotation.h"

using namespace mlir;

namespace llmc::cpu {

void copyFloats(Emitter &e, Value source, Value target, int64_t first, int64_t last) {
  e.loop(e.c(4 * first), e.c(4 * first + (last - first) / lanes * 64), 64,
         [&](Value at) { e.store(e.loadFloats(e.at(source, at)), e.at(target, at)); });
  e.loop(e.c(4 * (last - (last - first) % lanes)), e.c(4 * last), 4,
         [&](Value at) { e.store(e.load(e.f32(), e.at(source, at)), e.at(target, at)); });
}

void Rope::angles(Value position, Value frequencies, Value target) {
  e.call(emitAngles(), {position, frequencies, target});
}

void Rope::rotate(Value source, Value angles, Value target) {
  e.call(emitRotate(), {source, angles, target});
}

/// angles(position, frequencies, cosines and sines).
LLVM::LLVMFuncOp Rope::emitAngles() {
  return emitFunction(e, module, name + ".angles", isa, {e.i64(), e.ptr(), e.ptr()}, true, [&](ValueRange a) {
    Value position = e.broadcast(arith::SIToFPOp::create(e, e.f32(), a[0]));
    e.loop(e.c(0), e.c(roundUp(pairs(), lanes) * 4), 64, [&](Value at) {
      const Turn turn = emitTurn(e, position, e.loadFloats(e.at(a[1], at)), spec.ropeFactor);
      Value target = e.at(a[2], at);
      e.store(turn.cosine, target);
      e.store(turn.sine, target, angleBytes);
    });
  });
}

/// rotate(source, cosines and sines, target).
LLVM::LLVMFuncOp Rope::emitRotate() {
  return emitFunction(e, module, name + ".rotate", isa, {e.ptr(), e.ptr(), e.ptr()}, true, [&](ValueRange a) {
    const int64_t step = spec.ropeInterleaved ? 8 : 4, other = spec.ropeInterleaved ? 4 : 4 * pairs();
    // Vectors where the halves consist of whole ones.
    const bool vectors = !spec.ropeInterleaved && pairs() % lanes == 0;
    Type type = vectors ? Type(e.floats()) : e.f32();
    e.loop(e.c(0), e.c(pairs()), vectors ? lanes : 1, [&](Value i) {
      Value at = e.mul(i, step), angle = e.at(a[1], e.mul(i, 4));
      Value source = e.at(a[0], at), target = e.at(a[2], at);
      Value x = e.load(type, source), y = e.load(type, source, other);
      Value cosine = e.load(type, angle), sine = e.load(type, angle, angleBytes);
      auto [first, second] = emitRotated(e, x, y, {sine, cosine});
      e.store(first, target);
      e.store(second, target, other);
    });
    copyFloats(e, a[0], a[2], spec.ropeDims, spec.dimK);
  });
}

} // namespace llmc::cpu
