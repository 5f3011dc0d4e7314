//===- DefaultTarget.cpp - default kernels on a CPU -----------------------===//
#include "codegen/DefaultTarget.h"

#include "codegen/DefaultLowering.h"
#include "codegen/cpu/Entry.h"
#include "codegen/emit/Lowering.h"

#include "mlir/Dialect/Linalg/Passes.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;

void CpuDefaults::emitEntry(emit::Emitter &e, ModuleOp module, StringRef name,
                            llvm::function_ref<void(const emit::KernelArguments &)> body) const {
  cpu::emitEntry(e, module, name, variant, body);
}

emit::KernelArguments CpuDefaults::arguments(emit::Emitter &e, ValueRange functionArguments) const {
  return emit::KernelArguments(e, functionArguments);
}

LogicalResult CpuDefaults::lowerToLoops(ModuleOp module) const {
  PassManager manager(module.getContext());
  manager.addPass(createConvertLinalgToLoopsPass());
  return manager.run(module);
}

void CpuDefaults::buildLowering(OpPassManager &manager) const {
  buildMemRefLowering(manager);
  emit::buildKernelLoweringPipeline(manager);
}
