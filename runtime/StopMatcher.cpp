// Search over the held text only: it is never longer than the longest stop string and one piece.
#include "runtime/StopMatcher.h"

#include <algorithm>
#include <utility>

namespace llmc {

std::string_view StopMatcher::push(std::string_view piece) {
  shown.clear();
  if (stopped)
    return shown;
  held += piece;
  size_t first = std::string::npos;
  for (const std::string &stop : stops)
    first = std::min(first, held.find(stop));
  if (first != std::string::npos) {
    stopped = true;
    shown.assign(held, 0, first);
    held.clear();
    return shown;
  }
  // The longest end of the text with which a stop string begins.
  size_t keep = 0;
  for (const std::string &stop : stops)
    for (size_t n = std::min(stop.size() - 1, held.size()); n > keep; --n)
      if (std::string_view(held).substr(held.size() - n) == std::string_view(stop).substr(0, n))
        keep = n;
  shown.assign(held, 0, held.size() - keep);
  held.erase(0, held.size() - keep);
  return shown;
}

std::string_view StopMatcher::flush() {
  shown = std::exchange(held, {});
  return shown;
}

} // namespace llmc
