//===- Pipeline.h - from a model file to model.so, phase by phase -*- C++ -*-===//
#ifndef LLMC_CODEGEN_PIPELINE_H
#define LLMC_CODEGEN_PIPELINE_H

#include "codegen/EmitModule.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectRegistry.h"

#include <string>
#include <vector>

namespace llmc::codegen {

/// The phases in order; `--stop-after` takes their names.
enum class Phase { Import, Fuse, Quantize, Plan, Step, LLVM, Link };
llvm::ArrayRef<llvm::StringRef> phaseNames();
std::optional<Phase> phaseByName(llvm::StringRef name);

/// Passes that can be switched off by name ("fuse-qkv").
std::vector<std::string> optionalPasses();

struct PipelineOptions {
  std::vector<std::string> weightFiles; // what the model's lm.weights name
  std::string tokenizerFile;            // GGUF, tokenizer.json or tokenizer.model; empty: the model has none
  std::string output;
  std::string activations = "auto"; // auto: int8 for weights of an integer scheme; f32; f16; bf16; int8
  // What a session chooses from, by commas, the default first. auto: f32 where activations are, else f16;
  // f32; f16; bf16; q8
  std::string cacheTypes = "auto";
  std::vector<std::string> quantize; // rules of lm-quantize
  std::vector<std::string> disabledPasses;
  std::vector<const cpu::Isa *> variants;
  std::string dumpDir;
  std::string cacheDir; // of compiled kernels; empty: none
  Phase stopAfter = Phase::Link;
  bool defaultKernels = false, countLoads = false;
  ProgressFn progress = [](const char *, uint64_t, uint64_t) {};
  std::function<void(const std::string &)> timing = [](const std::string &) {}; // a line for each phase
};

/// Dialects and interfaces that the pipeline works with.
void registerPipelineDialects(mlir::DialectRegistry &registry);

/// Runs the phases on the imported module (it holds an lm.model; a step.program afterwards). Failures are
/// diagnostics.
mlir::LogicalResult runPipeline(mlir::ModuleOp module, const PipelineOptions &options);

} // namespace llmc::codegen
#endif
