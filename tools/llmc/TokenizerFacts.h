//===- TokenizerFacts.h - what a tokenizer says of itself -------*- C++ -*-===//
#ifndef LLMC_TOOLS_LLMC_TOKENIZERFACTS_H
#define LLMC_TOOLS_LLMC_TOKENIZERFACTS_H

#include <cstdint>
#include <optional>
#include <span>

namespace llmc::cli {

/// Of the header of a tokenizer blob; nothing if there is none.
struct TokenizerFacts {
  const char *kind;
  uint32_t vocab, version;
};
std::optional<TokenizerFacts> tokenizerFacts(std::span<const uint8_t> block);

} // namespace llmc::cli
#endif
