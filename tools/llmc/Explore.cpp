//===- Explore.cpp - llmc explore -----------------------------------------===//
//
// A folder of dumps or a compiled model as a page to look at. Nothing of a model is executed.
//
//===----------------------------------------------------------------------===//
#include "tools/llmc/Explore.h"

#include "tools/explore/Report.h"
#include "tools/llmc/Common.h"
#include "tools/llmc/Files.h"
#include "tools/llmc/Interrupt.h"
#include "tools/llmc/TokenizerFacts.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <unistd.h>

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
  parts.weightsHash = fmt::format("{:016x}", footer.weights_hash);
  parts.tokenizerBytes = footer.tokenizer_size;
  if (auto tokenizer = tokenizerFacts(contents.tokenizer)) {
    parts.tokenizerKind = tokenizer->kind;
    parts.tokenizerVocab = tokenizer->vocab;
  }
  return explore::readModule(path, parts, profile);
}

/// The whole page or nothing: a temporary file beside its place, renamed.
void writePage(const std::string &place, const std::string &page) {
  std::error_code ignored;
  if (std::filesystem::is_directory(place, ignored))
    throw Failure(fmt::format("{}: cannot write: is a directory", place));
  UnfinishedFile unfinished(fmt::format("{}.{}", place, getpid()));
  errno = 0;
  std::ofstream out(unfinished.path(), std::ios::binary);
  out << page;
  out.close();
  if (!out)
    throw Failure(fmt::format("{}: cannot write: {}", place, std::strerror(errno)));
  unfinished.moveTo(place);
}

} // namespace

int explore(const ExploreOptions &options) {
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
  InterruptScope scope;
  writePage(options.output, explore::makePage(report));
  scope.check();
  return 0;
}

} // namespace llmc::cli
