//===- Import.cpp - llmc import: a model file as lm text ------------------===//
#include "Commands.h"

#include "frontend/Importer.h"

#include <CLI/CLI.hpp>

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/ToolOutputFile.h"

using namespace llmc;
using namespace llmc::tools;

namespace {
struct ImportArguments {
  std::string source, output = "-";
  bool isVerbose = false;
};
} // namespace

static int runImport(const ImportArguments &arguments) {
  Session session(arguments.isVerbose);
  frontend::ImportOptions options;
  if (arguments.output != "-")
    options.relativeTo = frontend::folderOf(arguments.output);
  std::string error;
  mlir::OwningOpRef<mlir::ModuleOp> module =
      frontend::importModel(session.context, arguments.source, options, error);
  if (!module)
    return session.fail(error);
  if (arguments.output == "-") {
    frontend::printModel(frontend::modelOf(*module), llvm::outs());
    return 0;
  }
  std::string temporary = arguments.output + ".tmp";
  std::error_code code;
  {
    llvm::ToolOutputFile out(temporary, code, llvm::sys::fs::OF_Text);
    if (code)
      return session.fail(arguments.output + ": cannot write: " + code.message());
    frontend::printModel(frontend::modelOf(*module), out.os());
    out.os().flush();
    if (out.os().has_error()) {
      code = out.os().error();
      out.os().clear_error();
      return session.fail(arguments.output + ": cannot write: " + code.message());
    }
    out.keep();
  }
  if ((code = llvm::sys::fs::rename(temporary, arguments.output)))
    return session.fail(arguments.output + ": cannot write: " + code.message());
  return 0;
}

void tools::addImportCommand(CLI::App &app, int &status) {
  auto arguments = std::make_shared<ImportArguments>();
  CLI::App *command =
      app.add_subcommand("import", "Write a model file as lm text; the weights stay where they are.");
  command->add_option("SRC", arguments->source, "model.gguf, or model.mlir to tidy up")->required();
  command->add_option("-o,--output", arguments->output, "file to write; - is the terminal")
      ->capture_default_str();
  command->add_flag("-v,--verbose", arguments->isVerbose, "show remarks");
  command->footer("Example:\n  llmc import smollm2.gguf -o smollm2.mlir");
  command->callback([arguments, &status] { status = runImport(*arguments); });
}
