//===- LMPasses.h - the passes over the lm dialect --------------*- C++ -*-===//
#ifndef LLMC_CODEGEN_LMPASSES_H
#define LLMC_CODEGEN_LMPASSES_H

#include "codegen/PipelineOptions.h"
#include "codegen/WeightSource.h"

#include "mlir/Pass/Pass.h"

#include <functional>
#include <memory>

namespace llmc::codegen {

/// What passes are made from.
struct LMPassInputs {
  const PipelineOptions &options;
  llvm::StringRef cacheType;
  const WeightSource &weights;
};

struct LMPass {
  const char *name; // the td flag without "lm-"
  Phase phase;
  bool isOptional;
  std::function<std::unique_ptr<mlir::Pass>(const LMPassInputs &)> create;
};

/// In their order.
const std::vector<LMPass> &lmPasses();

/// Those that can be switched off by name ("fuse-qkv").
std::vector<std::string> optionalPasses();

} // namespace llmc::codegen
#endif
