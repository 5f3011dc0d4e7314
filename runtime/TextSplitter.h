// The pre-tokenizer: cuts text into the pieces that are tokenized by themselves, with PCRE2 patterns.
#pragma once

#include "llmc/llmc.h"
#include "runtime/TokenizerData.h"

#include <string_view>
#include <vector>

struct pcre2_real_code_8;

namespace llmc {

class TextSplitter {
public:
  TextSplitter() = default;
  ~TextSplitter();
  TextSplitter(const TextSplitter &) = delete;
  TextSplitter &operator=(const TextSplitter &) = delete;

  llmc_status open(const TokenizerData &);

  /// What one call needs; not shared by threads.
  class Scratch;

  /// Appends the pieces of valid UTF-8 in order; they point into `text` or into the scratch, until the next
  /// call. `isFirst`: nothing lies before the text.
  llmc_status split(std::string_view text, bool isFirst, Scratch &,
                    std::vector<std::string_view> &pieces) const;

private:
  struct Step {
    uint32_t type, behaviour, flags;
    pcre2_real_code_8 *code; // of a split
    std::string_view mark;   // of a metaspace
  };
  std::vector<Step> steps;

  using Pieces = std::vector<std::string_view>;
  llmc_status apply(size_t step, std::string_view text, bool isFirst, Scratch &, Pieces &) const;
  llmc_status splitByPattern(size_t step, std::string_view text, bool isFirst, Scratch &, Pieces &) const;
  llmc_status markSpaces(size_t step, std::string_view text, bool isFirst, Scratch &, Pieces &) const;
};

} // namespace llmc
