//===- Session.cpp - diagnostics as one sentence --------------------------===//
#include "Commands.h"

#include "codegen/Pipeline.h"
#include "ir/Locations.h"

#include <CLI/CLI.hpp>

#include "mlir/IR/Diagnostics.h"

#include <cstdio>
#include <filesystem>

using namespace mlir;
using namespace llmc;
using namespace llmc::tools;

static std::string describe(Diagnostic &diagnostic) {
  std::string words = diagnostic.str(), place;
  if (auto line = dyn_cast<FileLineColLoc>(placeOf(diagnostic.getLocation())))
    place = line.getFilename().str() + ":" + std::to_string(line.getLine()) + ":" +
            std::to_string(line.getColumn());
  else
    place = describeLocation(diagnostic.getLocation());
  return place.empty() ? words : place + ": " + words;
}

std::vector<std::string> tools::splitOptions(std::string text) {
  return CLI::detail::split_up(std::move(text));
}

std::string tools::compilerAt(const std::string &path) {
  std::error_code code;
  return (path.empty() ? std::filesystem::read_symlink("/proc/self/exe", code)
                       : std::filesystem::absolute(path))
      .string();
}

Session::Session(bool isVerbose)
    : context(codegen::pipelineDialects(), MLIRContext::Threading::DISABLED), isVerbose(isVerbose) {
  context.loadAllAvailableDialects();
  context.printOpOnDiagnostic(false); // one sentence, and the place says which op
  context.getDiagEngine().registerHandler([this](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == DiagnosticSeverity::Error) {
      if (firstError.empty())
        firstError = describe(diagnostic);
    } else {
      ++numRemarks;
      if (this->isVerbose)
        std::fprintf(stderr, "llmc: %s\n", describe(diagnostic).c_str());
    }
    return success();
  });
}

Session::~Session() {
  if (numRemarks && !isVerbose && firstError.empty())
    std::fprintf(stderr, "llmc: %u remark%s (-v shows them)\n", numRemarks, numRemarks == 1 ? "" : "s");
}

int Session::fail(const std::string &words) {
  if (firstError.empty())
    firstError = words.empty() ? "the compiler failed without saying why" : words;
  std::fprintf(stderr, "llmc: error: %s\n", (words.empty() ? firstError : words).c_str());
  return 1;
}
