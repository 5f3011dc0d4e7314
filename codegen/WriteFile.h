//===- WriteFile.h - text and objects to a file -----------------*- C++ -*-===//
#ifndef LLMC_CODEGEN_WRITEFILE_H
#define LLMC_CODEGEN_WRITEFILE_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <memory>
#include <string>

namespace llmc::codegen {

/// Writes what `write` prints to `path` (`-`: the terminal); one sentence if that fails, else nothing. The
/// file is there only when it is whole.
std::string writeFile(const std::string &path, llvm::function_ref<void(llvm::raw_ostream &)> write);

/// A new file of a name of its own, open for writing. It goes away when the object does, or when a signal
/// ends the program, unless moveTo has given it its place.
class TemporaryFile {
public:
  /// The name is `beside`, something random, and the suffix.
  TemporaryFile(const std::string &beside, llvm::StringRef suffix);
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile &) = delete;
  TemporaryFile &operator=(const TemporaryFile &) = delete;

  /// One sentence if the file could not be made; checked before anything else.
  const std::string &error() const { return failure; }
  const std::string &path() const { return name; }
  llvm::raw_fd_ostream &stream() { return *out; }
  /// Ends writing and renames to `place`; one sentence if that or any write before it failed.
  std::string moveTo(const std::string &place);

private:
  std::string name, failure;
  int descriptor = -1; // holds the lock of the file for as long as its name is there
  std::unique_ptr<llvm::raw_fd_ostream> out;
};

} // namespace llmc::codegen
#endif
