//===- DefaultTarget.cpp - default kernels on a CPU -----------------------===//
#include "codegen/DefaultTarget.h"

#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Pass/PassManager.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;

void CpuDefaults::emitEntry(cpu::Emitter &e, ModuleOp module, StringRef name,
                            llvm::function_ref<void(const cpu::KernelArguments &)> body) const {
  cpu::emitEntry(e, module, name, variant, body);
}

cpu::KernelArguments CpuDefaults::arguments(cpu::Emitter &e, ValueRange functionArguments) const {
  return cpu::KernelArguments(e, functionArguments);
}

LogicalResult CpuDefaults::lowerToLoops(ModuleOp module) const {
  PassManager manager(module.getContext());
  manager.addPass(createConvertLinalgToLoopsPass());
  return manager.run(module);
}
