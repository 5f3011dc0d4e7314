//===- Link.h - object files => shared object -------------------*- C++ -*-===//
#ifndef LLMC_CODEGEN_LINK_H
#define LLMC_CODEGEN_LINK_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <string>

namespace llmc::codegen {

/// Links objects into `shared`, the bytes of a shared object. A temporary file beside `place` is used for that.
/// Empty on success, else one sentence.
std::string linkSharedObject(llvm::ArrayRef<llvm::StringRef> objects, const std::string &place,
                             std::string &shared);

} // namespace llmc::codegen
#endif
