//===- Manifest.h - what a model.so says of itself --------------*- C++ -*-===//
#ifndef LLMC_CODEGEN_MANIFEST_H
#define LLMC_CODEGEN_MANIFEST_H

#include "codegen/ModuleTables.h"
#include "codegen/PipelineOptions.h"

#include <map>
#include <string>
#include <vector>

namespace llmc::codegen {

/// How the model was made.
struct ManifestFacts {
  const PipelineState &state;
  std::vector<std::string> quantize; // rules; those of files are named by what they say
  std::vector<const cpu::Isa *> variants;
  llvm::StringRef family; // of CPUs, whose sizes their kernels have
  std::vector<DeviceChoice> devices;
  std::string assembler; // the version of what made machine code for them; empty: nothing did
  bool portableBits = false, randomWeights = false;
  llvm::StringRef plantedBug; // empty: none
};

/// Matmuls that the device runs by their decomposition, by the schemes of their weights.
std::map<std::string, int64_t> slowMatmuls(const DeviceCode &code);

/// JSON: the model's facts, options, pass list, source hashes, kernels and dispatches. The same input and
/// options give the same text.
std::string makeManifest(step::ProgramOp program, const ManifestFacts &facts,
                         llvm::ArrayRef<DeviceCode> compiled);

} // namespace llmc::codegen
#endif
