//===- Observer.h - those who look on while a model is compiled -*- C++ -*-===//
//
// Dumps, the checks of numbers between passes and the like hang on the pipeline as observers. They see the
// module before and after each pass, and each kernel on its way to machine code. What they do must not change
// the module: model.so has the same bytes with and without them.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_OBSERVER_H
#define LLMC_CODEGEN_OBSERVER_H

#include "codegen/Phases.h"

#include "mlir/IR/BuiltinOps.h"

#include <string>
#include <vector>

namespace llvm {
class Module;
}

namespace llmc::codegen {

struct PipelineOptions;
struct PipelineState;

/// What a pass said of something it did or left undone.
struct PassRemark {
  std::string kind; // applied, missed, analysis, failed; warning and remark for what is said to everybody
  std::string name; // "fused"; empty for a warning or remark
  std::string message;
  mlir::Location loc;
};

/// One pass over the whole model, import and the lowering to step included.
struct PassRun {
  unsigned index; // 0 is the import
  llvm::StringRef name;
  Phase phase;
  std::string passOptions; // of the pass, as llmc-opt takes them; empty if none
  mlir::ModuleOp before;   // null for the import
  mlir::ModuleOp after;
  bool isChanged; // the text with locations differs
  double milliseconds;
  llvm::ArrayRef<PassRemark> remarks;
  // The phase that may be started from what this pass left, if it is the last of its own.
  std::optional<Phase> restart;
  const PipelineOptions &options;
  const PipelineState &state; // what a compile that starts from here must know beside the module
};

/// The target of kernels that are not a device's.
constexpr llvm::StringLiteral cpuTarget = "cpu";

/// One pass of the lowering of kernels over one unit (a kernel, or a function that kernels share).
struct KernelPassRun {
  unsigned index; // among the passes that the unit goes through
  llvm::StringRef name;
  llvm::StringRef target; // `cpuTarget`, or the name of a device
  llvm::StringRef unit;
  mlir::Operation *after;
  bool isChanged;
  double milliseconds;
};

/// A unit that became an object.
struct CompiledUnit {
  struct Stage {
    std::string name;
    double milliseconds;
    std::vector<std::pair<std::string, int64_t>> opsBefore, opsAfter; // LLVM instructions by name
  };
  llvm::StringRef target; // as of a KernelPassRun
  std::string name;
  std::string llvmIR; // after LLVM's optimizations
  std::string assembly;
  std::string assemblySuffix = "s"; // of its file: "s", "ptx"
  std::string stackUsage;           // a line for each function: "NAME\tBYTES\tstatic"
  std::vector<Stage> stages;
  llvm::StringRef object;
};

class PipelineObserver {
public:
  virtual ~PipelineObserver() = default;

  /// After the import and after each pass. A failure, with a diagnostic, stops the compile.
  virtual mlir::LogicalResult passRan(const PassRun &) { return mlir::success(); }

  /// Kernels are compiled anew, not taken from the cache, if an observer wants to see them.
  virtual bool wantsKernels() const { return false; }
  /// The kernels of one variant, or one unit of a device, as their emitters made them. Ops may be given other
  /// locations, for example where they stand in a text of the observer's; the lines of LLVM IR and assembly
  /// are then from there. All kernels of a target are emitted, lowered and compiled before those of the next.
  virtual void kernelsEmitted(llvm::StringRef /*target*/, llvm::StringRef /*variantOrUnit*/, mlir::ModuleOp,
                              double /*milliseconds*/) {}
  virtual void kernelPassRan(const KernelPassRun &) {}
  /// From several threads, but never from two at a time.
  virtual void unitCompiled(const CompiledUnit &) {}

  /// A model.so that is whole, but does not stand in its place yet. A failure, with a diagnostic, stops the
  /// compile, and whatever was in that place stays.
  virtual mlir::LogicalResult moduleMade(const std::string & /*path*/) { return mlir::success(); }

  /// Once, at the end, also of a compile that failed; a failure has a diagnostic.
  virtual mlir::LogicalResult ended(bool /*succeeded*/) { return mlir::success(); }
};

} // namespace llmc::codegen
#endif
