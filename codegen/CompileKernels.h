//===- CompileKernels.h - step kernels => machine code ----------*- C++ -*-===//
#ifndef LLMC_CODEGEN_COMPILEKERNELS_H
#define LLMC_CODEGEN_COMPILEKERNELS_H

#include "codegen/PipelineOptions.h"
#include "codegen/cpu/isa/Isa.h"
#include "ir/StepOps.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SmallString.h"

#include <functional>
#include <string>
#include <vector>

namespace llmc::codegen {

struct CompileKernelsOptions {
  std::vector<const cpu::Isa *> variants; // best first
  bool defaultKernels = false;            // use no emitter, only decompositions: slow, the oracle
  bool countLoads = false;                // kernels report what they read (see llmc_step.count_load)
  std::string cacheDir;                   // where compiled units are kept; empty: nowhere
  std::vector<PipelineObserver *> observers;
  std::string plantedBug; // for tests only (PlantBug.h)
  std::vector<DeviceChoice> devices;
  std::shared_ptr<const DeviceAssembler> assembler; // may be null
  const cpu::CpuFamily *family = &cpu::otherCpus(); // whose sizes the kernels of CPUs have
  bool roundsAttention = false;                     // AttentionSpec::mayRound
};

/// What the tables must know of one kernel, for all variants.
struct KernelFacts {
  bool hasPrepare = false, usesKeys = false;
  uint32_t prepareMinRows = 0, runUnits = 0;
  uint64_t scratchConstant = 0, scratchPerRow = 0, scratchPerKey = 0, scratchPerRowKey = 0;
  llvm::SmallVector<const cpu::Isa *, 4> compiledFor = {}; // other variants run their base's

  /// What holds for another variant of the kernel, too; only their scratch differs.
  void include(const KernelFacts &other) {
    hasPrepare |= other.hasPrepare, usesKeys |= other.usesKeys;
    prepareMinRows = std::max(prepareMinRows, other.prepareMinRows);
    runUnits = std::max(runUnits, other.runUnits);
    scratchConstant = std::max(scratchConstant, other.scratchConstant);
    scratchPerRow = std::max(scratchPerRow, other.scratchPerRow);
    scratchPerKey = std::max(scratchPerKey, other.scratchPerKey);
    scratchPerRowKey = std::max(scratchPerRowKey, other.scratchPerRowKey);
    compiledFor.append(other.compiledFor);
  }
};

struct CompiledKernels {
  llvm::MapVector<mlir::StringAttr, KernelFacts> facts; // in the program's order
  std::vector<llvm::SmallString<0>> objects;            // relocatable ELF, one a unit
};

/// The function of a kernel in a variant; its prepare phase has ".prepare" behind it. Variants share
/// functions where they would not differ.
std::string kernelSymbol(llvm::StringRef kernel, const KernelFacts &facts, const cpu::Isa &variant);

/// `progress` is told how many units of how many are done, from any thread but never from two at a time.
mlir::FailureOr<CompiledKernels> compileKernels(step::ProgramOp program, const CompileKernelsOptions &options,
                                                const std::function<void(uint64_t, uint64_t)> &progress);

} // namespace llmc::codegen
#endif
