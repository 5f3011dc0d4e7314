// The tokenizer part of llmc.h. Results of unknown size follow one rule: *n_needed (if not null) is always
// set to the full size; with buf null and cap 0 that is all that happens, and it is a success; with a cap
// that is too small nothing is written and the status is LLMC_EARG.
#include "runtime/Error.h"
#include "runtime/Tokenizer.h"

#include <cstring>
#include <memory>

using namespace llmc;

static llmc_status deliver(const char *function, const void *from, size_t count, size_t each, void *buf,
                           size_t cap, size_t *needed) {
  if (needed)
    *needed = count;
  if (!buf && cap == 0)
    return LLMC_OK;
  if (!buf)
    return setError(LLMC_EARG, "%s: 'buf' is null but 'cap' is %zu", function, cap);
  if (cap < count)
    return setError(LLMC_EARG, "%s: 'cap' is %zu, %zu needed", function, cap, count);
  if (count)
    std::memcpy(buf, from, count * each);
  return LLMC_OK;
}

static llmc_status checkFlags(const char *function, uint32_t flags, uint32_t known) {
  if (flags & ~known)
    return setError(LLMC_EARG, "%s: unknown flags %#x", function, flags & ~known);
  return LLMC_OK;
}

// The block must be aligned to 8 bytes (as malloc and mmap give it) and outlive the tokenizer. All of it is
// checked: LLMC_EFORMAT if it is damaged, LLMC_EABI if another version of llmc wrote it.
llmc_status llmc_tokenizer_open(const void *blob, size_t n, llmc_tokenizer **out) {
  LLMC_CHECK_ARG(blob);
  LLMC_CHECK_ARG(out);
  return guarded([&] {
    auto tokenizer = std::make_unique<llmc_tokenizer>();
    if (auto status = tokenizer->impl.open(blob, n))
      return status;
    *out = tokenizer.release();
    return llmc_status(LLMC_OK);
  });
}

void llmc_tokenizer_free(llmc_tokenizer *tokenizer) { delete tokenizer; }

// Any bytes are accepted as text; those that are not UTF-8 are tokenized byte by byte. PARSE_SPECIAL: the
// spelling of a control token in the text is that token; ADD_SPECIAL: with BOS and EOS if the model wants
// them.
llmc_status llmc_tokenize(const llmc_tokenizer *tokenizer, const char *text, size_t len, uint32_t flags,
                          llmc_token *buf, size_t cap, size_t *n_needed) {
  LLMC_CHECK_ARG(tokenizer);
  if (len)
    LLMC_CHECK_ARG(text);
  if (auto status = checkFlags(__func__, flags, LLMC_TOKENIZE_ADD_SPECIAL | LLMC_TOKENIZE_PARSE_SPECIAL))
    return status;
  return guarded([&, function = __func__] {
    std::vector<llmc_token> tokens;
    Tokenizer::Segment segment{{text ? text : "", len}, (flags & LLMC_TOKENIZE_PARSE_SPECIAL) != 0};
    if (auto status = tokenizer->impl.encode({&segment, 1}, flags & LLMC_TOKENIZE_ADD_SPECIAL, tokens))
      return status;
    return deliver(function, tokens.data(), tokens.size(), sizeof(llmc_token), buf, cap, n_needed);
  });
}

// The exact bytes of the tokens, without a final NUL; they need not be valid UTF-8 (see llmc_detok_push for
// text to show). SKIP_SPECIAL leaves out control tokens. An id that is no token is LLMC_EARG.
llmc_status llmc_detokenize(const llmc_tokenizer *tokenizer, const llmc_token *tokens, size_t n,
                            uint32_t flags, char *buf, size_t cap, size_t *n_needed) {
  LLMC_CHECK_ARG(tokenizer);
  if (n)
    LLMC_CHECK_ARG(tokens);
  if (auto status = checkFlags(__func__, flags, LLMC_DETOKENIZE_SKIP_SPECIAL))
    return status;
  return guarded([&, function = __func__] {
    std::string text;
    if (auto status =
            tokenizer->impl.decode({tokens, n}, flags & LLMC_DETOKENIZE_SKIP_SPECIAL, text, /*isWhole=*/true))
      return status;
    return deliver(function, text.data(), text.size(), 1, buf, cap, n_needed);
  });
}

// The bytes live as long as the tokenizer and are not NUL-terminated. attr (may be null): LLMC_TOK_NORMAL,
// LLMC_TOK_CONTROL, ... of llmc/tokenizer_blob.h.
llmc_status llmc_token_bytes(const llmc_tokenizer *tokenizer, llmc_token id, const char **p, size_t *n,
                             uint32_t *attr) {
  LLMC_CHECK_ARG(tokenizer);
  LLMC_CHECK_ARG(p);
  LLMC_CHECK_ARG(n);
  if (!tokenizer->impl.isToken(id))
    return setError(LLMC_EARG, "%s: token %d, expected 0 to %lld", __func__, id,
                    static_cast<long long>(tokenizer->impl.size()) - 1);
  std::string_view bytes = tokenizer->impl.tokenBytes(id);
  *p = bytes.data();
  *n = bytes.size();
  if (attr)
    *attr = tokenizer->impl.tokenKind(id);
  return LLMC_OK;
}

// Roles: bos, eos, eot, eom, unk, pad, sep, cls, mask, fim_pre, fim_suf, fim_mid, fim_pad, fim_rep, fim_sep.
// -1 if the model has none, for an unknown role, and for null arguments.
llmc_token llmc_token_special(const llmc_tokenizer *tokenizer, const char *role) {
  return tokenizer && role ? tokenizer->impl.special(role) : -1;
}

// Ascending; lives as long as the tokenizer.
llmc_status llmc_stop_tokens(const llmc_tokenizer *tokenizer, const llmc_token **out, size_t *n) {
  LLMC_CHECK_ARG(tokenizer);
  LLMC_CHECK_ARG(out);
  LLMC_CHECK_ARG(n);
  *out = tokenizer->impl.stopTokens().data();
  *n = tokenizer->impl.stopTokens().size();
  return LLMC_OK;
}

// The tokenizer must outlive it. Flags: LLMC_DETOKENIZE_SKIP_SPECIAL.
llmc_status llmc_detok_new(const llmc_tokenizer *tokenizer, uint32_t flags, llmc_detok **out) {
  LLMC_CHECK_ARG(tokenizer);
  LLMC_CHECK_ARG(out);
  if (auto status = checkFlags(__func__, flags, LLMC_DETOKENIZE_SKIP_SPECIAL))
    return status;
  return guarded([&] {
    *out = new llmc_detok(*tokenizer, flags & LLMC_DETOKENIZE_SKIP_SPECIAL);
    return llmc_status(LLMC_OK);
  });
}

// The text that the token completed: whole characters, possibly none; at most 3 bytes are held back. Bytes
// that cannot become a character turn into U+FFFD. Token -1 ends the text: what is held turns into U+FFFD.
// The result is valid until the next push or free, not NUL-terminated.
llmc_status llmc_detok_push(llmc_detok *detok, llmc_token token, const char **out, size_t *n) {
  LLMC_CHECK_ARG(detok);
  LLMC_CHECK_ARG(out);
  LLMC_CHECK_ARG(n);
  LLMC_ENTER(detok, detok);
  return guarded([&] {
    std::string_view text;
    if (token == -1)
      text = detok->impl.flush();
    else if (auto status = detok->impl.push(token, text))
      return status;
    *out = text.data() ? text.data() : "";
    *n = text.size();
    return llmc_status(LLMC_OK);
  });
}

void llmc_detok_free(llmc_detok *detok) { delete detok; }
