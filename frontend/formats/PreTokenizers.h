//===- PreTokenizers.h - pre-tokenizers by the names of GGUF ----*- C++ -*-===//
//
// GGUF stores which pre-tokenizer a vocabulary was made with as a name only. This table holds what each name
// stands for: the split patterns in order, the normalizer, and the defaults that the name implies.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_FRONTEND_FORMATS_PRETOKENIZERS_H
#define LLMC_FRONTEND_FORMATS_PRETOKENIZERS_H

#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace llmc::formats {

struct PreTokenizer {
  std::span<const char *const> patterns; // PCRE2, each an "Isolated" split of the pieces of the one before
  bool nfc = false;
  bool ignoreMerges = false;
  bool addBos = false; // unless the file says otherwise
};

/// The pattern of GPT-2, which ByteLevel of tokenizer.json stands for too.
extern const char *const kGpt2Pattern;

/// Null for a name that is not in the table.
const PreTokenizer *findPreTokenizer(std::string_view name);

/// All names, for diagnostics: "deepseek-coder, deepseek-v3, ...".
std::string preTokenizerNames();

/// Row `i` of the table; a null value behind the last one.
std::pair<std::string_view, const PreTokenizer *> preTokenizerAt(size_t i);

} // namespace llmc::formats
#endif
