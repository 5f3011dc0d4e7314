//===- AsmFormat.h - the textual form that the dialects share ---*- C++ -*-===//
//
// One strict dictionary for all ops (`custom<Params>`), and the short trailing types from which the others
// follow.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_IR_ASMFORMAT_H
#define LLMC_IR_ASMFORMAT_H

#include "mlir/IR/OpImplementation.h"

#include <optional>

namespace llmc {

/// `{key = value, flag}`: unknown keys are errors, strings may be bare words, integers stand for floats where
/// the op wants a float.
mlir::ParseResult parseParams(mlir::OpAsmParser &parser, mlir::OperationState &state,
                              mlir::NamedAttrList &attrs);
void printParams(mlir::OpAsmPrinter &printer, mlir::Operation *op);
template <typename Properties>
void printParams(mlir::OpAsmPrinter &printer, mlir::Operation *op, const Properties &, mlir::DictionaryAttr) {
  printParams(printer, op);
}

using Operand = mlir::OpAsmParser::UnresolvedOperand;
using OptionalOperand = std::optional<Operand>;

// Each custom directive of the assembly formats has a parse and a print function of its name.
namespace lm {
using llmc::parseParams;
using llmc::printParams;

mlir::ParseResult parseWeightShape(mlir::AsmParser &, llvm::SmallVector<int64_t> &shape);
void printWeightShape(mlir::AsmPrinter &, llvm::ArrayRef<int64_t> shape);

mlir::ParseResult parseEntryBody(mlir::OpAsmParser &, mlir::Region &body);
void printEntryBody(mlir::OpAsmPrinter &, mlir::Operation *, mlir::Region &body);

mlir::ParseResult parseLayerBodies(mlir::OpAsmParser &, llvm::SmallVectorImpl<Operand> &inits,
                                   llvm::SmallVectorImpl<mlir::Type> &initTypes,
                                   llvm::SmallVectorImpl<mlir::Type> &resultTypes,
                                   llvm::SmallVectorImpl<std::unique_ptr<mlir::Region>> &bodies);
void printLayerBodies(mlir::OpAsmPrinter &, mlir::Operation *, mlir::OperandRange inits,
                      mlir::TypeRange initTypes, mlir::TypeRange resultTypes,
                      llvm::MutableArrayRef<mlir::Region> bodies);

mlir::ParseResult parseNormType(mlir::OpAsmParser &, OptionalOperand gain, mlir::Type &x,
                                mlir::Type &gainType);
void printNormType(mlir::OpAsmPrinter &, mlir::Operation *, mlir::Value gain, mlir::Type x,
                   mlir::Type gainType);
mlir::ParseResult parseNormTypes(mlir::OpAsmParser &, OptionalOperand gain, OptionalOperand bias,
                                 mlir::Type &x, mlir::Type &gainType, mlir::Type &biasType);
void printNormTypes(mlir::OpAsmPrinter &, mlir::Operation *, mlir::Value gain, mlir::Value bias, mlir::Type x,
                    mlir::Type gainType, mlir::Type biasType);

mlir::ParseResult parseAttentionTypes(mlir::OpAsmParser &, mlir::Type &q, mlir::Type &k, mlir::Type &v,
                                      mlir::Type &y);
void printAttentionTypes(mlir::OpAsmPrinter &, mlir::Operation *, mlir::Type q, mlir::Type k, mlir::Type v,
                         mlir::Type y);

mlir::ParseResult parseFusedTypes(mlir::OpAsmParser &, OptionalOperand gain, OptionalOperand normBias,
                                  llvm::ArrayRef<Operand> biases, OptionalOperand residual, mlir::Type &x,
                                  mlir::Type &gainType, mlir::Type &normBiasType,
                                  llvm::SmallVectorImpl<mlir::Type> &weights,
                                  llvm::SmallVectorImpl<mlir::Type> &biasTypes, mlir::Type &residualType,
                                  llvm::SmallVectorImpl<mlir::Type> &results);
void printFusedTypes(mlir::OpAsmPrinter &, mlir::Operation *, mlir::Value gain, mlir::Value normBias,
                     mlir::ValueRange biases, mlir::Value residual, mlir::Type x, mlir::Type gainType,
                     mlir::Type normBiasType, mlir::TypeRange weights, mlir::TypeRange biasTypes,
                     mlir::Type residualType, mlir::TypeRange results);
} // namespace lm

namespace step {
using llmc::parseParams;
using llmc::printParams;
mlir::ParseResult parseKernelBody(mlir::OpAsmParser &, mlir::Region &body);
void printKernelBody(mlir::OpAsmPrinter &, mlir::Operation *, mlir::Region &body);
} // namespace step

} // namespace llmc
#endif
