/* kl EXACT.so OTHER.so < text: the mean Kullback-Leibler divergence of the second model's predictions from the first's
 * over the text, in chunks that start afresh, and both perplexities: "kl ppl-exact ppl-other tokens". */
#include <llmc/llmc.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 256, MOST_BYTES = 1 << 20 };

static void check(llmc_status status) {
  if (status != LLMC_OK) {
    fprintf(stderr, "kl: %s\n", llmc_last_error());
    exit(1);
  }
}

typedef struct {
  llmc_session *session;
  llmc_batch *batch;
  llmc_seq seq;
} run;

static run start(llmc_model *model) {
  run r;
  llmc_session_params params;
  llmc_session_params_init(&params, sizeof params);
  params.n_batch = CHUNK;
  params.n_ctx = CHUNK;
  check(llmc_session_new(model, &params, &r.session));
  check(llmc_batch_new(CHUNK, &r.batch));
  return r;
}

static void eval(run *r, const llmc_token *tokens, size_t n) {
  check(llmc_seq_new(r->session, &r->seq));
  llmc_batch_clear(r->batch);
  check(llmc_batch_add(r->batch, r->seq, tokens, n, LLMC_OUT_ALL, NULL));
  check(llmc_eval(r->session, r->batch));
}

static double log_sum(const float *x, size_t n) {
  double sum = 0;
  float top = x[0];
  for (size_t i = 1; i < n; ++i)
    top = x[i] > top ? x[i] : top;
  for (size_t i = 0; i < n; ++i)
    sum += exp((double)x[i] - top);
  return log(sum) + top;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: kl EXACT.so OTHER.so < text\n");
    return 2;
  }
  char *text = malloc(MOST_BYTES);
  size_t bytes = fread(text, 1, MOST_BYTES, stdin), count = 0;
  llmc_model *models[2];
  run runs[2];
  for (int i = 0; i < 2; ++i) {
    check(llmc_model_load(argv[1 + i], NULL, &models[i]));
    runs[i] = start(models[i]);
  }
  const llmc_tokenizer *tokenizer;
  check(llmc_model_tokenizer(models[0], &tokenizer));
  llmc_token *tokens = malloc(bytes * sizeof *tokens + sizeof *tokens);
  check(llmc_tokenize(tokenizer, text, bytes, 0, tokens, bytes + 1, &count));
  double kl = 0, loss[2] = {0, 0};
  size_t rows = 0;
  for (size_t first = 0; first + CHUNK <= count; first += CHUNK) {
    for (int i = 0; i < 2; ++i)
      eval(&runs[i], tokens + first, CHUNK);
    for (int t = 0; t + 1 < CHUNK; ++t) {
      const float *row[2];
      size_t n;
      double base[2], sum = 0;
      for (int i = 0; i < 2; ++i) {
        check(llmc_logits(runs[i].session, t, &row[i], &n));
        base[i] = log_sum(row[i], n);
        loss[i] += base[i] - row[i][tokens[first + t + 1]];
      }
      for (size_t v = 0; v < n; ++v) {
        double p = row[0][v] - base[0], q = row[1][v] - base[1];
        sum += exp(p) * (p - q);
      }
      kl += sum;
      ++rows;
    }
    for (int i = 0; i < 2; ++i)
      check(llmc_seq_free(runs[i].session, runs[i].seq));
  }
  if (rows == 0) {
    fprintf(stderr, "kl: the text has fewer than %d tokens\n", CHUNK);
    return 1;
  }
  printf("%.8f %.4f %.4f %zu\n", kl / rows, exp(loss[0] / rows), exp(loss[1] / rows), rows);
  return 0;
}
