// A program in a terminal of its own (a pty), spoken to as a person would.
#pragma once

#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

class Terminal {
public:
  /// Ends the test with the code `noTerminal` where no terminal can be made.
  explicit Terminal(const std::vector<std::string> &arguments);
  ~Terminal();
  Terminal(const Terminal &) = delete;

  /// Types this. Long texts are written as the program takes them.
  void type(std::string_view text);
  /// Waits until the program has shown this since the last call of expect(); false after `seconds`.
  bool expect(std::string_view text, double seconds = 60);
  /// Waits for its end and returns the exit code; -1 if it does not end, or by a signal.
  int wait(double seconds = 60);
  /// All that it has shown.
  const std::string &shown() const { return output; }
  pid_t process() const { return child; }

private:
  /// Reads what there is, for up to this long.
  void read(double seconds);

  static constexpr int noTerminal = 77; // the test is skipped
  pid_t child = -1;
  int descriptor = -1;
  std::string output;
  size_t seen = 0;
};
