//===- Library.h - bitcode of GPU kernels => code for the emulator -*- C++ -*-===//
#ifndef LLMC_CODEGEN_SIMT_LIBRARY_H
#define LLMC_CODEGEN_SIMT_LIBRARY_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <string>

namespace llmc::codegen::simt {

struct LibraryOptions {
  bool instrument = false; // the emulator sees every access of memory
  std::string cacheDir;    // of compiled modules; empty: none
};

/// Compiles modules of bitcode, each once, and links them to a shared object (llmc/simt_abi.h) in the file
/// `path`. A module is known there by the XXH3 of its bytes. Empty on success, else one sentence.
std::string buildLibrary(llvm::ArrayRef<llvm::StringRef> bitcodes, const LibraryOptions &options,
                         const std::string &path);

} // namespace llmc::codegen::simt
#endif
