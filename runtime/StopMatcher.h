// Looks for stop strings in text that arrives in pieces. Text that may still become a stop string is held
// back.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace llmc {

class StopMatcher {
public:
  explicit StopMatcher(std::vector<std::string> stops) : stops(std::move(stops)) {}

  /// Adds a piece and returns what may be shown; valid until the next call. After isStopped() it ends right
  /// before the stop string that begins first.
  std::string_view push(std::string_view piece);
  /// What is still held back when the text ends without a stop string.
  std::string_view flush();
  bool isStopped() const { return stopped; }

private:
  std::vector<std::string> stops;
  std::string shown, held;
  bool stopped = false;
};

} // namespace llmc
