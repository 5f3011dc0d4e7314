//===- Import.cpp - llmc import: a model file as lm text ------------------===//
#include "Commands.h"

#include "codegen/WriteFile.h"
#include "frontend/Importer.h"
#include "frontend/formats/NewFile.h"

#include <CLI/CLI.hpp>

using namespace llmc;
using namespace llmc::tools;

namespace {
struct ImportArguments {
  frontend::ImportOptions options;
  std::string source, output = "-";
  bool isVerbose = false;
};
} // namespace

static int runImport(const ImportArguments &arguments) {
  Session session(arguments.isVerbose);
  frontend::ImportOptions options = arguments.options;
  if (arguments.output != "-")
    options.relativeTo = frontend::folderOf(arguments.output);
  std::string error;
  mlir::OwningOpRef<mlir::ModuleOp> module =
      frontend::importModel(session.context, arguments.source, options, error);
  if (!module)
    return session.fail(error);
  std::string place = arguments.output;
  if (place != "-") {
    frontend::ModelFiles files = frontend::findModelFiles(frontend::modelOf(*module), options.relativeTo);
    files.weights.insert(files.weights.end(), {arguments.source, files.tokenizer});
    if (std::string words = formats::preparePlace(place, files.weights); !words.empty())
      return session.fail(words);
  }
  error = codegen::writeFile(
      place, [&](llvm::raw_ostream &out) { frontend::printModel(frontend::modelOf(*module), out); });
  return error.empty() ? 0 : session.fail(error);
}

void tools::addContextOption(CLI::App &command, frontend::ImportOptions &options) {
  command
      .add_option(
          "--ctx", options.context,
          "tokens in a sequence that rope scalings which depend on it (dynamic, longrope) are fixed for "
          "(default: what the model was trained for, at most 4096)")
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 24));
}

void tools::addImportCommand(CLI::App &app, int &status) {
  auto arguments = std::make_shared<ImportArguments>();
  CLI::App *command =
      app.add_subcommand("import", "Write a model file as lm text; the weights stay where they are.");
  command
      ->add_option("SRC", arguments->source, "model.gguf, a Hugging Face directory, or model.mlir to tidy up")
      ->required()
      ->type_name("FILE");
  command->add_option("-o,--output", arguments->output, "file to write; - is the terminal")
      ->type_name("FILE")
      ->capture_default_str();
  addContextOption(*command, arguments->options);
  command->add_flag("-v,--verbose", arguments->isVerbose, "show remarks");
  command->footer("Example:\n  llmc import smollm2.gguf -o smollm2.mlir");
  command->callback([arguments, &status] { status = runImport(*arguments); });
}
