//===- SchemeIR.cpp - unpacking weights inside kernels --------------------===//
//
// The inverse of the packers as IR: byte offsets of a record, then shifts, masks and one fma.
//
//===----------------------------------------------------------------------===//
#include "ir/quant/SchemeIR.h"

#include "ir/quant/CodedElementIR.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace llmc::quant {
namespace {

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

Value address(ImplicitLocOpBuilder &b, Value base, int64_t bytes) {
  if (!bytes)
    return base;
  return LLVM::GEPOp::create(b, base.getType(), b.getI8Type(), base, ArrayRef<LLVM::GEPArg>{int32_t(bytes)},
                             LLVM::GEPNoWrapFlags::inbounds);
}

/// A type of the same shape, with another element.
Type like(Value value, Type element) {
  auto shaped = dyn_cast<VectorType>(value.getType());
  return shaped ? VectorType::get(shaped.getShape(), element) : element;
}

Value fma(ImplicitLocOpBuilder &b, Value x, Value y, Value z) {
  return LLVM::FMAOp::create(b, x.getType(), x, y, z);
}

/// bf16 bits (an integer or a vector of them) as f32: the upper half of a float.
Value widenBFloat16(ImplicitLocOpBuilder &b, Value bits) {
  Value wide = arith::ExtUIOp::create(b, like(bits, b.getI32Type()), bits);
  wide = arith::ShLIOp::create(b, wide, constant(b, wide.getType(), 16));
  return arith::BitcastOp::create(b, like(bits, b.getF32Type()), wide);
}

Value signedFloat(ImplicitLocOpBuilder &b, Value bytes) {
  Value wide = arith::ExtSIOp::create(b, like(bytes, b.getI32Type()), bytes);
  return arith::SIToFPOp::create(b, like(bytes, b.getF32Type()), wide);
}

/// exponentToFloat of bytes.
Value exponentFloat(ImplicitLocOpBuilder &b, Value bytes) {
  Value e = arith::ExtUIOp::create(b, like(bytes, b.getI32Type()), bytes);
  auto c = [&](int64_t value) { return constant(b, e.getType(), value); };
  Value isSmall = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, e, c(2));
  Value small = arith::ShLIOp::create(b, c(0x00200000), arith::AndIOp::create(b, e, c(1)));
  Value normal = arith::ShLIOp::create(b, arith::SubIOp::create(b, e, c(1)), c(23));
  return arith::BitcastOp::create(b, like(e, b.getF32Type()),
                                  arith::SelectOp::create(b, isSmall, small, normal));
}

/// The scale or minimum of a group out of its stored byte, before it is multiplied by the super-block's.
Value superByte(ImplicitLocOpBuilder &b, const QuantScheme &s, Value bytes, bool isMinimum) {
  if (s.scale == ScaleKind::SuperNibbles)
    bytes = isMinimum ? arith::ShRUIOp::create(b, bytes, constant(b, bytes.getType(), 4)).getResult()
                      : arith::AndIOp::create(b, bytes, constant(b, bytes.getType(), 15)).getResult();
  return signedFloat(b, bytes);
}

/// scale * q + minimum, or scale * q; q is an integer without its zero point.
Value combine(ImplicitLocOpBuilder &b, const QuantScheme &s, Value q, Value scale, Value minimum) {
  Value value = arith::SIToFPOp::create(b, like(q, b.getF32Type()), q);
  return s.hasMin ? fma(b, scale, value, minimum) : arith::MulFOp::create(b, scale, value).getResult();
}

/// The one element of loadElement, for an integer scheme.
class ElementLoader {
public:
  ElementLoader(ImplicitLocOpBuilder &b, const QuantScheme &s, Value panel, Value row, Value k)
      : b(b), s(s), panel(panel), row(row) {
    record = add(mul(div(k, s.recordValues), s.recordBytes), c(s.panelHeader));
    column = rem(k, s.recordValues);
    group = div(column, s.group);
  }

  Value value() {
    Value q = plane(0, s.lowBits);
    if (s.highBits)
      q = arith::OrIOp::create(b, q,
                               arith::ShLIOp::create(b, plane(s.highOffset(), s.highBits),
                                                     constant(b, b.getI32Type(), s.lowBits)));
    if (s.codebook)
      q = lookup(q);
    else if (s.isSigned())
      q = arith::ExtSIOp::create(b, b.getI32Type(), arith::TruncIOp::create(b, b.getI8Type(), q));
    else if (s.zeroPoint)
      q = arith::SubIOp::create(b, q, constant(b, b.getI32Type(), s.zeroPoint));
    return combine(b, s, q, scale(), s.hasMin ? minimum() : Value());
  }

private:
  Value c(int64_t value) { return constant(b, b.getI64Type(), value); }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, x, y); }
  Value mul(Value x, int64_t y) { return arith::MulIOp::create(b, x, c(y)); }
  Value div(Value x, int64_t y) { return arith::DivUIOp::create(b, x, c(y)); }
  Value rem(Value x, int64_t y) { return arith::RemUIOp::create(b, x, c(y)); }
  Value load(Type type, Value bytes, unsigned alignment) {
    return LLVM::LoadOp::create(b, type, address(b, panel, bytes), alignment);
  }

  Value plane(int64_t offset, int bits) {
    const int64_t perLine = 8 / bits;
    Value quad = div(column, 4);
    Value byte = add(mul(div(quad, perLine), lineBytes), add(mul(row, 4), rem(column, 4)));
    Value stored =
        arith::ExtUIOp::create(b, b.getI32Type(), load(b.getI8Type(), add(add(record, c(offset)), byte), 1));
    Value shift = arith::TruncIOp::create(b, b.getI32Type(), mul(rem(quad, perLine), bits));
    stored = arith::ShRUIOp::create(b, stored, shift);
    return arith::AndIOp::create(b, stored, constant(b, b.getI32Type(), (1 << bits) - 1));
  }

  /// The codebook is two constants of eight bytes.
  Value lookup(Value index) {
    uint64_t words[2] = {0, 0};
    for (int i = 0; i < 16; ++i)
      words[i / 8] |= uint64_t(uint8_t(s.codebook[i])) << (8 * (i % 8));
    Value wide = arith::ExtUIOp::create(b, b.getI64Type(), index);
    Value isHigh = arith::CmpIOp::create(b, arith::CmpIPredicate::uge, wide, c(8));
    Value word = arith::SelectOp::create(b, isHigh, c(int64_t(words[1])), c(int64_t(words[0])));
    word = arith::ShRUIOp::create(b, word, mul(rem(wide, 8), 8));
    return arith::ExtSIOp::create(b, b.getI32Type(), arith::TruncIOp::create(b, b.getI8Type(), word));
  }

  Value halfAt(int64_t offset, Value index) {
    Value bytes = add(add(record, c(offset)), mul(index, 2));
    return arith::ExtFOp::create(b, b.getF32Type(), load(b.getF16Type(), bytes, 2));
  }
  Value inGroup() { return add(mul(group, panelRows), row); }
  Value byteAt(int64_t offset) { return load(b.getI8Type(), add(add(record, c(offset)), inGroup()), 1); }

  Value scale() {
    switch (s.scale) {
    case ScaleKind::Half:
      return halfAt(s.scalesOffset(), inGroup());
    case ScaleKind::Exponent:
      return exponentFloat(b, byteAt(s.scalesOffset()));
    case ScaleKind::Row:
      return load(b.getF32Type(), mul(row, 4), 4);
    default:
      return arith::MulFOp::create(b, halfAt(s.superScalesOffset(), row),
                                   superByte(b, s, byteAt(s.scalesOffset()), false));
    }
  }

  Value minimum() {
    if (s.scale == ScaleKind::Half)
      return halfAt(s.minimumsOffset(), inGroup());
    const bool isShared = s.scale == ScaleKind::SuperNibbles;
    Value bytes = byteAt(isShared ? s.scalesOffset() : s.minimumsOffset());
    return arith::NegFOp::create(
        b, arith::MulFOp::create(b, halfAt(s.superMinimumsOffset(), row), superByte(b, s, bytes, true)));
  }

  ImplicitLocOpBuilder &b;
  const QuantScheme &s;
  Value panel, row, record, column, group;
};

/// 16 halves as f32.
Value loadHalves(ImplicitLocOpBuilder &b, Value base, int64_t offset) {
  Value halves = LLVM::LoadOp::create(b, VectorType::get({16}, b.getF16Type()), address(b, base, offset), 32);
  return arith::ExtFOp::create(b, VectorType::get({16}, b.getF32Type()), halves);
}

} // namespace

Value loadElement(ImplicitLocOpBuilder &b, const QuantScheme &s, Value panelBase, Value row, Value k,
                  int64_t columns) {
  if (s.isInteger())
    return ElementLoader(b, s, panelBase, row, k).value();
  if (s.isCoded())
    return widenBFloat16(b, loadCodedBits(b, s, panelBase, row, k, columns));
  auto c = [&](int64_t value) { return constant(b, b.getI64Type(), value); };
  Value index = arith::AddIOp::create(b, arith::MulIOp::create(b, k, c(panelRows)), row);
  Value at = address(b, panelBase, arith::MulIOp::create(b, index, c(s.blockBytes)));
  switch (s.storage) {
  case Storage::Float32:
    return LLVM::LoadOp::create(b, b.getF32Type(), at, 4);
  case Storage::Float16:
    return arith::ExtFOp::create(b, b.getF32Type(),
                                 LLVM::LoadOp::create(b, b.getF16Type(), at, 2).getResult());
  default:
    return widenBFloat16(b, LLVM::LoadOp::create(b, b.getI16Type(), at, 2).getResult());
  }
}

OuterScales OuterScales::ofPanel(ImplicitLocOpBuilder &b, const QuantScheme &s, Value panelBase) {
  OuterScales outer;
  if (s.scale == ScaleKind::Row)
    outer.scales = LLVM::LoadOp::create(b, VectorType::get({16}, b.getF32Type()), panelBase, 32);
  return outer;
}

OuterScales OuterScales::ofRecord(ImplicitLocOpBuilder &b, const QuantScheme &s, Value recordBase) {
  OuterScales outer;
  if (s.hasSuperBlocks()) {
    outer.scales = loadHalves(b, recordBase, s.superScalesOffset());
    if (s.hasMin)
      outer.minimums = loadHalves(b, recordBase, s.superMinimumsOffset());
  }
  return outer;
}

ChunkReader::ChunkReader(ImplicitLocOpBuilder &b, const QuantScheme &scheme, Value recordBase, Value chunk,
                         OuterScales outer, ByteLookup lookup, int64_t columns)
    : b(b), scheme(scheme), base(recordBase), chunk(chunk), outer(outer), lookup(std::move(lookup)),
      columns(columns) {}

ChunkReader ChunkReader::part(Value i) const {
  Value number = i;
  if (chunk)
    number = arith::AddIOp::create(
        b, i, arith::MulIOp::create(b, chunk, constant(b, b.getI64Type(), columns / partValues)));
  return ChunkReader(b, scheme, base, number, outer, lookup, partValues);
}

/// What stands `offset` bytes into the record for chunk 0, and `perChunk` bytes further for each one after.
Value ChunkReader::load(Type type, int64_t offset, int64_t perChunk, unsigned alignment) {
  Value &value = loaded[{offset, perChunk}];
  if (!value) {
    Value pointer = base;
    if (chunk && perChunk)
      pointer = address(b, base, arith::MulIOp::create(b, chunk, constant(b, b.getI64Type(), perChunk)));
    value = LLVM::LoadOp::create(b, type, address(b, pointer, offset), alignment);
  }
  return value;
}

Value ChunkReader::halves(int64_t offset, int64_t perChunk) {
  return arith::ExtFOp::create(b, VectorType::get({16}, b.getF32Type()),
                               load(VectorType::get({16}, b.getF16Type()), offset, perChunk, 32));
}

/// The line that holds quad q. Where a line holds more than the chunk, it is shifted so that the chunk begins
/// at bit 0.
Value ChunkReader::line(int64_t offset, int bits, int64_t q) {
  const int64_t perLine = 8 / bits, quads = columns / 4;
  auto bytes = VectorType::get({lineBytes}, b.getI8Type());
  if (quads >= perLine)
    return load(bytes, offset + q / perLine * lineBytes, quads / perLine * lineBytes, 32);
  Value &cut = cutLines[offset];
  if (cut)
    return cut;
  auto number = [&](int64_t value) { return constant(b, b.getI64Type(), value); };
  Value inLine = number(0), first = base;
  if (chunk) {
    Value chunks = number(perLine / quads);
    inLine = arith::RemUIOp::create(b, chunk, chunks);
    first = address(b, base,
                    arith::MulIOp::create(b, arith::DivUIOp::create(b, chunk, chunks), number(lineBytes)));
  }
  Value whole = LLVM::LoadOp::create(b, bytes, address(b, first, offset), 32);
  auto words = VectorType::get({lineBytes / 2}, b.getI16Type());
  Value bit = arith::MulIOp::create(b, inLine, number(quads * bits));
  Value count = vector::BroadcastOp::create(b, words, arith::TruncIOp::create(b, b.getI16Type(), bit));
  Value shifted = arith::ShRUIOp::create(b, vector::BitCastOp::create(b, words, whole), count);
  return cut = vector::BitCastOp::create(b, bytes, shifted);
}

/// `bits` bits of each byte of quad q, moved to bit `to`.
Value ChunkReader::plane(int64_t offset, int bits, int64_t q, int to) {
  const int64_t perLine = 8 / bits;
  Value line = this->line(offset, bits, q);
  if (bits == 8)
    return line;
  auto bytes = VectorType::get({lineBytes}, b.getI8Type()),
       words = VectorType::get({lineBytes / 2}, b.getI16Type());
  // Shifted as 16-bit lanes, which every vector unit has; the mask drops what crosses the bytes.
  const int64_t shift = bits * (q % perLine) - to;
  if (shift) {
    Value wide = vector::BitCastOp::create(b, words, line), count = constant(b, words, std::abs(shift));
    wide = shift > 0 ? arith::ShRUIOp::create(b, wide, count).getResult()
                     : arith::ShLIOp::create(b, wide, count);
    line = vector::BitCastOp::create(b, bytes, wide);
  }
  return arith::AndIOp::create(b, line, constant(b, bytes, ((1 << bits) - 1) << to));
}

Value ChunkReader::quad(int64_t q, int offset) {
  Value &quad = quads[q];
  if (quad)
    return quad;
  quad = plane(0, scheme.lowBits, q, 0);
  if (scheme.highBits)
    quad = arith::OrIOp::create(b, quad, plane(scheme.highOffset(), scheme.highBits, q, scheme.lowBits));
  if (scheme.codebook) {
    int8_t table[16];
    for (int i = 0; i < 16; ++i)
      table[i] = int8_t(scheme.codebook[i] + offset);
    quad = lookup(quad, table);
  } else if (offset) { // 128, the only one that is asked of bytes
    quad = arith::XOrIOp::create(b, quad, constant(b, quad.getType(), int8_t(offset)));
  }
  return quad;
}

Value ChunkReader::nibbleWords(int64_t q, int64_t i) {
  auto words = VectorType::get({lineBytes / 2}, b.getI16Type());
  Value line = vector::BitCastOp::create(b, words, this->line(0, 4, q));
  const int64_t shift = 4 * (q % 2) + 8 * i;
  return shift ? arith::ShRUIOp::create(b, line, constant(b, words, shift)).getResult() : line;
}

/// One byte of each row for group g of the chunk.
Value ChunkReader::groupBytes(int64_t offset, int64_t g) {
  return load(VectorType::get({16}, b.getI8Type()), offset + g * panelRows,
              columns / scheme.group * panelRows, 16);
}

Value ChunkReader::scales(int64_t g) {
  Value &value = groupScales[g];
  return value ? value : value = makeScales(g);
}

Value ChunkReader::minimums(int64_t g) {
  Value &value = groupMinimums[g];
  return value ? value : value = makeMinimums(g);
}

Value ChunkReader::makeScales(int64_t g) {
  switch (scheme.scale) {
  case ScaleKind::Half:
    return halves(scheme.scalesOffset() + g * panelRows * 2, columns / scheme.group * panelRows * 2);
  case ScaleKind::Exponent:
    return exponentFloat(b, groupBytes(scheme.scalesOffset(), g));
  case ScaleKind::Row:
    return outer.scales;
  default:
    return arith::MulFOp::create(b, outer.scales,
                                 superByte(b, scheme, groupBytes(scheme.scalesOffset(), g), false));
  }
}

Value ChunkReader::makeMinimums(int64_t g) {
  if (scheme.scale == ScaleKind::Half)
    return halves(scheme.minimumsOffset() + g * panelRows * 2, columns / scheme.group * panelRows * 2);
  const bool isShared = scheme.scale == ScaleKind::SuperNibbles;
  Value bytes = groupBytes(isShared ? scheme.scalesOffset() : scheme.minimumsOffset(), g);
  return arith::NegFOp::create(b,
                               arith::MulFOp::create(b, outer.minimums, superByte(b, scheme, bytes, true)));
}

Value ChunkReader::column(int64_t k, Value scales, Value minimums) {
  switch (scheme.storage) {
  case Storage::Float32:
    return load(VectorType::get({16}, b.getF32Type()), 0, 0, 32);
  case Storage::Float16:
    return halves(0, 0);
  case Storage::BFloat16:
    return widenBFloat16(b, load(VectorType::get({16}, b.getI16Type()), 0, 0, 32));
  case Storage::CodedBFloat16:
  case Storage::Integer:
    break;
  }
  auto words = VectorType::get({16}, b.getI32Type());
  Value q = vector::BitCastOp::create(b, words, quad(k / 4));
  const int64_t byte = k % 4, group = k / scheme.group;
  if (scheme.isSigned()) {
    if (byte != 3)
      q = arith::ShLIOp::create(b, q, constant(b, words, 24 - 8 * byte));
    q = arith::ShRSIOp::create(b, q, constant(b, words, 24));
  } else {
    if (byte)
      q = arith::ShRUIOp::create(b, q, constant(b, words, 8 * byte));
    if (byte != 3)
      q = arith::AndIOp::create(b, q, constant(b, words, 255));
    if (scheme.zeroPoint)
      q = arith::SubIOp::create(b, q, constant(b, words, scheme.zeroPoint));
  }
  if (!scales) {
    scales = this->scales(group);
    minimums = scheme.hasMin ? this->minimums(group) : Value();
  }
  return combine(b, scheme, q, scales, minimums);
}

} // namespace llmc::quant
