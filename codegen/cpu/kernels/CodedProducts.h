//===- CodedProducts.h - products with coded floats -------------*- C++ -*-===//
//
// Panels of coded floats (ir/quant/CodedFloat.h). A single row multiplies with numbers that are decoded in
// registers; several rows share panels that were unpacked before. Either way the bits are those that plain
// bf16 gives: the same numbers meet the same activations in the same order.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_CPU_KERNELS_CODEDPRODUCTS_H
#define LLMC_CODEGEN_CPU_KERNELS_CODEDPRODUCTS_H

#include "codegen/cpu/kernels/Linear.h"

namespace llmc::cpu {

/// Bytes of an unpacked panel of rows of k: for each pair of columns 16 pairs of bf16, those of row 0, ...
int64_t unpackedPanelBytes(const quant::QuantScheme &coded, int64_t k);

/// unpack(panel, records, first, last, exception, out): the records [first, last) of a panel, one after
/// another in out. `exception` is the number of the first that stands in them or behind.
mlir::LLVM::LLVMFuncOp emitUnpack(Emitter &, mlir::ModuleOp, const quant::QuantScheme &, const Isa &);

/// What emitProducts gives with f32: of panels as they are stored for a single row, of unpacked ones for
/// several. The latter prefetch as many stored panels from where their last argument points to.
mlir::LLVM::LLVMFuncOp emitCodedProducts(Emitter &, mlir::ModuleOp, const quant::QuantScheme &, const Isa &,
                                         int panels);
mlir::LLVM::LLVMFuncOp emitUnpackedProducts(Emitter &, mlir::ModuleOp, const quant::QuantScheme &,
                                            const Isa &, int rows, int panels);

} // namespace llmc::cpu
#endif
