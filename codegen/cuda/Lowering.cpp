//===- Lowering.cpp - kernels of a GPU to the LLVM dialect ----------------===//
//
//   1. Ops of the gpu dialect become those of NVVM, and gpu.func a function that is marked as a kernel.
//   2. Functions and shared memory come out of the gpu.module: what is translated to LLVM IR is a module.
//   3. All else goes the way of the CPU's kernels.
//
//===----------------------------------------------------------------------===//
#include "codegen/cuda/Lowering.h"

#include "codegen/emit/Lowering.h"

#include "mlir/Conversion/GPUToNVVM/GPUToNVVMPass.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;

namespace llmc::cuda {
namespace {

/// MLIR's patterns, but not its pass: that one also refuses square roots and absolute values, for which it
/// wants calls of libdevice, and would lower all other dialects in a way of its own.
struct LowerGpuPass : PassWrapper<LowerGpuPass, OperationPass<gpu::GPUModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(LowerGpuPass)
  StringRef getArgument() const override { return "llmc-lower-gpu"; }
  StringRef getDescription() const override { return "ops of the gpu dialect => NVVM"; }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<NVVM::NVVMDialect>();
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
    for (auto function : getOperation().getOps<LLVM::LLVMFuncOp>()) {
      // "no-builtins" keeps loops from becoming calls of memset or memcpy, which nothing would resolve.
      Builder builder(&getContext());
      function.setPassthroughAttr(builder.getStrArrayAttr({"no-builtins", "nounwind"}));
      // What NVVM says, too.
      function->removeAttr(gpu::GPUDialect::getKernelFuncAttrName());
      function->removeAttr(gpu::GPUDialect::KnownBlockSizeAttrHelper::getNameStr());
    }
  }
};

struct OpenGpuModulePass : PassWrapper<OpenGpuModulePass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(OpenGpuModulePass)
  StringRef getArgument() const override { return "llmc-open-gpu-module"; }
  StringRef getDescription() const override { return "move what stands in a gpu.module out of it"; }
  void runOnOperation() override {
    for (auto kernels : llvm::make_early_inc_range(getOperation().getOps<gpu::GPUModuleOp>())) {
      getOperation().getBody()->getOperations().splice(Block::iterator(kernels),
                                                       kernels.getBody()->getOperations());
      kernels.erase();
    }
  }
};

} // namespace

void buildKernelLowering(OpPassManager &manager) {
  manager.nest<gpu::GPUModuleOp>().addPass(std::make_unique<LowerGpuPass>());
  manager.addPass(std::make_unique<OpenGpuModulePass>());
  emit::buildKernelLoweringPipeline(manager);
}

void registerKernelDialects(DialectRegistry &registry) {
  registry.insert<gpu::GPUDialect, NVVM::NVVMDialect>();
  registerNVVMDialectTranslation(registry);
}

} // namespace llmc::cuda
