//===- Rewrite.h - GPU kernels => code for the emulator ---------*- C++ -*-===//
//
// Takes the LLVM module that the NVPTX back end gets and leaves one for the CPU that does the same, thread by
// thread, with everything a GPU does beyond arithmetic as calls of the emulator (llmc/simt_abi.h). Address
// spaces stay: to x86 they are all one.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_SIMT_REWRITE_H
#define LLMC_CODEGEN_SIMT_REWRITE_H

#include "llvm/IR/Module.h"

#include <string>

namespace llmc::codegen::simt {

struct RewriteOptions {
  bool instrument = false; // accesses of memory are reported before they are done
  uint64_t sourceHash = 0; // of the bitcode that the module was read from
  std::string symbol;      // of the module's table, a llmc_simt_code
};

/// Empty on success, else one sentence that names what cannot be emulated.
std::string rewriteForEmulator(llvm::Module &module, const RewriteOptions &options);

} // namespace llmc::codegen::simt
#endif
