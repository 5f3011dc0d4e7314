// Chat on top of template and tokenizer: what a user typed is never read as special tokens.
#include "runtime/Tokenizer.h"

using namespace llmc;

llmc_status llmc_chat_apply(const llmc_tokenizer *tokenizer, const char *messages_json, size_t, const char *,
                            bool, char **out, size_t *) {
  LLMC_CHECK_ARG(tokenizer);
  LLMC_CHECK_ARG(messages_json);
  LLMC_CHECK_ARG(out);
  return setError(LLMC_EUNSUPPORTED,
                  "llmc_chat_apply: chat templates are not in this build: use llmc_tokenize");
}

llmc_status llmc_chat_tokenize(const llmc_tokenizer *tokenizer, const char *messages_json, size_t,
                               const char *, bool, llmc_token *, size_t, size_t *) {
  LLMC_CHECK_ARG(tokenizer);
  LLMC_CHECK_ARG(messages_json);
  return setError(LLMC_EUNSUPPORTED,
                  "llmc_chat_tokenize: chat templates are not in this build: use llmc_tokenize");
}
