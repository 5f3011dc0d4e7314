//===- Phases.cpp - the phases of a compile -------------------------------===//
#include "codegen/Phases.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;
using namespace llmc;
using namespace llmc::codegen;

ArrayRef<StringRef> codegen::phaseNames() {
  static const StringRef names[] = {"import", "fuse", "quantize", "plan", "step", "llvm", "link"};
  return names;
}

std::optional<Phase> codegen::phaseByName(StringRef name) {
  const auto *found = llvm::find(phaseNames(), name);
  if (found == phaseNames().end())
    return std::nullopt;
  return static_cast<Phase>(found - phaseNames().begin());
}
