//===- Entry.cpp - kernels of a GPU as functions --------------------------===//
#include "codegen/cuda/Entry.h"

#include "codegen/cuda/Warp.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace llmc::cuda {

using emit::Emitter;
using emit::KernelArguments;

KernelArguments argumentsOf(Emitter &e, ValueRange functionArguments) {
  KernelArguments arguments;
  arguments.step = functionArguments[0];
  arguments.args = functionArguments[1];
  arguments.number = arguments.worker = blockNumber(e, Axis::Y);
  arguments.count = blockCount(e, Axis::Y);
  arguments.again = e.c(0);
  arguments.lane = threadNumber(e);
  arguments.lanes = threadCount(e);
  return arguments;
}

/// The gpu.module in the module, which the first entry makes.
static gpu::GPUModuleOp kernelsIn(ModuleOp module) { return *module.getOps<gpu::GPUModuleOp>().begin(); }

void emitEntry(Emitter &e, ModuleOp module, StringRef name, uint32_t threads,
               llvm::function_ref<void(const KernelArguments &)> body) {
  OpBuilder::InsertionGuard guard(e);
  e.setInsertionPointToEnd(module.getBody());
  if (module.getOps<gpu::GPUModuleOp>().empty())
    gpu::GPUModuleOp::create(e, "kernels");
  e.setInsertionPointToEnd(kernelsIn(module).getBody());
  auto function = gpu::GPUFuncOp::create(e, name, e.getFunctionType({e.ptr(), e.ptr()}, {}));
  function->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), e.getUnitAttr());
  function.setKnownBlockSizeAttr(e.getDenseI32ArrayAttr({int32_t(threads), 1, 1}));
  // One block that fits is all that is asked for: else ptxas may spill registers to fit more of them.
  function->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(), e.getI32IntegerAttr(1));
  e.setInsertionPointToStart(&function.getBody().front());
  body(argumentsOf(e, function.getArguments()));
  gpu::ReturnOp::create(e);
}

Value sharedArray(Emitter &e, ModuleOp module, StringRef name, int64_t bytes) {
  gpu::GPUModuleOp kernels = kernelsIn(module);
  auto global = kernels.lookupSymbol<LLVM::GlobalOp>(name);
  if (!global) {
    OpBuilder::InsertionGuard guard(e);
    e.setInsertionPointToStart(kernels.getBody());
    auto type = LLVM::LLVMArrayType::get(e.i8(), bytes);
    global = LLVM::GlobalOp::create(e, type, /*isConstant=*/false, LLVM::Linkage::Internal, name, Attribute(),
                                    /*alignment=*/16, sharedSpace);
    e.createBlock(&global.getInitializerRegion());
    LLVM::ReturnOp::create(e, LLVM::UndefOp::create(e, type).getResult());
  }
  return LLVM::AddressOfOp::create(e, global);
}

} // namespace llmc::cuda
