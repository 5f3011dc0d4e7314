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

namespace llmc::formats {

struct PreTokenizer {
  std::span<const char *const> patterns; // PCRE2, each an "Isolated" split of the pieces of the one before
  bool nfc = false;
  bool ignoreMerges = false;
  bool addBos = false; // unless the file says otherwise
};

/// Null for a name that is not in the table.
const PreTokenizer *findPreTokenizer(std::string_view name);

/// All names, for diagnostics: "deepseek-coder, deepseek-v3, ...".
std::string preTokenizerNames();

} // namespace llmc::formats
#endif
