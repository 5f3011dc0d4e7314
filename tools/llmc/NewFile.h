//===- NewFile.h - a file that appears when it is whole ---------*- C++ -*-===//
#ifndef LLMC_TOOLS_LLMC_NEWFILE_H
#define LLMC_TOOLS_LLMC_NEWFILE_H

#include "tools/llmc/Common.h"
#include "tools/llmc/Interrupt.h"

#include <optional>

namespace llmc::cli {

/// Says that this command reads the file, or the files of a model or of a dump in the directory: no NewFile
/// takes their place.
void noteInput(const std::string &path);

/// Before there is anything to write: throws what a NewFile of this path would throw at once, and removes
/// leftovers of the place, as that does (formats::preparePlace).
void preparePlace(std::string path);

/// A new folder of the system's, or of the one that TMPDIR names; whoever asks removes it.
std::string newTemporaryFolder();

/// Written beside its place under another name, which finish() changes; without it nothing stays. A link
/// stays one: what it points at is replaced. A Failure where the place is an input, or there and no regular
/// file.
class NewFile {
public:
  explicit NewFile(std::string path);
  void write(const void *, size_t);
  void finish();
  const std::string &path() const { return place; }

private:
  std::string place;
  FileDescriptor lock; // says whose the file is for as long as it is beside its place
  std::optional<Unfinished> unfinished;
  std::unique_ptr<FILE, Deleter<std::fclose>> file;
};

} // namespace llmc::cli
#endif
