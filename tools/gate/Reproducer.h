//===- Reproducer.h - a failure of the gate in a folder ---------*- C++ -*-===//
//
// What a person needs to see a pass go wrong again, without the passes around it: the module before the pass
// as a dump that a compile can start from, cut to the layers that matter, what the pass made of it, the
// tokens, and a command.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_GATE_REPRODUCER_H
#define LLMC_TOOLS_GATE_REPRODUCER_H

#include "codegen/PipelineOptions.h"
#include "tools/gate/Compare.h"

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace llmc::tools {

struct Failure {
  std::string pass;      // "fuse-qkv"; "model.so" if it is in the code of kernels
  codegen::Phase phase;  // of the pass; llvm for the code of kernels
  mlir::ModuleOp before; // the model before the pass; the program that kernels were made for
  mlir::ModuleOp after;  // null for the code of kernels
  std::string sentence;  // what was found
  std::optional<Difference> difference;
  bool withDevice = false; // code for devices is looked at, too
};

/// Writes before.mlir, after.mlir, tokens.txt and run.sh to `folder`, which is made; returns one sentence if
/// that fails. `options` and `state` are those of the compile before the pass, `layers` those that were run
/// (empty: all).
std::string writeReproducer(const std::string &folder, const Failure &failure, const Schedule &schedule,
                            const codegen::PipelineOptions &options, const codegen::PipelineState &state,
                            double tolerance, const std::vector<int64_t> &layers);

} // namespace llmc::tools
#endif
