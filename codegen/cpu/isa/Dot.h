//===- Dot.h - int8 dot products of a group ---------------------*- C++ -*-===//
//
// One accumulator for 16 output rows over one group of 32 columns, for the dot unit of an instruction set.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_CPU_ISA_DOT_H
#define LLMC_CODEGEN_CPU_ISA_DOT_H

#include "codegen/cpu/Emitter.h"
#include "codegen/cpu/isa/Isa.h"
#include "ir/quant/SchemeIR.h"

namespace llmc::cpu {

/// What the unit multiplies instead of the true weight: weight = stored - bias. The caller starts the sum at
/// -bias * sum(x), see GroupDot.
int dotBias(const quant::QuantScheme &, DotUnit);

/// Weights of one quad as the unit wants them; made once, used for every activation row.
llvm::SmallVector<mlir::Value> prepareQuad(Emitter &, const quant::QuantScheme &, DotUnit, mlir::Value quad);
/// The same for four activations: an i32 of four int8.
llvm::SmallVector<mlir::Value> prepareActivations(Emitter &, DotUnit, mlir::Value four);

/// Sum of products of a group.
class GroupDot {
public:
  /// `start`: i32, -bias * sum(x) of the group; null if the bias is 0.
  GroupDot(Emitter &, const quant::QuantScheme &, DotUnit, mlir::Value start);
  void add(Emitter &, llvm::ArrayRef<mlir::Value> quad, llvm::ArrayRef<mlir::Value> activations);
  /// The exact sum of all quads, as vector<16xf32>.
  mlir::Value finish(Emitter &);

private:
  const quant::QuantScheme &scheme;
  DotUnit unit;
  mlir::Value start;
  llvm::SmallVector<mlir::Value> sums;
};

} // namespace llmc::cpu
#endif
