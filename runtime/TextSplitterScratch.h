// Patterns and the per-call state of matching them.
#pragma once

#include "runtime/TextSplitter.h"

#include <deque>
#include <string>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace llmc {

class TextSplitter::Scratch {
public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch &) = delete;
  Scratch &operator=(const Scratch &) = delete;

  bool growStack();

  pcre2_match_data *match = nullptr;
  pcre2_match_context *context = nullptr;
  pcre2_jit_stack *stack = nullptr;
  std::deque<std::string> texts; // what steps wrote; pieces point into it
};

/// `what` names the pattern in errors.
llmc_status compilePattern(std::string_view pattern, const char *what, pcre2_code *&code);

/// The matches of a pattern in valid UTF-8, from left to right, without empty ones.
class PatternSearch {
public:
  PatternSearch(const pcre2_code *code, std::string_view text, TextSplitter::Scratch &scratch)
      : code(code), text(text), scratch(scratch) {
    size_t size = 0;
    hasJit = pcre2_pattern_info(code, PCRE2_INFO_JITSIZE, &size) == 0 && size != 0;
  }
  llmc_status next(size_t &begin, size_t &end, bool &found);

private:
  const pcre2_code *code;
  std::string_view text;
  TextSplitter::Scratch &scratch;
  size_t done = 0, from = 0;
  bool hasJit;
};

} // namespace llmc
