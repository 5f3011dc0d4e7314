//===- fuzz_model_text.cpp - any text as a model.mlir ---------------------===//
//
// Parsing and verifying a text never crashes, and what verifies can be printed and read again.
//
//===----------------------------------------------------------------------===//
#include "ir/LMOps.h"
#include "ir/Print.h"
#include "ir/StepOps.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"

#include "llvm/Support/raw_ostream.h"

#include <cstdlib>

using namespace mlir;

static OwningOpRef<ModuleOp> parse(MLIRContext &context, llvm::StringRef text) {
  return parseSourceString<ModuleOp>(text, ParserConfig(&context), "fuzz.mlir");
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  context.loadDialect<llmc::lm::LMDialect, llmc::step::StepDialect>();
  ScopedDiagnosticHandler quiet(&context, [](Diagnostic &) { return success(); });
  OwningOpRef<ModuleOp> module =
      parse(context, llvm::StringRef(reinterpret_cast<const char *>(bytes), size));
  if (!module)
    return 0;
  std::string printed;
  llvm::raw_string_ostream out(printed);
  llmc::printLocated(*module, out);
  if (!parse(context, printed)) {
    llvm::errs() << "cannot be read again:\n" << printed;
    std::abort();
  }
  return 0;
}
