//===- Phases.h - the phases of a compile -----------------------*- C++ -*-===//
#ifndef LLMC_CODEGEN_PHASES_H
#define LLMC_CODEGEN_PHASES_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <optional>

namespace llmc::codegen {

/// In order. `--stop-after` takes their names, `--start-from` those that begin with the IR of a model.
enum class Phase { Import, Fuse, Quantize, Plan, Step, LLVM, Link };
llvm::ArrayRef<llvm::StringRef> phaseNames();
std::optional<Phase> phaseByName(llvm::StringRef name);
inline llvm::StringRef nameOf(Phase phase) { return phaseNames()[static_cast<int>(phase)]; }

} // namespace llmc::codegen
#endif
