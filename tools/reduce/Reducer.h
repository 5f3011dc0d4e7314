//===- Reducer.h - a failing model made small -------------------*- C++ -*-===//
#ifndef LLMC_TOOLS_REDUCE_REDUCER_H
#define LLMC_TOOLS_REDUCE_REDUCER_H

#include "tools/reduce/Check.h"

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace llmc::tools {

struct ReduceResult {
  std::string text; // with paths of files as they stand in the module
  unsigned checks = 0;
};

struct ReduceOptions {
  Check check;
  /// After each step that is kept: what was tried, and the model so far. One sentence stops it all.
  std::function<std::string(const char *what, mlir::ModuleOp smaller, unsigned checks)> kept;
};

/// Makes the one lm.model of `module` smaller as long as it fails the check, until no single edit is left
/// that would do. The same module and the same answers give the same result. One sentence on failure: the
/// model itself does not fail, or the check cannot be run.
std::string reduceModel(mlir::ModuleOp module, const ReduceOptions &options, ReduceResult &result);

} // namespace llmc::tools
#endif
