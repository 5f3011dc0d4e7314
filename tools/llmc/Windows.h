//===- Windows.h - a long text as windows that a model can see --*- C++ -*-===//
//
// A window of `length` tokens starts every `stride` tokens. It scores those of its tokens that no window
// before it has scored, except its first one, which nothing precedes, and its first `skip`. The last window
// is the first one that reaches the end of the text.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_TOOLS_LLMC_WINDOWS_H
#define LLMC_TOOLS_LLMC_WINDOWS_H

#include <algorithm>
#include <cstddef>
#include <vector>

namespace llmc::cli {

struct Window {
  size_t begin, end; // tokens that the model sees
  size_t scored;     // the first one that is scored; from here to `end` all are
};

inline std::vector<Window> windowsOf(size_t tokens, size_t length, size_t stride, size_t skip) {
  std::vector<Window> windows;
  size_t done = 0;
  for (size_t begin = 0; begin < tokens; begin += stride) {
    size_t end = begin + std::min(length, tokens - begin);
    size_t scored = std::max(done, begin + std::max<size_t>(skip, 1));
    if (scored < end) {
      windows.push_back({begin, end, scored});
      done = end;
    }
    if (end == tokens)
      break;
  }
  return windows;
}

} // namespace llmc::cli
#endif
