/* Asks a compiled chat model one question and prints the answer as it comes. Plain C11, only llmc.h:
 *
 *   cc -std=c11 c_program.c -lllmc -o ask
 *   ./ask model.so "What is a compiler?"
 */
#include <llmc/llmc.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ANSWER = 200 };

/* The text as a JSON string, quotes included; the caller frees it. */
static char *json_string(const char *text) {
  char *json = malloc(strlen(text) * 6 + 3), *out = json;
  if (!json)
    return NULL;
  *out++ = '"';
  for (const char *c = text; *c; ++c) {
    if (*c == '"' || *c == '\\') {
      *out++ = '\\';
      *out++ = *c;
    } else if ((unsigned char)*c < 0x20) {
      out += sprintf(out, "\\u%04x", (unsigned)*c);
    } else {
      *out++ = *c;
    }
  }
  *out++ = '"';
  *out = '\0';
  return json;
}

/* Called for every piece of text; returning false would stop the generation. */
static bool print_piece(const llmc_event *event, void *user) {
  size_t *bytes = user;
  *bytes += event->text_len;
  fwrite(event->text, 1, event->text_len, stdout);
  fflush(stdout);
  return !ferror(stdout);
}

/* The conversation as the model's chat template wants it, in tokens; the caller frees them. */
static llmc_status chat_tokens(llmc_model *model, const char *question, llmc_token **out, size_t *n) {
  const llmc_tokenizer *tokenizer = NULL;
  llmc_status status = llmc_model_tokenizer(model, &tokenizer);
  if (status != LLMC_OK)
    return status;
  char *quoted = json_string(question);
  size_t size = (quoted ? strlen(quoted) : 0) + 64;
  char *messages = malloc(size);
  if (!quoted || !messages) {
    free(quoted);
    free(messages);
    return LLMC_ENOMEM;
  }
  int length = snprintf(messages, size, "[{\"role\": \"user\", \"content\": %s}]", quoted);
  free(quoted);
  /* First ask how many tokens there are, then for the tokens. */
  size_t needed = 0;
  llmc_token *tokens = NULL;
  status = llmc_chat_tokenize(tokenizer, messages, (size_t)length, NULL, true, NULL, 0, &needed);
  if (status == LLMC_OK && !(tokens = malloc((needed + 1) * sizeof *tokens)))
    status = LLMC_ENOMEM;
  if (status == LLMC_OK)
    status = llmc_chat_tokenize(tokenizer, messages, (size_t)length, NULL, true, tokens, needed, &needed);
  free(messages);
  if (status != LLMC_OK) {
    free(tokens);
    return status;
  }
  *out = tokens;
  *n = needed;
  return LLMC_OK;
}

int main(int argc, char **argv) {
  if (argc < 2 || argc > 3) {
    fprintf(stderr, "usage: %s MODEL.so [QUESTION]\n", argv[0]);
    return 2;
  }
  const char *question = argc == 3 ? argv[2] : "What is a compiler?";

  llmc_model *model = NULL;
  llmc_session *session = NULL;
  llmc_sampler *sampler = NULL;
  llmc_token *tokens = NULL;
  llmc_seq seq = -1;
  size_t n_tokens = 0, n_bytes = 0;
  int32_t stop = LLMC_STOP_NONE;
  llmc_status status;

  if ((status = llmc_model_load(argv[1], NULL, &model)) != LLMC_OK)
    goto done;
  if ((status = chat_tokens(model, question, &tokens, &n_tokens)) != LLMC_OK)
    goto done;

  /* A cache with room for the question and the longest answer. */
  llmc_session_params session_params;
  llmc_session_params_init(&session_params, sizeof session_params);
  session_params.n_ctx = (uint32_t)n_tokens + MAX_ANSWER;
  if ((status = llmc_session_new(model, &session_params, &session)) != LLMC_OK)
    goto done;
  if ((status = llmc_seq_new(session, &seq)) != LLMC_OK)
    goto done;

  /* Temperature 0 always takes the likeliest token. */
  llmc_sampling_params sampling;
  llmc_sampling_params_init(&sampling, sizeof sampling);
  sampling.temperature = 0;
  if ((status = llmc_sampler_new(model, &sampling, &sampler)) != LLMC_OK)
    goto done;

  if ((status = llmc_prefill(session, seq, tokens, n_tokens)) != LLMC_OK)
    goto done;
  llmc_generate_params generate;
  llmc_generate_params_init(&generate, sizeof generate);
  generate.max_tokens = MAX_ANSWER;
  status = llmc_generate(session, seq, sampler, &generate, print_piece, &n_bytes, &stop);
  putchar('\n');

done:
  if (status != LLMC_OK) /* the message first: freeing may call into the library again */
    fprintf(stderr, "%s: %s\n", llmc_status_name(status), llmc_last_error());
  else if (n_bytes == 0)
    fprintf(stderr, "the model had nothing to say (stop reason %d)\n", (int)stop);
  llmc_sampler_free(sampler);
  llmc_session_free(session);
  llmc_model_release(model);
  free(tokens);
  return status == LLMC_OK && n_bytes > 0 ? 0 : 1;
}
