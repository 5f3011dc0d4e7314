//===- CodedElementIR.cpp - one number of coded floats --------------------===//
#include "ir/quant/CodedElementIR.h"

#include "ir/quant/CodedFloat.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace llmc::quant {
namespace {

/// Words for i64, and loads from a panel.
struct Words {
  ImplicitLocOpBuilder b;
  Value panel;

  Value c(int64_t value) { return arith::ConstantOp::create(b, b.getI64IntegerAttr(value)); }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, x, y); }
  Value mul(Value x, int64_t y) { return arith::MulIOp::create(b, x, c(y)); }
  Value div(Value x, int64_t y) { return arith::DivUIOp::create(b, x, c(y)); }
  Value rem(Value x, int64_t y) { return arith::RemUIOp::create(b, x, c(y)); }
  Value both(Value x, int64_t y) { return arith::AndIOp::create(b, x, c(y)); }
  Value joined(Value x, Value y) { return arith::OrIOp::create(b, x, y); }
  Value equal(Value x, Value y) { return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, x, y); }
  Value load(Type type, Value bytes) {
    Value at = LLVM::GEPOp::create(b, panel.getType(), b.getI8Type(), panel, ArrayRef<LLVM::GEPArg>{bytes});
    return LLVM::LoadOp::create(b, type, at, type.getIntOrFloatBitWidth() / 8);
  }
  Value loadWide(Type type, Value bytes) {
    return arith::ExtUIOp::create(b, b.getI64Type(), load(type, bytes));
  }
  Value byteAt(Value bytes) { return loadWide(b.getI8Type(), bytes); }
};

/// Goes through the list of exceptions, of which there are few.
Value exceptionOr(Words w, Value dense, const QuantScheme &scheme, Value row, Value k, int64_t columns) {
  const int64_t list = scheme.panelHeader + scheme.records(columns) * scheme.recordBytes;
  Value place = w.add(w.mul(k, panelRows), row);
  Value count = w.loadWide(w.b.getI32Type(), w.c(coded::countOffset));
  auto loop = scf::ForOp::create(
      w.b, w.c(0), count, w.c(1), dense, [&](OpBuilder &at, Location loc, Value i, ValueRange carried) {
        Words in{ImplicitLocOpBuilder(loc, at), w.panel};
        Value exception = in.add(in.mul(i, coded::exceptionBytes), in.c(list));
        Value isIt = in.equal(place, in.loadWide(at.getI32Type(), exception));
        Value bits = in.load(at.getI16Type(), in.add(exception, in.c(coded::bitsOffset)));
        scf::YieldOp::create(at, loc, arith::SelectOp::create(in.b, isIt, bits, carried[0]).getResult());
      });
  return loop.getResult(0);
}

} // namespace

Value loadCodedBits(ImplicitLocOpBuilder &b, const QuantScheme &scheme, Value panel, Value row, Value k,
                    int64_t columns) {
  Words w{b, panel};
  Value record = w.add(w.mul(w.div(k, scheme.recordValues), scheme.recordBytes), w.c(scheme.panelHeader));
  Value column = w.rem(k, scheme.recordValues), line = w.div(column, coded::lineColumns);
  Value inLine = w.rem(column, coded::lineColumns);
  // coded::byteOf
  Value ofRow = w.add(w.mul(w.div(row, 4), 16), w.mul(w.rem(row, 4), 2));
  Value at = w.add(ofRow, w.add(w.rem(inLine, 2), w.mul(w.div(inLine, 2), 8)));
  Value mantissa = w.byteAt(w.add(record, w.add(w.mul(line, lineBytes), at)));
  Value codes = w.byteAt(w.add(record, w.add(w.c(coded::codesOffset), at)));
  Value code = w.both(arith::ShRUIOp::create(b, codes, w.mul(line, 4)), coded::codes - 1);
  Value high = w.joined(w.both(mantissa, 0x80), w.byteAt(code));
  Value low = w.joined(w.both(mantissa, 0x7f), w.byteAt(w.add(code, w.c(coded::lowsOffset))));
  Value both = w.joined(w.mul(high, 256), low); // 0 for exceptions
  Value dense = arith::TruncIOp::create(b, b.getI16Type(), both);
  auto branch = scf::IfOp::create(
      b, w.equal(both, w.c(0)),
      [&](OpBuilder &at, Location loc) {
        Words in{ImplicitLocOpBuilder(loc, at), panel};
        scf::YieldOp::create(at, loc, exceptionOr(in, dense, scheme, row, k, columns));
      },
      [&](OpBuilder &at, Location loc) { scf::YieldOp::create(at, loc, dense); });
  return branch.getResult(0);
}

} // namespace llmc::quant
