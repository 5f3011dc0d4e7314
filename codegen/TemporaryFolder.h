//===- TemporaryFolder.h - a folder for what nobody keeps -------*- C++ -*-===//
#ifndef LLMC_CODEGEN_TEMPORARYFOLDER_H
#define LLMC_CODEGEN_TEMPORARYFOLDER_H

#include "llvm/ADT/StringRef.h"

#include <string>

namespace llmc::codegen {

/// A new folder of the system's, which goes away with all that is in it when the object does.
class TemporaryFolder {
public:
  /// The folder's name begins with `name`.
  explicit TemporaryFolder(llvm::StringRef name);
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;

  /// One sentence if the folder could not be made; checked before anything else.
  const std::string &error() const { return failure; }
  const std::string &path() const { return name; }

private:
  std::string name, failure;
  TemporaryFolder *next = nullptr; // of all that there are

  friend void removeTemporaryFolders();
};

/// Removes all that there are, for a handler of signals that ends the program. Async-signal-safe.
void removeTemporaryFolders();

} // namespace llmc::codegen
#endif
