//===- CacheLayout.h - the cache of a step.kernel ---------------*- C++ -*-===//
#ifndef LLMC_CODEGEN_CACHELAYOUT_H
#define LLMC_CODEGEN_CACHELAYOUT_H

#include "codegen/emit/KVStorage.h"
#include "ir/StepOps.h"

namespace llmc::codegen {

/// How the cache of a kernel lies in its pages; fails with a diagnostic where the kernel does not say.
mlir::FailureOr<emit::KVLayout> cacheLayout(step::KernelOp kernel);

/// The same for a cache that is planned, stored in one of its types.
emit::KVLayout cacheLayout(lm::CacheOp cache, llvm::StringRef type);

} // namespace llmc::codegen
#endif
