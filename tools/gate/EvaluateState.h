//===- EvaluateState.h - what the model of a pass computes ------*- C++ -*-===//
//
// Takes the module as some pass of the pipeline has left it, compiles it in the plainest way there is and
// runs it: every op from its decomposition, activations in f32, one CPU variant. Where a cache has no plan
// yet it holds f32. What it computes is then what the module says, whatever the kernels are worth. Compiling
// and running happen in processes of their own, since a state that is wrong may crash either.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_GATE_EVALUATESTATE_H
#define LLMC_TOOLS_GATE_EVALUATESTATE_H

#include "codegen/PipelineOptions.h"
#include "ir/LMOps.h"
#include "tools/gate/Evaluation.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"

#include <optional>
#include <string>

namespace llmc::tools {

struct EvaluateOptions {
  std::vector<std::string> weightFiles;
  std::shared_ptr<formats::OpenFiles> files = std::make_shared<formats::OpenFiles>(); // read so far
  std::vector<codegen::SourceHash> sources; // of them, if known; saves reading them once more
  std::string cacheDir;                     // of compiled kernels; empty: none is kept
  const cpu::Isa *variant = nullptr;        // null: the best that runs here
  bool randomWeights = false;               // instead of the files'
  std::vector<int64_t> layers;              // only these; empty: all
  std::string plantedBug;                   // for tests only (codegen/PlantBug.h)
  std::string folder; // for the compiled states, each gone when it has run; empty: the system's
};

/// A context and a cache of its own, so that whoever looks on at the pipeline notices nothing.
class StateEvaluator {
public:
  explicit StateEvaluator(EvaluateOptions options);

  /// `state` holds an lm.model after whatever passes, or a step.program. Where the types of a cache are a
  /// list the session takes the first. Nothing and one sentence on failure.
  std::optional<Evaluation> evaluate(mlir::ModuleOp state, const Schedule &schedule, std::string &error);
  /// The same where whatever an lm.w.quantize makes is read by `decode` and stored as f32.
  std::optional<Evaluation> evaluateDecoded(mlir::ModuleOp state, const codegen::RowDecoder &decode,
                                            const Schedule &schedule, std::string &error);

  /// What `lower-to-step` makes of the model's first layers with what a compile has found out so far; null on
  /// failure.
  mlir::OwningOpRef<mlir::ModuleOp> lower(mlir::ModuleOp model, const codegen::PipelineState &found,
                                          std::string &error);
  /// Compiles a step.program to a model.so at `path`, its kernels as the options of a compile say; without a
  /// path only the kernels, into the cache.
  bool compile(mlir::ModuleOp program, const codegen::PipelineOptions &meant, const std::string &path,
               std::string &error);

  /// Where compiled states stand while they run.
  const std::string &folder() const { return options.folder; }

private:
  mlir::OwningOpRef<mlir::ModuleOp> copyOf(mlir::ModuleOp state);
  codegen::PipelineOptions pipelineFor(mlir::ModuleOp state) const;
  /// What the pipeline, with the options that were chosen, makes of a copy; null and one sentence on failure,
  /// `failed` where there is no better one.
  mlir::OwningOpRef<mlir::ModuleOp> runOnCopy(mlir::ModuleOp state, const char *failed, std::string &error,
                                              llvm::function_ref<void(codegen::PipelineOptions &)> choose);
  /// The same in a process of its own, for what the pipeline writes.
  bool runIsolatedOnCopy(mlir::ModuleOp state, const char *failed, std::string &error,
                         llvm::function_ref<void(codegen::PipelineOptions &)> choose);

  EvaluateOptions options;
  mlir::MLIRContext context;
};

/// runModule in a process of its own: code that crashes is an error like others. `layers` are the numbers
/// that the module's layers had in the whole model; empty: their own.
std::optional<Evaluation> runModuleIsolated(const std::string &path, const Schedule &schedule,
                                            const std::string &variant, llvm::ArrayRef<int64_t> layers,
                                            std::string &error);

/// How many layers the model or program has.
int64_t layersOf(mlir::ModuleOp state);

/// The vocabulary of the model or program.
int64_t vocabularyOf(mlir::ModuleOp state);

} // namespace llmc::tools
#endif
