//===- DeviceTables.h - compiled devices => their tables --------*- C++ -*-===//
#ifndef LLMC_CODEGEN_DEVICETABLES_H
#define LLMC_CODEGEN_DEVICETABLES_H

#include "codegen/DeviceTarget.h"

#include "llvm/IR/Module.h"

namespace llmc::codegen {

/// A device's program with its compiled kernels.
struct DeviceCode {
  const DeviceTarget *target;
  step::ProgramOp program;
  DeviceTarget::Kernels kernels;
};

/// Adds the table of devices to the module; null if there are none. `outer` is the llmc_module of the program
/// `outerProgram`, which devices may share; programs of their own get one each.
llvm::Constant *addDeviceTables(llvm::Module &module, llvm::GlobalVariable *outer,
                                step::ProgramOp outerProgram, llvm::ArrayRef<DeviceCode> devices);

} // namespace llmc::codegen
#endif
