//===- Dot.h - int8 dot products of a group ---------------------*- C++ -*-===//
//
// One accumulator for 16 output rows over one group of columns, for the dot unit of an instruction set.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_CPU_ISA_DOT_H
#define LLMC_CODEGEN_CPU_ISA_DOT_H

#include "codegen/cpu/Entry.h"
#include "codegen/cpu/isa/Isa.h"
#include "ir/quant/SchemeIR.h"

namespace llmc::cpu {

/// How a unit multiplies the quants of a scheme by int8 activations (-127 to 127).
struct DotForm {
  int offset;       // added to signed quants, which makes them unsigned bytes
  int bias;         // what is multiplied is weight + bias: the sum starts at -bias * sum(x), see GroupDot
  bool isSigned;    // the products of this unit take signed quants as they are
  int quadsPerWord; // quads whose sum fits the unit's accumulator whatever the data is
  static DotForm of(const quant::QuantScheme &, DotUnit);
};

/// vector<64xi8> of table[index] for indices below 16; the table stands four times in its vector<64xi8>.
mlir::Value lookUpBytes(Emitter &, DotUnit, mlir::Value table, mlir::Value indices);
/// The same of constants, by the unit's vector instructions.
quant::ByteLookup byteLookup(Emitter &, DotUnit);

/// Weights of one quad as the unit wants them; made once, used for every activation row.
llvm::SmallVector<mlir::Value> prepareQuad(Emitter &, const DotForm &, DotUnit, mlir::Value quad);
/// The same for four activations: an i32 of four int8.
llvm::SmallVector<mlir::Value> prepareActivations(Emitter &, DotUnit, mlir::Value four);

/// Sum of products of a group.
class GroupDot {
public:
  /// `start`: i32, -bias * sum(x) of the group; null if the bias is 0.
  GroupDot(Emitter &, const DotForm &, DotUnit, mlir::Value start);
  void add(Emitter &, llvm::ArrayRef<mlir::Value> quad, llvm::ArrayRef<mlir::Value> activations);
  /// The exact sum of all quads, as vector<16xf32>.
  mlir::Value finish(Emitter &);

private:
  void widen(Emitter &);

  DotForm form;
  DotUnit unit;
  llvm::SmallVector<mlir::Value, 2> sums, words; // of 32 bits, and of 16 on their way there
  int quadsInWords = 0;
};

/// For Isa::hasBF16Dots: 16 sums of f32, each plus the two products of a pair of bf16 with another. Vectors
/// of 64 bytes.
mlir::Value dotBF16Pairs(Emitter &, mlir::Value sums, mlir::Value a, mlir::Value b);
/// 32 words as 16 pairs: word i and word i + 16.
mlir::Value sideBySide(Emitter &, mlir::Value words);

} // namespace llmc::cpu
#endif
