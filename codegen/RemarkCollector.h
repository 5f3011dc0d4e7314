//===- RemarkCollector.h - what passes say while they run -------*- C++ -*-===//
#ifndef LLMC_CODEGEN_REMARKCOLLECTOR_H
#define LLMC_CODEGEN_REMARKCOLLECTOR_H

#include "codegen/Observer.h"

#include "mlir/IR/Diagnostics.h"

#include <memory>

namespace llmc::codegen {

/// Keeps the optimization remarks, and a copy of each warning and remark, of one context while it exists.
class RemarkCollector {
public:
  explicit RemarkCollector(mlir::MLIRContext &context);
  ~RemarkCollector();

  /// Those since the last call, in order, equal ones once: a pattern that is tried again says it again.
  std::vector<PassRemark> take();

private:
  mlir::MLIRContext &context;
  std::shared_ptr<std::vector<PassRemark>> remarks;
  mlir::ScopedDiagnosticHandler handler;
};

} // namespace llmc::codegen
#endif
