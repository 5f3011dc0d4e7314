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

  /// Appends the pieces of valid UTF-8 in order; they point into `text`.
  llmc_status split(std::string_view text, Scratch &, std::vector<std::string_view> &pieces) const;

private:
  struct Step {
    pcre2_real_code_8 *code;
    uint32_t behaviour;
    bool hasJit;
  };
  std::vector<Step> steps;

  llmc_status apply(size_t step, std::string_view text, Scratch &,
                    std::vector<std::string_view> &pieces) const;
};

} // namespace llmc
