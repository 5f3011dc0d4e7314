//===- Lowering.cpp - kernels of a GPU to the LLVM dialect ----------------===//
//
//   1. Memrefs, which default kernels have, become addresses.
//   2. Ops of the gpu dialect become those of NVVM, and gpu.func a function that is marked as a kernel,
//      outside of the gpu.module: what is translated to LLVM IR is a module.
//   3. All else goes the way of the CPU's kernels.
//
//===----------------------------------------------------------------------===//
#include "codegen/cuda/Lowering.h"

#include "codegen/DefaultLowering.h"
#include "codegen/emit/Lowering.h"

#include "mlir/Conversion/GPUToNVVM/GPUToNVVMPass.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;

namespace llmc::cuda {
namespace {

/// Runs the passes over memrefs where there are any. Over other kernels they would only take time, and one of
/// them folds whatever it sees.
struct LowerMemRefsPass : PassWrapper<LowerMemRefsPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(LowerMemRefsPass)
  LowerMemRefsPass() : passes(ModuleOp::getOperationName()) { codegen::buildMemRefLowering(passes); }
  LowerMemRefsPass(const LowerMemRefsPass &other) : PassWrapper(other), passes(other.passes) {}
  StringRef getArgument() const override { return "llmc-lower-memrefs"; }
  StringRef getDescription() const override { return "memrefs, if there are any => addresses"; }
  void getDependentDialects(DialectRegistry &registry) const override {
    passes.getDependentDialects(registry);
  }
  void runOnOperation() override {
    const bool hasMemRefs = getOperation()
                                .walk([](Operation *op) {
                                  return isa_and_nonnull<memref::MemRefDialect>(op->getDialect())
                                             ? WalkResult::interrupt()
                                             : WalkResult::advance();
                                })
                                .wasInterrupted();
    if (hasMemRefs && failed(runPipeline(passes, getOperation())))
      signalPassFailure();
  }

  OpPassManager passes;
};

/// By MLIR's patterns, but not its pass: that one refuses square roots and absolute values, which it takes
/// for calls of libdevice, and would lower all other dialects in a way of its own.
struct LowerGpuPass : PassWrapper<LowerGpuPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(LowerGpuPass)
  StringRef getArgument() const override { return "llmc-lower-gpu"; }
  StringRef getDescription() const override {
    return "gpu.module and what stands in it => functions of NVVM";
  }
  void runOnOperation() override {
    LLVMTypeConverter types(&getContext());
    RewritePatternSet patterns(&getContext());
    populateGpuToNVVMConversionPatterns(types, patterns);
    ConversionTarget target(getContext());
    target.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
    target.addIllegalDialect<gpu::GPUDialect>();
    target.addLegalOp<gpu::GPUModuleOp>();
    if (failed(applyPartialConversion(getOperation(), target, std::move(patterns))))
      return signalPassFailure();
    for (auto kernels : llvm::make_early_inc_range(getOperation().getOps<gpu::GPUModuleOp>())) {
      for (auto function : kernels.getOps<LLVM::LLVMFuncOp>())
        sayAttributes(function);
      getOperation().getBody()->getOperations().splice(Block::iterator(kernels),
                                                       kernels.getBody()->getOperations());
      kernels.erase();
    }
  }

  static void sayAttributes(LLVM::LLVMFuncOp function) {
    // "no-builtins" keeps loops from becoming calls of memset or memcpy, which nothing would resolve.
    function.setPassthroughAttr(Builder(function).getStrArrayAttr({"no-builtins", "nounwind"}));
    // NVVM has attributes for both.
    function->removeAttr(gpu::GPUDialect::getKernelFuncAttrName());
    function->removeAttr(gpu::GPUDialect::KnownBlockSizeAttrHelper::getNameStr());
  }
};

} // namespace

void buildGpuLowering(OpPassManager &manager) {
  manager.addPass(std::make_unique<LowerMemRefsPass>());
  manager.addPass(std::make_unique<LowerGpuPass>());
  emit::buildKernelLoweringPipeline(manager);
}

void registerGpuDialects(DialectRegistry &registry) {
  registry.insert<gpu::GPUDialect, NVVM::NVVMDialect>();
  registerNVVMDialectTranslation(registry);
}

} // namespace llmc::cuda
