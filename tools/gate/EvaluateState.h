//===- EvaluateState.h - what the model of a pass computes ------*- C++ -*-===//
//
// Takes the module as some pass of the pipeline has left it, compiles it in the plainest way there is and
// runs it: every op from its decomposition, activations in f32, one CPU variant. Where a cache has no plan
// yet it holds f32. What it computes is then what the module says, whatever the kernels are worth.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_GATE_EVALUATESTATE_H
#define LLMC_TOOLS_GATE_EVALUATESTATE_H

#include "codegen/PipelineOptions.h"
#include "tools/gate/Evaluation.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"

#include <optional>
#include <string>

namespace llmc::tools {

struct EvaluateOptions {
  std::vector<std::string> weightFiles;
  std::vector<codegen::SourceHash> sources; // of them, if known; saves reading them once more
  std::string cacheDir;                     // of compiled kernels; empty: none is kept
  const cpu::Isa *variant = nullptr;        // null: the best that runs here
  int64_t layers = 0;                       // only so many of the first ones; 0: all
  std::string folder; // for the compiled states, each gone when it has run; empty: the system's
};

/// A context and a cache of its own, so that whoever looks on at the pipeline notices nothing.
class StateEvaluator {
public:
  explicit StateEvaluator(EvaluateOptions options);

  /// `state` holds an lm.model after whatever passes, or a step.program. Where the types of a cache are a
  /// list the session takes the first. Nothing and one sentence on failure.
  std::optional<Evaluation> evaluate(mlir::ModuleOp state, const Schedule &schedule, std::string &error);

private:
  EvaluateOptions options;
  mlir::MLIRContext context;
};

/// The vocabulary of the model or program.
int64_t vocabularyOf(mlir::ModuleOp state);

} // namespace llmc::tools
#endif
