//===- Commands.h - the commands of llmc-compile ----------------*- C++ -*-===//
#ifndef LLMC_TOOLS_LLMC_COMPILE_COMMANDS_H
#define LLMC_TOOLS_LLMC_COMPILE_COMMANDS_H

#include "codegen/PipelineOptions.h"
#include "frontend/Importer.h"

#include "mlir/IR/MLIRContext.h"

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace llmc::tools {

/// Each adds a subcommand that leaves the exit status in `status`.
void addImportCommand(CLI::App &app, int &status);
void addCompileCommand(CLI::App &app, int &status);
void addBisectCommand(CLI::App &app, int &status);
void addReduceCommand(CLI::App &app, int &status);
void addSimtCommand(CLI::App &app, int &status);

/// Where compiled kernels are kept unless the command line says otherwise; empty: nowhere.
std::string defaultCacheDir();
/// Says so on stderr if nothing can be kept there.
void noteUnwritableCache(const std::string &folder);

/// What makes machine code for GPUs: `wish` is a path, "none", or empty for a ptxas that is found. Null:
/// nothing does. `usage` says that the wish is none, `error` that what it names is no ptxas, `note` that
/// what was found is none or too old for some of the devices; one that was wished for is taken as it is.
std::shared_ptr<const codegen::DeviceAssembler> findAssembler(const std::string &wish,
                                                              llvm::ArrayRef<codegen::DeviceChoice> devices,
                                                              std::string &usage, std::string &error,
                                                              std::string &note);

/// What both say of how a source is read.
void addContextOption(CLI::App &command, frontend::ImportOptions &options);

/// "--kv f16 --quantize 'a b=q4_0'" as the shell would take it apart.
std::vector<std::string> splitOptions(std::string text);
/// The program at `path`, wherever the caller goes; this one if it is empty.
std::string compilerAt(const std::string &path);

/// A context with all dialects of the pipeline. Errors are kept, not printed.
class Session {
public:
  explicit Session(bool isVerbose);
  ~Session(); // says how many remarks were not shown
  mlir::MLIRContext context;

  /// Prints the one sentence of a failure (`words`, else the first diagnostic) and yields exit status 1.
  int fail(const std::string &words = "");

private:
  bool isVerbose;
  std::string firstError;
  unsigned numRemarks = 0;
};

} // namespace llmc::tools
#endif
