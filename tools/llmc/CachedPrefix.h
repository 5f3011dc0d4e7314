//===- CachedPrefix.h - what the cache already holds of a prompt -*- C++ -*-===//
#ifndef LLMC_TOOLS_LLMC_CACHEDPREFIX_H
#define LLMC_TOOLS_LLMC_CACHEDPREFIX_H

#include "tools/llmc/Common.h"

namespace llmc::cli {

/// The tokens that the session's one sequence holds, and the sequence. With a tokenizer, tokens of the same
/// text count as the same; without one only the same tokens do.
class CachedPrefix {
public:
  CachedPrefix(llmc_session *owner, const llmc_tokenizer *known, llmc_seq sequence, Tokens held)
      : session(owner), tokenizer(known), seq(sequence), tokens(std::move(held)) {}

  /// Cuts the sequence back to what it shares with `prompt`, leaving at least one token to evaluate: an
  /// answer starts from the logits of the last one. What a model has said is often not how its words are
  /// tokenized; where the cache spells the same text otherwise, `prompt` becomes what the cache holds.
  size_t keepCommon(Tokens &prompt);
  /// Notes what the sequence holds now.
  void note(Tokens held) { tokens = std::move(held); }
  const Tokens &held() const { return tokens; }
  llmc_seq sequence() const { return seq; }

private:
  size_t sameText(const Tokens &prompt) const;
  std::string spell(const Tokens &list) const;

  llmc_session *session;
  const llmc_tokenizer *tokenizer;
  llmc_seq seq;
  Tokens tokens;
};

} // namespace llmc::cli
#endif
