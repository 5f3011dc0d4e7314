//===- LineReader.h - lines of a conversation -------------------*- C++ -*-===//
//
// From a terminal character by character, because the system's own lines end at 4096 bytes and a paste of
// several lines would be several turns. Typed: backspace, Ctrl-U, Ctrl-W, Ctrl-D. A paste, of any length, is
// one piece where the terminal marks it (bracketed paste). From anything else: plain lines.
//
// The terminal stays in this mode between lines too. In its own mode it would swallow what is typed while
// nobody reads (a Ctrl-D becomes a NUL when the mode changes), and Ctrl-C would throw away what the program
// has written and nobody has yet seen (NOFLSH keeps it).
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_LLMC_LINEREADER_H
#define LLMC_TOOLS_LLMC_LINEREADER_H

#include <string>
#include <string_view>

namespace llmc::cli {

/// One at a time, after catchInterrupts(). Sets the terminal back when it goes.
class LineReader {
public:
  enum class End { Line, Input, Interrupt };

  explicit LineReader(bool readsTerminal);
  ~LineReader();
  LineReader(const LineReader &) = delete;
  LineReader &operator=(const LineReader &) = delete;

  /// A line without its end. On a terminal it shows the prompt, and what is typed; what was typed while
  /// nobody read comes first.
  End read(std::string_view prompt, std::string &line);

private:
  End readTerminal(std::string_view prompt, std::string &line);
  void setTerminal();
  /// The next byte; -1 at the end of the input, -2 when Ctrl-C came.
  int next();
  bool hasMore() const { return at < buffer.size(); }
  /// The rest of an escape sequence: "[200~".
  std::string readEscape();

  bool isTerminal;
  std::string buffer; // read, but not yet looked at
  size_t at = 0;
};

} // namespace llmc::cli
#endif
