//===- Reproducer.cpp - a failure of the gate in a folder -----------------===//
#include "tools/gate/Reproducer.h"

#include "codegen/DumpText.h"
#include "codegen/LMPasses.h"
#include "codegen/WriteFile.h"
#include "ir/LMOps.h"
#include "ir/LayerEntries.h"
#include "ir/Print.h"
#include "ir/StepOps.h"
#include "tools/gate/EvaluateState.h"
#include "tools/gate/LayerList.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;
using namespace llmc::tools;

/// A dump that starts with the phase of the pass and runs no other optimization in it.
static void printBefore(const Failure &failure, ModuleOp module, PipelineOptions options,
                        const PipelineState &state, const std::string &folder, llvm::raw_ostream &out) {
  if (failure.phase <= Phase::Quantize) {
    options.disabledPasses = optionalPasses();
    llvm::erase(options.disabledPasses, failure.pass);
  }
  const Phase before = static_cast<Phase>(static_cast<int>(failure.phase) - 1);
  PassRun run{0, "before", before, "", ModuleOp(), module, true, 0, {}, failure.phase, options, state};
  printDump(run, folder, out);
}

/// The first layers, as many as show the failure, and the next, which it may have to do with. Rules of
/// --quantize may name layers, so they keep all.
static OwningOpRef<ModuleOp> reduced(const Failure &failure) {
  OwningOpRef<ModuleOp> module = ModuleOp(failure.before).clone();
  if (failure.phase != Phase::Quantize && failure.difference && failure.difference->key.layer >= 0)
    for (lm::ModelOp model : module->getOps<lm::ModelOp>())
      if (const int64_t kept = failure.difference->key.layer + 2; kept < layersOf(*module))
        lm::keepLayers(model, firstLayers(kept));
  return module;
}

static void printScript(const Failure &failure, const PipelineOptions &options, double tolerance,
                        const std::vector<int64_t> &layers, llvm::raw_ostream &out) {
  out << "#!/bin/sh\n# " << failure.sentence << "\n# LLMC names another llmc than the one in PATH.\n"
      << "cd \"$(dirname \"$0\")\" && exec \"${LLMC:-llmc}\" compile before.mlir -o model.so --start-from "
      << nameOf(failure.phase) << " --verify-passes";
  if (tolerance > 0)
    out << llvm::format("=%g", tolerance);
  if (failure.withDevice)
    out << " --verify-device";
  if (!layers.empty() && layers != firstLayers(static_cast<int64_t>(layers.size())))
    out << " --verify-layers " << writeLayerList(layers);
  if (!options.plantedBug.empty())
    out << " --plant-bug " << options.plantedBug;
  out << "\n";
}

std::string tools::writeReproducer(const std::string &folder, const Failure &failure,
                                   const Schedule &schedule, const PipelineOptions &options,
                                   const PipelineState &state, double tolerance,
                                   const std::vector<int64_t> &layers) {
  if (std::error_code code = llvm::sys::fs::create_directories(folder))
    return folder + ": cannot make the folder: " + code.message();
  for (const char *file : {"/before.mlir", "/after.mlir", "/tokens.txt", "/run.sh"})
    llvm::sys::fs::remove(folder + file); // of an earlier failure
  OwningOpRef<ModuleOp> before = reduced(failure);
  std::vector<int64_t> kept; // of a program all
  if (before->getOps<step::ProgramOp>().empty())
    llvm::copy_if(layers, std::back_inserter(kept),
                  [count = layersOf(*before)](int64_t layer) { return layer < count; });
  std::string error = writeFile(folder + "/before.mlir", [&](llvm::raw_ostream &out) {
    printBefore(failure, *before, options, state, folder, out);
  });
  if (ModuleOp after = failure.after; error.empty() && after)
    error = writeFile(folder + "/after.mlir", [&](llvm::raw_ostream &out) { printLocated(after, out); });
  if (error.empty())
    error = writeFile(folder + "/tokens.txt", [&](llvm::raw_ostream &out) {
      for (const auto &[number, step] : llvm::enumerate(schedule.steps))
        for (const Chunk &chunk : step) {
          out << "step " << number << " sequence " << chunk.sequence << ":";
          for (int32_t token : chunk.tokens)
            out << " " << token;
          out << "\n";
        }
    });
  const std::string script = folder + "/run.sh";
  if (error.empty())
    error = writeFile(script,
                      [&](llvm::raw_ostream &out) { printScript(failure, options, tolerance, kept, out); });
  if (error.empty())
    llvm::sys::fs::setPermissions(script, llvm::sys::fs::all_read | llvm::sys::fs::owner_write |
                                              llvm::sys::fs::all_exe);
  return error;
}
