//===- LowerUnits.cpp - passes over units of code, looked on --------------===//
#include "codegen/LowerUnits.h"

#include "codegen/Stopwatch.h"

#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassInstrumentation.h"

using namespace mlir;
using namespace llmc::codegen;

namespace {

/// Tells the observers of each pass over each unit; one that runs others is told as a whole. Units are
/// lowered one after the other.
class KernelPassTeller : public PassInstrumentation {
public:
  KernelPassTeller(ArrayRef<PipelineObserver *> observers, StringRef target, ArrayRef<std::string> names)
      : observers(observers), target(target), names(names) {}

  void runBeforePass(Pass *pass, Operation *op) override {
    if (!isOverUnit(pass, op) || depth++)
      return;
    if (op != unit) {
      ++numUnits;
      numPasses = 0;
    }
    unit = op;
    before.emplace(op);
    watch = {};
  }
  void runAfterPass(Pass *pass, Operation *op) override {
    if (!isOverUnit(pass, op) || --depth)
      return;
    KernelPassRun run{numPasses++,
                      pass->getArgument(),
                      target,
                      names[numUnits - 1],
                      op,
                      *before != OperationFingerPrint(op),
                      watch.milliseconds()};
    for (PipelineObserver *observer : observers)
      observer->kernelPassRan(run);
  }

private:
  /// Not an adaptor, which only takes passes to the units.
  static bool isOverUnit(Pass *pass, Operation *op) {
    return !pass->getArgument().empty() && isa<ModuleOp>(op) && op->getParentOp();
  }
  ArrayRef<PipelineObserver *> observers;
  StringRef target;
  ArrayRef<std::string> names;
  Operation *unit = nullptr;
  unsigned numUnits = 0, numPasses = 0, depth = 0;
  std::optional<OperationFingerPrint> before;
  Stopwatch watch;
};

} // namespace

LogicalResult llmc::codegen::lowerUnits(ModuleOp units, StringRef target, ArrayRef<std::string> names,
                                        llvm::function_ref<void(OpPassManager &)> addPasses,
                                        ArrayRef<PipelineObserver *> observers) {
  PassManager passes(units.getContext());
  if (!observers.empty())
    passes.addInstrumentation(std::make_unique<KernelPassTeller>(observers, target, names));
  addPasses(passes.nest<ModuleOp>());
  return passes.run(units);
}
