//===- CodedElementIR.h - one number of coded floats ------------*- C++ -*-===//
#ifndef LLMC_IR_QUANT_CODEDELEMENTIR_H
#define LLMC_IR_QUANT_CODEDELEMENTIR_H

#include "ir/quant/QuantScheme.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace llmc::quant {

/// The bf16 of loadElement (SchemeIR.h) as i16, of a panel of coded floats.
mlir::Value loadCodedBits(mlir::ImplicitLocOpBuilder &b, const QuantScheme &scheme, mlir::Value panel,
                          mlir::Value row, mlir::Value k, int64_t columns);

} // namespace llmc::quant
#endif
