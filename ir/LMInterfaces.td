//===- LMInterfaces.td - what ops of the lm dialect can be asked ----------===//
#ifndef LLMC_IR_LMINTERFACES_TD
#define LLMC_IR_LMINTERFACES_TD

include "mlir/IR/OpBase.td"

def LM_DecomposableInterface : OpInterface<"DecomposableInterface"> {
  let cppNamespace = "::llmc::lm";
  let description = [{
    An op that can be written in tensor, linalg, arith, math, scf, the cache ops and the two accessors token_rows and
    weight_values (a fused op: in the lm ops it was made from).
  }];
  let methods = [InterfaceMethod<
    "builds the op's meaning before it and returns the values that replace its results; nothing on failure",
    "::llvm::FailureOr<::llvm::SmallVector<::mlir::Value>>", "decompose", (ins "::mlir::OpBuilder &":$builder)>];
}
def LM_Decomposable : DeclareOpInterfaceMethods<LM_DecomposableInterface>;

def LM_YFromWCols : TypesMatchWith<"y is [T, H] of the table", "w", "y", "::llmc::lm::rowsOf($_self, 1)">;
def SameOperandsAndResultTypeOfX : TypesMatchWith<"y is like x", "x", "y", "$_self">;

#endif
