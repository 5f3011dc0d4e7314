//===- LMOps.h - the lm dialect in C++ --------------------------*- C++ -*-===//
#ifndef LLMC_IR_LMOPS_H
#define LLMC_IR_LMOPS_H

#include "ir/AsmFormat.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/RegionKindInterface.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <optional>
#include <string>

#include "ir/LMDialect.h.inc"

namespace llmc::lm {

/// The one resource of the dialect: the cached keys and values.
struct KVStore : mlir::SideEffects::Resource::Base<KVStore> {
  llvm::StringRef getName() final { return "lm.kv"; }
};

/// tensor<?xNxf32>: activations.
bool isRows(mlir::Type type);
bool isIntRows(mlir::Type type, int64_t columns);
mlir::RankedTensorType rowsType(mlir::MLIRContext *context, int64_t width);
mlir::RankedTensorType intRowsType(mlir::MLIRContext *context, int64_t columns);
/// The activations that have one column for each entry of the weight's dimension `dim`.
mlir::Type rowsOf(mlir::Type weight, unsigned dim);
/// The vector as long as the weight's dimension `dim`.
mlir::Type vectorOf(mlir::Type weight, unsigned dim);
bool isWord(mlir::Attribute attr, llvm::ArrayRef<llvm::StringRef> words);
inline int64_t widthOf(mlir::Value rows) {
  return llvm::cast<mlir::RankedTensorType>(rows.getType()).getDimSize(1);
}

/// "blk.{i}.attn_q.weight" in layer 3 => "blk.3.attn_q.weight"; outside the stack names stay as they are.
std::string nameInLayer(llvm::StringRef pattern, std::optional<int64_t> layer);

/// See LM_StrictAttributes.
mlir::LogicalResult verifyStrictAttributes(mlir::Operation *op);
template <typename ConcreteType>
class StrictAttributes : public mlir::OpTrait::TraitBase<ConcreteType, StrictAttributes> {
public:
  static mlir::LogicalResult verifyTrait(mlir::Operation *op) { return verifyStrictAttributes(op); }
};

} // namespace llmc::lm

#include "ir/LMInterfaces.h.inc"

#define GET_TYPEDEF_CLASSES
#include "ir/LMTypes.h.inc"

#define GET_OP_CLASSES
#include "ir/LMOps.h.inc"

#endif
