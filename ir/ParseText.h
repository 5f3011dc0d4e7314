//===- ParseText.h - IR from a text that anybody may have written -*- C++ -*-===//
#ifndef LLMC_IR_PARSETEXT_H
#define LLMC_IR_PARSETEXT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/OwningOpRef.h"

#include <string>

namespace mlir {
class AsmParserState;
}

namespace llmc {

/// Makes one sentence of what MLIR reports while it exists: the first error and its notes, each with its
/// place.
class FirstError {
public:
  explicit FirstError(mlir::MLIRContext &context)
      : handler(&context, [this](mlir::Diagnostic &d) { return take(d); }) {}
  const std::string &text() const { return sentence; }

private:
  mlir::LogicalResult take(mlir::Diagnostic &diagnostic);
  std::string sentence;
  mlir::ScopedDiagnosticHandler handler;
};

/// Reads and verifies a file of IR; what stands outside a module gets one. `whenParsed` is called with what
/// the parser knows of the text, while there is a text. On failure returns null, and `error` is one sentence
/// with the place.
mlir::OwningOpRef<mlir::ModuleOp>
parseText(mlir::MLIRContext &context, const std::string &path, std::string &error,
          llvm::function_ref<void(const mlir::AsmParserState &)> whenParsed = {});

} // namespace llmc
#endif
