//===- ModuleTables.cpp - step.program => the tables of module_abi.h ------===//
#include "codegen/ModuleTables.h"

#include "codegen/ProgramTables.h"
#include "runtime/include/llmc/module_abi.h"

using namespace mlir;
using namespace llmc;

void codegen::addModuleTables(llvm::Module &module, step::ProgramOp program, const CompiledKernels &kernels,
                              ArrayRef<const cpu::Isa *> variants, ArrayRef<DeviceCode> devices) {
  AllFacts facts = kernels.facts;
  for (const DeviceCode &device : devices)
    if (device.program == program)
      for (const auto &[name, kernel] : device.kernels)
        facts[name] = kernel.facts;
  auto *outer = declareModule(module, llvm::GlobalValue::ExternalLinkage, LLMC_MODULE_SYMBOL);
  llvm::Constant *table = addDeviceTables(module, outer, program, devices);
  fillModule(outer, program, facts, variants, table, devices.size());
}
