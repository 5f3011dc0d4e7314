//===- RowSpace.h - row spaces by name and number ---------------*- C++ -*-===//
#ifndef LLMC_CODEGEN_ROWSPACE_H
#define LLMC_CODEGEN_ROWSPACE_H

#include "runtime/include/llmc/module_abi.h"

#include "llvm/ADT/StringRef.h"

namespace llmc::codegen {

/// LLMC_ROWS_* of the word that the step dialect uses.
inline uint32_t rowSpaceNumber(llvm::StringRef space) {
  return space == "tokens"   ? LLMC_ROWS_TOKENS
         : space == "asked"  ? LLMC_ROWS_ASKED
         : space == "hidden" ? LLMC_ROWS_HIDDEN
                             : LLMC_ROWS_KEYS;
}

} // namespace llmc::codegen
#endif
