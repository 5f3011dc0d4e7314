// Text to tokens and back, from a compiled tokenizer (llmc/tokenizer_blob.h).
#pragma once

#include "runtime/Busy.h"
#include "runtime/Normalizer.h"
#include "runtime/SpecialMatcher.h"
#include "runtime/TextSplitter.h"
#include "runtime/TokenizerData.h"

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace llmc {

/// Immutable after open; may be shared by threads. Functions that return a status set the thread's last
/// error; they may throw std::bad_alloc, which the C API catches.
class Tokenizer {
public:
  /// Part of a text with one origin. In text that a user typed, the spelling of a special token is plain
  /// text.
  struct Segment {
    std::string_view text;
    bool parseSpecial;
  };

  /// The block is checked completely; it must be aligned to 8 bytes and outlive the tokenizer.
  llmc_status open(const void *blob, size_t n);

  bool isNone() const { return data.attr.empty(); }
  uint32_t size() const { return static_cast<uint32_t>(data.attr.size()); }
  std::string_view preTokenizerName() const { return isNone() ? "" : data.string(data.header->pre_name); }

  /// Appends the tokens of the segments, tokenized as one text: pieces may span segments, special tokens may
  /// not. Bytes that are not UTF-8 are tokenized byte by byte; vocabularies of characters see U+FFFD for
  /// each. `addSpecial`: with the tokens that the model wants around a text (BOS, EOS).
  llmc_status encode(std::span<const Segment>, bool addSpecial, std::vector<llmc_token> &out) const;

  bool isToken(llmc_token id) const { return id >= 0 && static_cast<uint32_t>(id) < size(); }
  /// The bytes that a token stands for, and its LLMC_TOK_... kind; `id` must be a token.
  std::string_view tokenBytes(llmc_token id) const { return data.tokenText(static_cast<uint32_t>(id)); }
  uint32_t tokenKind(llmc_token id) const { return data.attr[static_cast<size_t>(id)] & LLMC_TOK_KIND_MASK; }

  /// Appends the bytes of tokens, which may end inside a character. `isWhole`: they are a text from its start
  /// to its end, so that the space goes which the normalizer put there.
  llmc_status decode(std::span<const llmc_token>, bool skipSpecial, std::string &out,
                     bool isWhole = false) const;

  /// "bos", "eos", "eot", "eom", "unk", "pad", "sep", "cls", "mask", "fim_pre", ...; -1: none.
  llmc_token special(std::string_view role) const;
  /// The token whose bytes are `text`; a special one first. -1: none.
  llmc_token find(std::string_view text) const;
  std::span<const llmc_token> stopTokens() const { return data.stops; } // ascending
  bool isStop(llmc_token id) const;

  bool addsBos() const { return adds(data.prefix, LLMC_TOK_BOS); }
  bool addsEos() const { return adds(data.suffix, LLMC_TOK_EOS); }

  /// Steps that encoding a text takes, to see how the work grows.
  llmc_status countSteps(std::string_view text, uint64_t &steps) const;

  size_t templateCount() const { return data.templates.size(); }
  std::string_view templateName(size_t i) const { return data.string(data.templates[i].name); }
  /// The chat template of that name; the empty name is the default one. Empty if there is none.
  std::string_view chatTemplate(std::string_view name = {}) const;

private:
  class Encoder;
  TokenizerData data;
  Normalizer normalizer;
  TextSplitter splitter;
  SpecialMatcher userDefined, all; // found in text as it is: without control tokens, and with
  SpecialMatcher inNormalized;     // found in normalized text
  std::vector<std::string> normalizedSpecials;

  llmc_status openSpecials();
  bool adds(std::span<const int32_t> ids, int role) const;
};

/// Tokens to text as they come: whole characters only. Bytes that can no longer become a character turn into
/// U+FFFD, one for each maximal part, as Unicode recommends.
class Detokenizer {
public:
  Detokenizer(const Tokenizer &tokenizer, bool skipSpecial)
      : tokenizer(tokenizer), skipSpecial(skipSpecial) {}

  /// The text that became complete; valid until the next call.
  llmc_status push(llmc_token, std::string_view &out);
  /// What is still held, as U+FFFD; ends the text.
  std::string_view flush();

private:
  const Tokenizer &tokenizer;
  bool skipSpecial;
  std::string pending, text;

  void emitComplete(bool atEnd);
};

} // namespace llmc

namespace llmc {
class ChatTemplate;
}

struct llmc_tokenizer {
  llmc::Tokenizer impl;

  /// The chat templates that were asked for so far, read once; by their text, which is the tokenizer's own.
  mutable std::mutex templatesMutex;
  mutable std::map<std::string_view, std::shared_ptr<const llmc::ChatTemplate>> templates;
};

struct llmc_detok {
  llmc_detok(const llmc_tokenizer &tokenizer, bool skipSpecial) : impl(tokenizer.impl, skipSpecial) {}
  llmc::Detokenizer impl;
  llmc::BusyFlag busy;
};
