//===- Rotation.cpp - rotary position embeddings --------------------------===//
#include "codegen/emit/Rotation.h"

#include "codegen/emit/MathPoly.h"

using namespace mlir;
using namespace llmc;

emit::Turn emit::emitTurn(Emitter &e, Value position, Value frequency, double factor) {
  auto [sine, cosine] = buildSinCos(e, e.mulf(position, frequency));
  if (factor == 1)
    return {sine, cosine};
  return {e.mulf(sine, factor), e.mulf(cosine, factor)};
}

std::pair<Value, Value> emit::emitRotated(Emitter &e, Value x, Value y, const Turn &turn) {
  return {e.subf(e.mulf(x, turn.cosine), e.mulf(y, turn.sine)),
          e.addf(e.mulf(y, turn.cosine), e.mulf(x, turn.sine))};
}
