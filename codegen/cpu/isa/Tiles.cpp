//===- Tiles.cpp - AMX tiles of bf16 --------------------------------------===//
#include "codegen/cpu/isa/Tiles.h"

using namespace mlir;

namespace llmc::cpu {

Value TileEmitter::width() { return e.splat(e.i16(), tile::lineBytes); }
Type TileEmitter::type() { return LLVM::LLVMX86AMXType::get(e.getContext()); }

Value TileEmitter::zero(Value rows) {
  return e.intrinsic("llvm.x86.tilezero.internal", type(), {rows, width()});
}

Value TileEmitter::load(Value rows, Value pointer, Value stride) {
  return e.intrinsic("llvm.x86.tileloadd64.internal", type(), {rows, width(), pointer, stride});
}

Value TileEmitter::stream(Value rows, Value pointer, Value stride) {
  return e.intrinsic("llvm.x86.tileloaddt164.internal", type(), {rows, width(), pointer, stride});
}

void TileEmitter::store(Value value, Value rows, Value pointer, Value stride) {
  LLVM::CallIntrinsicOp::create(e, e.getStringAttr("llvm.x86.tilestored64.internal"),
                                ValueRange{rows, width(), pointer, stride, value});
}

Value TileEmitter::dot(Value rows, Value c, Value a, Value b) {
  return e.intrinsic("llvm.x86.tdpbf16ps.internal", type(), {rows, width(), width(), c, a, b});
}

Values TileEmitter::loop(Value lower, Value upper, ValueRange carried, Emitter::Body body) {
  Values results = e.loop(lower, upper, e.c(1), carried, body);
  MLIRContext *context = e.getContext();
  auto never = BoolAttr::get(context, true);
  auto unroll = LLVM::LoopUnrollAttr::get(context, never, {}, {}, {}, {}, {}, {});
  results[0].getDefiningOp()->setAttr(
      "llvm.loop_annotation",
      LLVM::LoopAnnotationAttr::get(context, {}, {}, {}, unroll, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}));
  return results;
}

} // namespace llmc::cpu
