//===- SchemeIR.cpp - unpacking weights inside kernels --------------------===//
//
// The inverse of the packers as IR: byte offsets of a record, then shifts, masks and one fma.
//
//===----------------------------------------------------------------------===//
#include "ir/quant/SchemeIR.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace llmc::quant {
namespace {

constexpr int64_t groupValues = 32;

int64_t groupBytes(const QuantScheme &s) {
  return panelRows * groupValues / (s.storage == Storage::Int4 ? 2 : 1);
}
int64_t scalesOffset(const QuantScheme &s) { return s.recordValues / groupValues * groupBytes(s); }
int64_t minimumsOffset(const QuantScheme &s) {
  return scalesOffset(s) + s.recordValues / groupValues * panelRows * 2;
}

Value constant(ImplicitLocOpBuilder &b, Type type, int64_t value) {
  if (auto vector = dyn_cast<VectorType>(type))
    return arith::ConstantOp::create(
        b, DenseElementsAttr::get(vector, b.getIntegerAttr(vector.getElementType(), value)));
  return arith::ConstantOp::create(b, b.getIntegerAttr(type, value));
}

Value address(ImplicitLocOpBuilder &b, Value base, Value bytes) {
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  return LLVM::GEPOp::create(b, pointer, b.getI8Type(), base, ArrayRef<LLVM::GEPArg>{bytes});
}

Value vectorFma(ImplicitLocOpBuilder &b, Value x, Value y, Value z) {
  return isa<VectorType>(x.getType()) ? vector::FMAOp::create(b, x, y, z).getResult()
                                      : LLVM::FMAOp::create(b, x.getType(), x, y, z).getResult();
}

/// bf16 bits (an integer or a vector of them) as f32: the upper half of a float.
Value widenBFloat16(ImplicitLocOpBuilder &b, Value bits) {
  auto shaped = dyn_cast<VectorType>(bits.getType());
  auto like = [&](Type element) -> Type {
    return shaped ? VectorType::get(shaped.getShape(), element) : element;
  };
  Value wide = arith::ExtUIOp::create(b, like(b.getI32Type()), bits);
  wide = arith::ShLIOp::create(b, wide, constant(b, wide.getType(), 16));
  return arith::BitcastOp::create(b, like(b.getF32Type()), wide);
}

} // namespace

Value loadElement(ImplicitLocOpBuilder &b, const QuantScheme &s, Value panelBase, Value row, Value k) {
  Type i64 = b.getI64Type(), i32 = b.getI32Type(), f32 = b.getF32Type(), f16 = b.getF16Type();
  auto c = [&](int64_t value) { return constant(b, i64, value); };
  auto add = [&](Value x, Value y) -> Value { return arith::AddIOp::create(b, x, y); };
  auto mul = [&](Value x, int64_t y) -> Value { return arith::MulIOp::create(b, x, c(y)); };
  auto div = [&](Value x, int64_t y) -> Value { return arith::DivUIOp::create(b, x, c(y)); };
  auto rem = [&](Value x, int64_t y) -> Value { return arith::RemUIOp::create(b, x, c(y)); };
  auto load = [&](Type type, Value bytes, unsigned alignment) -> Value {
    return LLVM::LoadOp::create(b, type, address(b, panelBase, bytes), alignment);
  };

  if (!s.isInteger()) {
    Value bytes = mul(add(mul(k, panelRows), row), s.blockBytes);
    switch (s.storage) {
    case Storage::Float32:
      return load(f32, bytes, 4);
    case Storage::Float16:
      return arith::ExtFOp::create(b, f32, load(f16, bytes, 2));
    default:
      return widenBFloat16(b, load(b.getI16Type(), bytes, 2));
    }
  }

  Value record = mul(div(k, s.recordValues), s.recordBytes);
  Value inRecord = rem(k, s.recordValues), group = div(inRecord, groupValues),
        inGroup = rem(inRecord, groupValues);
  Value lines = add(record, mul(group, groupBytes(s)));
  Value q;
  if (s.storage == Storage::Int4) {
    // Line inGroup / 8; the low nibble for the first four columns of the eight.
    Value byte = add(add(mul(div(inGroup, 8), 64), mul(row, 4)), rem(inGroup, 4));
    Value stored = arith::ExtUIOp::create(b, i32, load(b.getI8Type(), add(lines, byte), 1));
    Value shift = arith::TruncIOp::create(b, i32, mul(div(rem(inGroup, 8), 4), 4));
    q = arith::AndIOp::create(b, arith::ShRUIOp::create(b, stored, shift), constant(b, i32, 15));
    if (s.zeroPoint)
      q = arith::SubIOp::create(b, q, constant(b, i32, s.zeroPoint));
  } else {
    Value byte = add(add(mul(div(inGroup, 4), 64), mul(row, 4)), rem(inGroup, 4));
    q = arith::ExtSIOp::create(b, i32, load(b.getI8Type(), add(lines, byte), 1));
  }
  Value half = mul(add(mul(group, panelRows), row), 2);
  auto halfAt = [&](int64_t offset) -> Value {
    return arith::ExtFOp::create(b, f32, load(f16, add(add(record, half), c(offset)), 2));
  };
  Value value = arith::SIToFPOp::create(b, f32, q), scale = halfAt(scalesOffset(s));
  return s.hasMin ? vectorFma(b, scale, value, halfAt(minimumsOffset(s)))
                  : arith::MulFOp::create(b, scale, value).getResult();
}

Value RecordReader::load(Type type, int64_t offset, unsigned alignment) {
  Value pointer = base;
  if (offset)
    pointer = LLVM::GEPOp::create(b, base.getType(), b.getI8Type(), base,
                                  ArrayRef<LLVM::GEPArg>{int32_t(offset)}, LLVM::GEPNoWrapFlags::inbounds);
  return LLVM::LoadOp::create(b, type, pointer, alignment);
}

Value RecordReader::line(int64_t index) {
  Value &value = loaded[index * 64];
  if (!value)
    value = load(VectorType::get({64}, b.getI8Type()), index * 64, 32);
  return value;
}

Value RecordReader::halves(int64_t offset) {
  Value &value = loaded[offset];
  if (!value)
    value = arith::ExtFOp::create(b, VectorType::get({16}, b.getF32Type()),
                                  load(VectorType::get({16}, b.getF16Type()), offset, 32));
  return value;
}

Value RecordReader::scales(int64_t g) { return halves(scalesOffset(scheme) + g * panelRows * 2); }
Value RecordReader::minimums(int64_t g) { return halves(minimumsOffset(scheme) + g * panelRows * 2); }

Value RecordReader::quad(int64_t q) {
  if (scheme.storage == Storage::Int8)
    return line(q);
  Value packed = line(q / 2);
  if (q % 2) {
    // Shifted as 16-bit lanes, which every vector unit has; the mask drops what crosses the bytes.
    auto words = VectorType::get({32}, b.getI16Type());
    Value shifted =
        arith::ShRUIOp::create(b, vector::BitCastOp::create(b, words, packed), constant(b, words, 4));
    packed = vector::BitCastOp::create(b, cast<VectorType>(packed.getType()), shifted);
  }
  return arith::AndIOp::create(b, packed, constant(b, packed.getType(), 15));
}

Value RecordReader::column(int64_t k) {
  auto floats = VectorType::get({16}, b.getF32Type());
  switch (scheme.storage) {
  case Storage::Float32:
    return load(floats, k * 64, 32);
  case Storage::Float16:
    return halves(k * 32);
  case Storage::BFloat16:
    return widenBFloat16(b, load(VectorType::get({16}, b.getI16Type()), k * 32, 32));
  default:
    break;
  }
  const int64_t group = k / groupValues, columns = columnsPerLine(scheme);
  return unpackColumn(b, scheme, line(k / columns), k % columns, scales(group),
                      scheme.hasMin ? minimums(group) : Value());
}

Value RecordReader::unpackColumn(ImplicitLocOpBuilder &b, const QuantScheme &scheme, Value line, int64_t c,
                                 Value scales, Value minimums) {
  auto words = VectorType::get({16}, b.getI32Type());
  Value q = vector::BitCastOp::create(b, words, line);
  if (scheme.storage == Storage::Int4) {
    const int64_t shift = 8 * (c % 4) + (c >= 4 ? 4 : 0);
    if (shift)
      q = arith::ShRUIOp::create(b, q, constant(b, words, shift));
    if (shift != 28)
      q = arith::AndIOp::create(b, q, constant(b, words, 15));
    if (scheme.zeroPoint)
      q = arith::SubIOp::create(b, q, constant(b, words, scheme.zeroPoint));
  } else {
    if (c != 3)
      q = arith::ShLIOp::create(b, q, constant(b, words, 24 - 8 * c));
    q = arith::ShRSIOp::create(b, q, constant(b, words, 24));
  }
  Value value = arith::SIToFPOp::create(b, VectorType::get({16}, b.getF32Type()), q);
  return scheme.hasMin ? vectorFma(b, scales, value, minimums)
                       : arith::MulFOp::create(b, scales, value).getResult();
}

} // namespace llmc::quant
