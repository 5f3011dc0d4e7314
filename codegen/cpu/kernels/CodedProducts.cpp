//===- CodedProducts.cpp - products with coded floats ---------------------===//
//
// A line of 64 signs and mantissas and 64 codes become 64 bf16 by two lookups of bytes, the upper and the
// lower byte of each, and two interleavings: that is quicker than memory.
//
//===----------------------------------------------------------------------===//
#include "codegen/cpu/kernels/CodedProducts.h"

#include "codegen/cpu/isa/Dot.h"
#include "ir/quant/CodedFloat.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace llmc::cpu {

namespace coded = quant::coded;
using quant::QuantScheme;

namespace {

constexpr int64_t pairBytes = 64; // of two columns
constexpr int64_t placesOfRecord = coded::columns * quant::panelRows;
constexpr int64_t unpackedBytes = coded::columns / 2 * pairBytes;

/// Reads the records of one panel.
class CodedPanel {
public:
  CodedPanel(Emitter &e, const Isa &isa, const QuantScheme &scheme, Value panel, Value records)
      : isa(isa), scheme(scheme), panel(panel), highs(table(e, 0)), lows(table(e, coded::lowsOffset)),
        list(e.at(panel, e.add(e.mul(records, scheme.recordBytes), scheme.panelHeader))),
        count(unsignedWord(e, e.at(panel, coded::countOffset))) {}

  Value record(Emitter &e, Value number) const {
    return e.at(panel, e.add(e.mul(number, scheme.recordBytes), scheme.panelHeader));
  }
  /// vector<16xi32> of each two columns of a record: bf16 next to bf16, of 16 rows, as they are but for
  /// exceptions.
  Values columnPairs(Emitter &e, Value record) const {
    auto bytes = e.vec(64, e.i8()), words = e.vec(32, e.i16());
    Value codes = e.load(bytes, record, coded::codesOffset);
    // No shift of bytes: the bits that come from the byte above are masked away.
    Value above = e.bitcast(arith::ShRUIOp::create(e, e.bitcast(codes, words), e.splat(words, 4)), bytes);
    Values pairs;
    for (auto [line, index] : llvm::enumerate(Values{codes, above})) {
      Value mantissas = e.load(bytes, record, line * quant::lineBytes);
      index = e.both(index, e.splat(bytes, coded::codes - 1));
      Value high = joined(e, e.both(mantissas, e.splat(bytes, -128)), lookUpBytes(e, isa.dot, highs, index));
      Value low = joined(e, e.both(mantissas, e.splat(bytes, 127)), lookUpBytes(e, isa.dot, lows, index));
      for (int64_t half : {0, 8}) {
        SmallVector<int64_t> order; // of vpunpcklbw and vpunpckhbw
        for (int64_t group = 0; group < 64; group += 16)
          for (int64_t i = 0; i < 8; ++i)
            order.append({group + half + i, 64 + group + half + i});
        pairs.push_back(e.bitcast(vector::ShuffleOp::create(e, low, high, order), e.vec(lanes, e.i32())));
      }
    }
    return pairs;
  }
  Value exceptions() const { return count; }
  /// Column * 16 + row of an exception, and its bf16.
  Value place(Emitter &e, Value exception) const { return unsignedWord(e, at(e, exception)); }
  Value bits(Emitter &e, Value exception) const {
    return e.load(e.i16(), at(e, exception), coded::bitsOffset);
  }
  /// The record that an exception stands in; of numbers that no exception has: `none`.
  Value recordOf(Emitter &e, Value exception, Value none) const {
    Value within = e.min(exception, e.sub(count, 1)); // -1 is in front of the list, in the last record
    return e.select(e.less(exception, count), e.div(place(e, within), placesOfRecord), none);
  }

private:
  static Value joined(Emitter &e, Value a, Value b) { return arith::OrIOp::create(e, a, b); }
  Value table(Emitter &e, int64_t offset) {
    Value sixteen = e.load(e.vec(16, e.i8()), panel, offset);
    SmallVector<int64_t> order;
    for (int64_t i = 0; i < 64; ++i)
      order.push_back(i % 16);
    return vector::ShuffleOp::create(e, sixteen, sixteen, order);
  }
  Value at(Emitter &e, Value exception) const { return e.at(list, e.mul(exception, coded::exceptionBytes)); }
  static Value unsignedWord(Emitter &e, Value address) {
    return arith::ExtUIOp::create(e, e.i64(), e.load(e.i32(), address));
  }

  const Isa &isa;
  const QuantScheme &scheme;
  Value panel, highs, lows, list, count;
};

std::string nameOf(const char *what, const QuantScheme &scheme, const Isa &isa) {
  return llvm::formatv("llmc.{0}.{1}.{2}", what, isa.name, llvm::StringRef(scheme.name)).str();
}

/// The first or the second of a pair of columns, as f32.
Value columnOf(Emitter &e, Value pair, int64_t which) {
  Value bits = which ? e.both(pair, e.splat(pair.getType(), int32_t(0xffff0000)))
                     : arith::ShLIOp::create(e, pair, e.splat(pair.getType(), 16)).getResult();
  return e.bitcast(bits, e.floats());
}

} // namespace

int64_t unpackedPanelBytes(const QuantScheme &coded, int64_t k) { return coded.records(k) * unpackedBytes; }

LLVM::LLVMFuncOp emitUnpack(Emitter &e, ModuleOp module, const QuantScheme &scheme, const Isa &isa) {
  Type p = e.ptr(), i = e.i64();
  return emitFunction(
      e, module, nameOf("unpack", scheme, isa), isa, {p, i, i, i, i, p}, true, [&](ValueRange a) {
        CodedPanel panel(e, isa, scheme, a[0], a[1]);
        Value first = a[2], last = a[3], out = a[5];
        e.loop(first, last, 1, [&](Value number) {
          Value to = e.at(out, e.mul(e.sub(number, first), unpackedBytes));
          for (auto [i, pair] : llvm::enumerate(panel.columnPairs(e, panel.record(e, number))))
            e.store(pair, to, i * pairBytes);
        });
        e.loopWhile(
            a[4], [&](Value exception) { return e.less(panel.recordOf(e, exception, last), last); },
            [&](Value exception) {
              Value place = e.sub(panel.place(e, exception), e.mul(first, placesOfRecord));
              Value column = e.div(place, quant::panelRows), row = e.rem(place, quant::panelRows);
              Value at = e.add(e.mul(e.div(column, 2), pairBytes), e.mul(row, 4));
              e.store(panel.bits(e, exception), e.at(out, e.add(at, e.mul(e.rem(column, 2), 2))));
            });
      });
}

LLVM::LLVMFuncOp emitUnpackedProducts(Emitter &e, ModuleOp module, const QuantScheme &scheme, const Isa &isa,
                                      int rows, int panels) {
  Type p = e.ptr(), i = e.i64();
  std::string name =
      llvm::formatv("{0}.unpacked.{1}x{2}", nameOf("products", scheme, isa), rows, panels).str();
  return emitFunction(e, module, name, isa, {p, i, p, i, i, p, i, p}, true, [&](ValueRange a) {
    Values weights = addressesOf(e, a[0], a[1], panels), xs = addressesOf(e, a[2], a[3], rows);
    Values sums =
        e.loop(e.c(0), e.mul(a[4], coded::columns / 2), 1, Values(rows * panels, e.zeros()),
               [&](Value number, ValueRange carried) {
                 Values sums(carried), pairs, x;
                 Value next = e.at(a[7], e.mul(number, panels * coded::recordBytes * 2 / coded::columns));
                 for (int line = 0; line < panels; ++line)
                   e.prefetch(e.at(next, line * quant::lineBytes), 2);
                 for (Value panel : weights)
                   pairs.push_back(e.load(e.vec(lanes, e.i32()), e.at(panel, e.mul(number, pairBytes))));
                 for (Value row : xs)
                   x.push_back(e.at(row, e.mul(number, 8)));
                 for (int column = 0; column < 2; ++column)
                   for (int row = 0; row < rows; ++row) {
                     Value value = e.broadcast(e.load(e.f32(), x[row], 4 * column));
                     for (int n = 0; n < panels; ++n) {
                       Value &sum = sums[row * panels + n];
                       sum = e.fma(columnOf(e, pairs[n], column), value, sum);
                     }
                   }
                 return sums;
               });
    Values out = addressesOf(e, a[5], a[6], rows);
    for (int row = 0; row < rows; ++row)
      for (int n = 0; n < panels; ++n)
        e.store(sums[row * panels + n], out[row], 64 * n);
  });
}

namespace {

/// The sums of a single row with some panels.
class RowProducts {
public:
  RowProducts(Emitter &e, const Isa &isa, const QuantScheme &scheme, int panels, ValueRange a,
              LLVM::LLVMFuncOp unpack)
      : e(e), x(a[2]), records(a[4]), ahead(a[7]), room(e.scratch(panels * unpackedBytes)), unpack(unpack),
        bases(addressesOf(e, a[0], a[1], panels)) {
    for (Value base : bases)
      coding.emplace_back(e, isa, scheme, base, records);
  }

  /// Records between those with exceptions are decoded in registers, these through memory. Carried are the
  /// next record, the next exception of each panel, and the sums.
  Values sums() {
    Values start(1 + bases.size(), e.c(0));
    start.append(bases.size(), e.zeros());
    Value runs = e.c(1);
    for (const CodedPanel &panel : coding)
      runs = e.add(runs, panel.exceptions());
    Values end = e.loop(e.c(0), runs, 1, start, [&](Value, ValueRange carried) {
      Value first = carried[0], last = records;
      Values exceptions(carried.slice(1, bases.size())), sums(carried.drop_front(1 + bases.size())), at;
      for (auto [panel, exception] : llvm::zip(coding, exceptions)) {
        at.push_back(panel.recordOf(e, exception, records));
        last = e.min(last, at.back());
      }
      sums = e.loop(first, last, 1, sums,
                    [&](Value number, ValueRange carried) { return decoded(number, carried); });
      Value isRare = e.both(e.less(last, records), e.less(e.sub(first, 1), last));
      sums = e.choose(
          isRare, ValueRange(sums).getTypes(), [&] { return throughMemory(last, exceptions, sums); },
          [&] { return sums; });
      Values next = {e.max(first, e.add(last, 1))};
      for (auto [exception, record] : llvm::zip(exceptions, at))
        next.push_back(e.add(exception, arith::ExtUIOp::create(e, e.i64(), e.equal(record, last))));
      next.append(sums);
      return next;
    });
    return Values(llvm::drop_begin(end, 1 + bases.size()));
  }

private:
  /// A column of all panels after the other: their sums wait for themselves, not for each other.
  Values add(ValueRange carried, Value number, ArrayRef<Values> pairsOfPanels) {
    Values sums(carried);
    Value xs = e.at(x, e.mul(number, coded::columns * 4));
    for (int64_t column = 0; column < coded::columns; ++column) {
      Value value = e.broadcast(e.load(e.f32(), xs, 4 * column));
      for (auto [sum, pairs] : llvm::zip(sums, pairsOfPanels))
        sum = e.fma(columnOf(e, pairs[column / 2], column % 2), value, sum);
    }
    return sums;
  }
  Values decoded(Value number, ValueRange carried) {
    SmallVector<Values> pairs;
    for (const CodedPanel &panel : coding) {
      Value record = panel.record(e, number);
      prefetch(record);
      pairs.push_back(panel.columnPairs(e, record));
    }
    return add(carried, number, pairs);
  }
  /// What the next tile has at this place goes to the second level, what comes soon to the first.
  void prefetch(Value record) {
    constexpr int64_t soon = 2048;
    for (int64_t line = 0; line < coded::recordBytes; line += quant::lineBytes) {
      e.prefetch(e.at(record, soon + line), 1);
      e.prefetch(e.at(e.at(record, ahead), line), 2);
    }
  }
  Values throughMemory(Value number, ValueRange exceptions, ValueRange carried) {
    SmallVector<Values> pairs(bases.size());
    for (auto [n, base] : llvm::enumerate(bases)) {
      Value place = e.at(room, n * unpackedBytes);
      e.call(unpack, {base, records, number, e.add(number, 1), exceptions[n], place});
      for (int64_t i = 0; i < coded::columns / 2; ++i)
        pairs[n].push_back(e.load(e.vec(lanes, e.i32()), place, i * pairBytes));
    }
    return add(carried, number, pairs);
  }

  Emitter &e;
  Value x, records, ahead, room;
  LLVM::LLVMFuncOp unpack;
  Values bases;
  SmallVector<CodedPanel> coding;
};

} // namespace

LLVM::LLVMFuncOp emitCodedProducts(Emitter &e, ModuleOp module, const QuantScheme &scheme, const Isa &isa,
                                   int panels) {
  Type p = e.ptr(), i = e.i64();
  std::string name = llvm::formatv("{0}.1x{1}", nameOf("products", scheme, isa), panels).str();
  auto unpack = emitUnpack(e, module, scheme, isa);
  return emitFunction(e, module, name, isa, {p, i, p, i, i, p, i, i}, true, [&](ValueRange a) {
    Values sums = RowProducts(e, isa, scheme, panels, a, unpack).sums();
    for (auto [n, sum] : llvm::enumerate(sums))
      e.store(sum, a[5], 64 * n);
  });
}

} // namespace llmc::cpu
