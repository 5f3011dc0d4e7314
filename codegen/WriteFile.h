//===- WriteFile.h - text and objects to a file -----------------*- C++ -*-===//
#ifndef LLMC_CODEGEN_WRITEFILE_H
#define LLMC_CODEGEN_WRITEFILE_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <string>

namespace llmc::codegen {

/// Writes what `write` prints to `path` (`-`: the terminal); one sentence if that fails, else nothing.
std::string writeFile(const std::string &path, llvm::function_ref<void(llvm::raw_ostream &)> write);

} // namespace llmc::codegen
#endif
