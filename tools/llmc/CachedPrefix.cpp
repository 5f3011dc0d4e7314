//===- CachedPrefix.cpp - what the cache already holds of a prompt --------===//
#include "tools/llmc/CachedPrefix.h"

#include "llmc/tokenizer_blob.h"

#include <fmt/format.h>

namespace llmc::cli {

size_t CachedPrefix::keepCommon(Tokens &prompt) {
  if (size_t end = sameText(prompt)) {
    Tokens spelled = tokens;
    spelled.insert(spelled.end(), prompt.begin() + long(end), prompt.end());
    prompt = std::move(spelled);
  }
  size_t common = size_t(std::mismatch(tokens.begin(), tokens.end(), prompt.begin(), prompt.end()).first -
                         tokens.begin());
  common = std::min(common, prompt.size() - 1);
  if (common < size_t(llmc_seq_len(session, seq)))
    check(llmc_kv_remove(session, seq, llmc_pos(common), -1));
  tokens.resize(common);
  return common;
}

/// Of how many tokens of `prompt` the text is that of all cached tokens; 0 if it is of none. Special tokens
/// have no text: they must be the same ones.
size_t CachedPrefix::sameText(const Tokens &prompt) const {
  if (!tokenizer)
    return 0;
  std::string held = spell(tokens);
  size_t matched = 0;
  for (size_t i = 0; i < prompt.size() && !held.empty(); ++i) {
    std::string piece = spell({prompt[i]});
    if (held.compare(matched, piece.size(), piece) != 0)
      return 0;
    matched += piece.size();
    if (matched == held.size())
      return i + 1;
  }
  return 0;
}

std::string CachedPrefix::spell(const Tokens &list) const {
  std::string text;
  for (llmc_token token : list) {
    const char *bytes = nullptr;
    size_t n = 0;
    uint32_t attributes = 0;
    bool isKnown = llmc_token_bytes(tokenizer, token, &bytes, &n, &attributes) == LLMC_OK;
    bool isText = isKnown && n && (attributes & LLMC_TOK_KIND_MASK) != LLMC_TOK_CONTROL;
    text += isText ? std::string(bytes, n) : fmt::format("\xff{}\xff", token); // in no text are such bytes
  }
  return text;
}

} // namespace llmc::cli
