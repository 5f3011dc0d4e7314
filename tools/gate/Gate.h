//===- Gate.h - the numbers before and after each pass ----------*- C++ -*-===//
//
// What `--verify-passes` does; README.md here says how.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_GATE_GATE_H
#define LLMC_TOOLS_GATE_GATE_H

#include "codegen/PipelineOptions.h"
#include "codegen/TemporaryFolder.h"
#include "tools/gate/Budgets.h"
#include "tools/gate/EvaluateState.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <memory>
#include <optional>

namespace llmc::tools {

struct GateOptions {
  double tolerance = 0;        // instead of the budget of reassociation; 0: that
  std::vector<int64_t> layers; // only these; empty: all
  bool isLayerCount = false;   // they are the first ones, as many as there are
  std::string cacheDir;        // of compiled kernels
  std::string folder;          // for compiled states, each gone when it has run
  std::string reproducer;      // folder to leave a failure in; empty: none is left
  std::string compiler; // this program: its `simt` makes code for devices' kernels; empty: they are not run
};

class Gate : public codegen::PipelineObserver {
public:
  explicit Gate(GateOptions options) : options(std::move(options)) {}

  mlir::LogicalResult passRan(const codegen::PassRun &run) override;
  mlir::LogicalResult moduleMade(const std::string &path) override;

  /// A line for each comparison: what was compared, the largest and the mean error, the budget.
  void printTable(llvm::raw_ostream &out) const;
  llvm::json::Value json() const;

private:
  struct Row {
    std::string name;
    std::string note; // instead of numbers
    Comparison result;
    Budget budget;
    double seconds = 0;
  };

  mlir::LogicalResult begin(const codegen::PassRun &run);
  mlir::LogicalResult checkPass(const codegen::PassRun &run);
  mlir::LogicalResult checkKernels(mlir::ModuleOp program);
  mlir::LogicalResult checkModule(const std::string &made);
  /// Runs model.so by a variant of the CPU, or by a device (runModule), and then with the tokens cut in other
  /// ways.
  mlir::LogicalResult checkVariant(const std::string &path, const std::string &variant, const Budget &budget,
                                   llvm::ArrayRef<std::pair<int, bool>> cuts);
  mlir::LogicalResult checkDevice(const std::string &path);
  /// Nothing, and a note, where the state cannot be run.
  std::optional<Evaluation> evaluate(mlir::ModuleOp state);
  /// Fills the line; a failure, and a note, where `found` is beyond the budget.
  mlir::LogicalResult judge(const std::string &name, const Evaluation &expected, const Evaluation &found,
                            const Budget &budget);
  /// Notes what is wrong.
  mlir::LogicalResult fail(const std::string &words);
  /// Says what was noted, if anything was, and leaves a reproducer.
  mlir::LogicalResult report(const std::string &pass, codegen::Phase phase, mlir::ModuleOp before,
                             mlir::ModuleOp after);

  GateOptions options;
  std::optional<codegen::TemporaryFolder> ownCache; // of kernels, for this run alone
  std::unique_ptr<StateEvaluator> evaluator;
  mlir::MLIRContext *context = nullptr; // of the compile that is looked at
  Schedule schedule;
  int64_t layers = 0;                       // that are run
  std::string activations, cacheType;       // once they are chosen
  mlir::OwningOpRef<mlir::ModuleOp> module; // what is looked at
  mlir::OwningOpRef<mlir::ModuleOp> before; // what it was before the pass
  std::optional<Evaluation> last;           // what it computed when it was last run
  codegen::PipelineOptions pipeline;        // of the compile that is looked at
  codegen::PipelineState state;
  struct Problem {
    std::string sentence;
    std::optional<mlir::Location> loc;
    std::optional<Difference> difference;
  };
  std::optional<Problem> problem;
  std::vector<Row> rows;
  double started = 0; // the seconds at which the work on the next line began
  std::string error;
};

} // namespace llmc::tools
#endif
