//===- Lowering.cpp - kernels to the LLVM dialect -------------------------===//
#include "codegen/emit/Lowering.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVMPass.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVMPass.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/Pass.h"

using namespace mlir;

namespace llmc::emit {
namespace {

/// Translation to LLVM IR would stop at an operation of another dialect without naming its origin.
struct CheckLoweredPass : PassWrapper<CheckLoweredPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(CheckLoweredPass)
  StringRef getArgument() const override { return "llmc-check-lowered"; }
  StringRef getDescription() const override { return "report operations that have no form in LLVM IR"; }
  void runOnOperation() override {
    getOperation().walk([&](Operation *op) {
      if (isa<ModuleOp>(op) || isa_and_nonnull<LLVM::LLVMDialect, NVVM::NVVMDialect>(op->getDialect()))
        return;
      op->emitError("is left in a kernel after lowering");
      signalPassFailure();
    });
  }
};

/// What an scf loop says of itself reaches the branch back as a foreign attribute, which translation to LLVM
/// IR would drop.
struct AnnotateLoopsPass : PassWrapper<AnnotateLoopsPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(AnnotateLoopsPass)
  StringRef getArgument() const override { return "llmc-annotate-loops"; }
  StringRef getDescription() const override { return "keep the annotations of loops on their branches"; }
  void runOnOperation() override {
    getOperation().walk([](LLVM::BrOp branch) {
      if (auto annotation = branch->getAttrOfType<LLVM::LoopAnnotationAttr>("llvm.loop_annotation")) {
        branch->removeDiscardableAttr("llvm.loop_annotation");
        branch.setLoopAnnotationAttr(annotation);
      }
    });
  }
};

} // namespace

void buildKernelLoweringPipeline(OpPassManager &manager) {
  manager.addPass(createSCFToControlFlowPass());
  manager.addPass(createConvertVectorToLLVMPass());
  manager.addPass(createArithToLLVMConversionPass());
  manager.addPass(createConvertControlFlowToLLVMPass());
  manager.addPass(createConvertFuncToLLVMPass());
  manager.addPass(createUBToLLVMConversionPass());
  manager.addPass(createReconcileUnrealizedCastsPass());
  manager.addPass(std::make_unique<AnnotateLoopsPass>());
  manager.addPass(std::make_unique<CheckLoweredPass>());
}

void registerKernelDialects(DialectRegistry &registry) {
  registry.insert<arith::ArithDialect, cf::ControlFlowDialect, func::FuncDialect, LLVM::LLVMDialect,
                  scf::SCFDialect, ub::UBDialect, vector::VectorDialect>();
}

} // namespace llmc::emit
