//===- Interrupt.h - Ctrl-C -------------------------------------*- C++ -*-===//
//
// Ctrl-C (and a polite kill) reaches what is running, which then ends in order: a session is interrupted, a
// child is told, a file that is not whole goes away.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_LLMC_INTERRUPT_H
#define LLMC_TOOLS_LLMC_INTERRUPT_H

#include "llmc/llmc.h"

#include <string>

namespace llmc::cli {

/// Ctrl-C while one of these lives is a flag, and interrupts the session if there is one; the second Ctrl-C
/// ends the program.
class InterruptScope {
public:
  explicit InterruptScope(llmc_session *session = nullptr);
  ~InterruptScope();
  InterruptScope(const InterruptScope &) = delete;
  InterruptScope &operator=(const InterruptScope &) = delete;
  bool interrupted() const;
  /// Throws a Failure if it was interrupted.
  void check() const;
};

/// Makes Ctrl-C a flag for good, so that a chat can read a line and notice it.
void catchInterrupts();
/// How often Ctrl-C came since the last call; a polite kill counts twice.
int takeInterrupts();
/// After catchInterrupts(): a descriptor that poll() finds readable when Ctrl-C has come since the last
/// takeInterrupts(). An interrupted read is not enough: the signal may come just before it.
int interruptDescriptor();
/// What the second Ctrl-C does before it ends the program, async-signal-safe; null: nothing.
void setLastWords(void (*words)());

/// A file, or a folder of files, that is removed if this program ends early, by an exception or by a signal.
class Unfinished {
public:
  explicit Unfinished(std::string path);
  ~Unfinished();
  Unfinished(const Unfinished &) = delete;
  Unfinished &operator=(const Unfinished &) = delete;
  const std::string &path() const { return name; }
  /// Renames it to `place`, where it stays. A Failure if that cannot be.
  void moveTo(const std::string &place);
  /// What has its path now stays.
  void keep();

private:
  std::string name;
  int slot;
};

} // namespace llmc::cli
#endif
