//===- Explore.cpp - llmc explore -----------------------------------------===//
//
// A folder of dumps or a compiled model as a page to look at. Nothing of a model is executed.
//
//===----------------------------------------------------------------------===//
#include "tools/llmc/Explore.h"

#include "tools/explore/Report.h"
#include "tools/llmc/Common.h"
#include "tools/llmc/Files.h"
#include "tools/llmc/NewFile.h"
#include "tools/llmc/TokenizerFacts.h"

#include <fmt/format.h>

namespace llmc::cli {
namespace {

explore::Report readCompiled(const std::string &path, const std::string &profile) {
  MappedFile file;
  ModuleContents contents;
  openModule(path, file, contents);
  const llmc_footer &footer = contents.footer;
  explore::ModuleParts parts;
  parts.elf = file.bytes().first(footer.elf_size);
  parts.manifest = contents.manifest;
  parts.fileBytes = footer.file_size;
  parts.weightBytes = footer.weights_size;
  parts.headHash = fmt::format("{:016x}", footer.head_hash);
  parts.weightsHash = fmt::format("{:016x}", footer.weights_hash);
  parts.tokenizerBytes = footer.tokenizer_size;
  if (auto tokenizer = tokenizerFacts(contents.tokenizer)) {
    parts.tokenizerKind = tokenizer->kind;
    parts.tokenizerVocab = tokenizer->vocab;
  }
  return explore::readModule(path, parts, profile);
}

} // namespace

int explore(const ExploreOptions &options) {
  InterruptScope scope;
  noteInput(options.source);
  if (!options.profile.empty())
    noteInput(options.profile);
  preparePlace(options.output);
  explore::Report report;
  switch (FileKind kind = fileKind(options.source); kind) {
  case FileKind::Directory:
    report = explore::readDumpFolder(options.source, options.profile);
    break;
  case FileKind::Module:
    report = readCompiled(options.source, options.profile);
    break;
  default:
    throw Failure(fmt::format("{}: expected a folder of llmc compile --dump-ir or a compiled model, found {}",
                              options.source, describe(kind)));
  }
  scope.check();
  const std::string page = explore::makePage(report);
  NewFile file(options.output);
  file.write(page.data(), page.size());
  scope.check();
  file.finish();
  return 0;
}

} // namespace llmc::cli
