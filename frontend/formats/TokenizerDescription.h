//===- TokenizerDescription.h - a tokenizer as read -------------*- C++ -*-===//
//
// What the readers of model files fill and the writer of the block lays out: plain data in the terms of
// llmc/tokenizer_blob.h, and what readers share.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_FRONTEND_FORMATS_TOKENIZERDESCRIPTION_H
#define LLMC_FRONTEND_FORMATS_TOKENIZERDESCRIPTION_H

#include "frontend/formats/Quote.h"
#include "llmc/tokenizer_blob.h"

#include <array>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace llmc::formats {

constexpr size_t kMaxVocab = 1u << 24, kMaxTokenText = 1u << 16;
constexpr size_t kMaxTemplates = 64, kMaxTemplate = 1u << 20;
constexpr std::string_view kSpaceMark = "\xe2\x96\x81"; // U+2581, SentencePiece's space

struct TokenizerDescription {
  struct Template {
    std::string name, text; // the default one has the empty name and is first
  };
  struct Norm {
    uint32_t type, flags = 0;
    std::string a = {}, b = {};
  };
  struct Step {
    uint32_t type, behaviour = LLMC_TOK_ISOLATED, flags = 0;
    std::string pattern = {};
  };

  TokenizerDescription() {
    special.fill(-1);
    byteToken.fill(-1);
  }

  uint32_t kind = LLMC_TOK_BYTE_LEVEL_BPE, flags = 0;
  std::string preName, wordPrefix, wordSuffix;
  std::vector<std::string> text;     // the bytes that each token stands for
  std::vector<std::string> spelling; // what text has to hold for it; empty list: the same
  std::vector<uint8_t> attr;         // a kind each
  std::vector<bool> inIndex;         // can come out of plain text
  std::vector<float> scores;         // of Unigram
  float unknownScore = 0;
  std::vector<llmc_tok_merge> merges; // no pair twice
  std::array<int32_t, LLMC_TOK_MAX_ROLES> special;
  std::array<int32_t, 256> byteToken;
  std::unordered_map<uint32_t, uint32_t> specialFlags; // of tokens found in text that have any
  std::vector<int32_t> prefix, suffix, stops;
  std::vector<Norm> norms;
  std::vector<Step> steps;
  std::vector<Template> templates;

  const std::string &spelled(size_t id) const { return spelling.empty() ? text[id] : spelling[id]; }
  void resize(size_t n) {
    text.resize(n);
    attr.assign(n, LLMC_TOK_NORMAL);
    inIndex.assign(n, false);
  }
};

/// The bytes behind the spelling of a byte-level vocabulary, which has one printable character for each byte.
/// False if a character is not of that alphabet.
bool spelledBytes(std::string_view spelling, std::string &out);

/// "<0xE5>" as a byte, -1 if the text is anything else.
int hexByte(std::string_view);

/// Bytes of the first character of some text, 1 for what is no character.
size_t characterSize(std::string_view);

/// `text` with every `from` as `to`.
std::string replaced(std::string_view text, std::string_view from, std::string_view to);

/// What Unigram gives a character without token: 10 less than the lowest score of a token.
float unknownScoreOf(const TokenizerDescription &, const std::vector<float> &scores);

/// What is wrong with a precompiled map of characters, null if nothing.
const char *checkCharsMap(std::string_view map);

/// Adds the tokens that are known by name to end turns to the stops, names a missing end of turn, and sorts
/// the stops. `ids`: by spelling.
void findStops(TokenizerDescription &, const std::unordered_map<std::string_view, uint32_t> &ids);

/// Lays the block out. On failure false and `error`, which starts with `path`.
bool writeTokenizerBlob(TokenizerDescription &, const std::string &path, std::string &blob,
                        std::string &error);

} // namespace llmc::formats
#endif
