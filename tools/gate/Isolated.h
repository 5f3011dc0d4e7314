//===- Isolated.h - work that may crash, in a process of its own -*- C++ -*-===//
//
// A state of the module may be compiled to code that reads where there is nothing, or LLVM may give up on it.
// In a copy of this process that is an answer; here it would be the end of the compiler.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_GATE_ISOLATED_H
#define LLMC_TOOLS_GATE_ISOLATED_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

#include <string>

namespace llmc::tools {

/// What the work says before it ends, so that it is known of work that does not.
class IsolatedNote {
public:
  IsolatedNote();
  ~IsolatedNote();
  IsolatedNote(const IsolatedNote &) = delete;
  IsolatedNote &operator=(const IsolatedNote &) = delete;
  /// In the copy. Text beyond some hundred bytes is cut.
  void set(llvm::StringRef text);
  /// In either.
  std::string get() const;

private:
  char *room = nullptr; // shared by both; null: the system gave none
};

struct IsolatedEnd {
  std::string result; // what the work has written
  std::string crash;  // how it ended, if not by itself: "segmentation fault", with what it said
};

/// Runs `work` in a fork of this process. With other threads here that is refused, since what they hold would
/// never be free in the copy. The copy shares all files and
/// folders: what it leaves behind when it crashes is for the caller to remove.
IsolatedEnd runIsolated(llvm::function_ref<void(llvm::raw_ostream &result)> work);

} // namespace llmc::tools
#endif
