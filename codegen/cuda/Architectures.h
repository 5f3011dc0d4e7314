//===- Architectures.h - the GPUs that PTX is made for ----------*- C++ -*-===//
#ifndef LLMC_CODEGEN_CUDA_ARCHITECTURES_H
#define LLMC_CODEGEN_CUDA_ARCHITECTURES_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace llmc::cuda {

struct Architecture {
  llvm::StringRef name; // "sm_80"
  uint32_t number;      // 80
  bool isExact;         // its PTX runs on no later architecture
};

/// Oldest first. The first is always compiled for: its PTX runs on all later ones.
llvm::ArrayRef<Architecture> allArchitectures();
const Architecture *architectureByName(llvm::StringRef name);

/// "sm_90,sm_100" with the first of all in front, each once; else words that say what is wrong. Without a
/// list: the first of all.
std::string readArchitectures(std::optional<llvm::StringRef> list, std::vector<std::string> &names);

} // namespace llmc::cuda
#endif
