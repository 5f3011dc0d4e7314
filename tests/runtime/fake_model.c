/* A toy model behind the real module ABI. The logits of a token depend on every (id, position) of its
 * sequence, read back through the pages of the cache, and on the weights; wrong pages, positions or weights
 * change them.
 *
 * Tokens with an effect: id 63 makes its step slow. The hidden row of a token is 8 numbers made from its
 * state. Macros select what is wrong with the module (CMakeLists.txt). */
#define _POSIX_C_SOURCE 200809L
#include "llmc/module_abi.h"

#include <string.h>
#include <time.h>

enum { VOCAB = 64, PAGE_TOKENS = 4, LAYERS = 24, HIDDEN = 8, SLOW_TOKEN = 63 };

static uint64_t mix(uint64_t h, uint64_t x) {
  h = (h ^ x) * 0x9e3779b97f4a7c15u;
  return h ^ (h >> 29);
}

static uint64_t *cell(const llmc_step *step, uint32_t cache, int32_t seq, int32_t pos) {
  const llmc_kv_pool *pool = &step->kv[cache];
  int32_t page = pool->table[(uint64_t)seq * pool->table_stride + (uint64_t)(pos / PAGE_TOKENS)];
  return (uint64_t *)(pool->pages + (uint64_t)page * pool->page_bytes) + pos % PAGE_TOKENS;
}

/* Both caches get a part, so that a page of the wrong one shows. */
static void append(const llmc_step *step, const void *const *args, const llmc_share *share) {
  (void)args;
  for (uint64_t i = share->number; i < step->rows[LLMC_ROWS_TOKENS]; i += share->count) {
    const llmc_token_row *token = &step->tokens[i];
    *cell(step, 0, token->seq, token->pos) = mix(7, (uint64_t)token->id);
    *cell(step, 1, token->seq, token->pos) = mix(9, (uint64_t)token->pos);
  }
  memset(step->scratch[share->worker], (int)share->worker, 64 + step->rows[LLMC_ROWS_TOKENS]);
}

/* args: state buffer, weights, layer. state[token] = hash of its sequence up to its position. */
static void attend(const llmc_step *step, const void *const *args, const llmc_share *share) {
  uint64_t *state = (uint64_t *)(uintptr_t)args[0];
  const uint64_t *weights = args[1];
  uint64_t layer = (uint64_t)(uintptr_t)args[2];
  for (uint64_t i = share->number; i < step->rows[LLMC_ROWS_TOKENS]; i += share->count) {
    const llmc_token_row *token = &step->tokens[i];
    if (token->id == SLOW_TOKEN) {
      struct timespec time = {0, 2000000};
      nanosleep(&time, NULL);
    }
    uint64_t h = layer ? state[i] : 1;
    for (int32_t pos = 0; pos <= token->pos; ++pos) {
      h = mix(h, *cell(step, 0, token->seq, pos));
      h = mix(h, *cell(step, 1, token->seq, pos));
    }
    h = mix(h, weights[layer]);
    /* A page's tail must be zero when its first token is the last of the step: nobody has written there. */
    if (token->pos % PAGE_TOKENS == 0 && i + 1 == step->rows[LLMC_ROWS_TOKENS])
      for (int32_t pos = token->pos + 1; pos % PAGE_TOKENS; ++pos)
        h = *cell(step, 0, token->seq, pos) ? mix(h, 0xbad) : h;
    state[i] = h;
  }
}

/* args: state, packed, keys. Two phases: prepare gathers the asked rows, run writes columns; alone run
 * gathers too. */
static void gather(const llmc_step *step, const void *const *args, const llmc_share *share) {
  const uint64_t *state = args[0];
  uint64_t *packed = (uint64_t *)(uintptr_t)args[1];
  for (uint64_t i = share->number; i < step->rows[LLMC_ROWS_ASKED]; i += share->count)
    packed[i] = state[step->asked[i]];
}

static void head(const llmc_step *step, const void *const *args, const llmc_share *share) {
  const uint64_t *state = args[0], *packed = args[1];
  float *logits = (float *)(uintptr_t)args[2];
  uint64_t row_stride = (uint64_t)(uintptr_t)args[3];
  uint64_t rows = step->rows[LLMC_ROWS_ASKED];
  for (uint64_t column = share->number; column < VOCAB; column += share->count)
    for (uint64_t i = 0; i < rows; ++i) {
      uint64_t h = rows >= 3 ? packed[i] : state[step->asked[i]];
#ifdef FAKE_KEYS
      for (uint64_t k = 0; k < step->rows[LLMC_ROWS_KEYS]; ++k)
        if (step->keys[2 * k] == step->tokens[step->asked[i]].seq &&
            step->keys[2 * k + 1] <= step->tokens[step->asked[i]].pos)
          h = mix(h, 1);
      step->scratch[share->worker][rows * step->rows[LLMC_ROWS_KEYS] * 8 - 1] = 1;
#endif
      logits[i * row_stride + column] = (float)(mix(h, column) >> 40) / 4194304.0f;
    }
}

#ifdef FAKE_HIDDEN
/* args: state, hidden. */
static void hide(const llmc_step *step, const void *const *args, const llmc_share *share) {
  const uint64_t *state = args[0];
  float *hidden = (float *)(uintptr_t)args[1];
  for (uint64_t i = share->number; i < step->rows[LLMC_ROWS_ASKED]; i += share->count)
    for (uint64_t k = 0; k < HIDDEN; ++k)
      hidden[i * HIDDEN + k] = (float)(mix(state[step->asked[i]], 1000 + k) >> 40) / 4194304.0f;
}
#endif

static void future(const llmc_step *step, const void *const *args, const llmc_share *share) {
  (void)step, (void)args, (void)share;
  __builtin_trap();
}

static const char strings[] = "\0append\0attend\0head\0cache\0state\0layer.0 line 3\0hide\0second\0h\0" "2\0";
enum { S_APPEND = 1, S_ATTEND = 8, S_HEAD = 15, S_CACHE = 20, S_STATE = 26, S_LINE = 32, S_HIDE = 47, S_SECOND = 52, S_VALUES = 59 };

#ifdef FAKE_KEYS
enum { USES_KEYS = 1, ROW_KEY_SCRATCH = 8 };
#else
enum { USES_KEYS = 0, ROW_KEY_SCRATCH = 0 };
#endif
#ifdef FAKE_FUTURE
#define BASE_FEATURES ((uint64_t)1 << 63)
#else
#define BASE_FEATURES 0
#endif
static const llmc_kernel kernels[] = {
    {S_APPEND, 0, 0, 0, 64, 1, 0, 0},
    {S_ATTEND, 0, 0, LLMC_ARITHMETIC_INT8, 0, 0, 0, 0},
    {S_HEAD, 3, VOCAB, LLMC_ARITHMETIC_BF16, 0, 0, 0, ROW_KEY_SCRATCH},
#ifdef FAKE_HIDDEN
    {S_HIDE, 0, 0, 0, 0, 0, 0, 0},
#endif
};
static const llmc_kernel_entry base_entries[] = {{0, append},
                                                 {0, attend},
                                                 {gather, head},
#ifdef FAKE_HIDDEN
                                                 {0, hide}
#endif
};
static const llmc_kernel_entry future_entries[] = {{0, future}, {0, future}, {0, future}, {0, future}};
static const llmc_variant variants[] = {
    {"future", (uint64_t)1 << 63 | LLMC_CPU_AVX2, future_entries},
    {"base", BASE_FEATURES, base_entries},
    {"plain", BASE_FEATURES, base_entries},
};
enum { STATE, PACKED, LOGITS, ROWS };
static const llmc_buffer buffers[] = {{LLMC_ROWS_TOKENS, S_STATE, 8},
                                      {LLMC_ROWS_ASKED, LLMC_NONE, 8},
                                      {LLMC_ROWS_ASKED, LLMC_NONE, (VOCAB + 16) * 4},
#ifdef FAKE_HIDDEN
                                      {LLMC_ROWS_ASKED, LLMC_NONE, HIDDEN * 4}
#endif
};
#ifdef FAKE_BAD_VALUES
enum { HEAD_VALUES = S_APPEND }; /* names for more buffers than it has */
#else
enum { HEAD_VALUES = 0 };
#endif
#ifdef FAKE_HIDDEN
#define HIDDEN_BUFFER ROWS
#else
#define HIDDEN_BUFFER LLMC_NONE
#endif
#ifdef FAKE_BAD_ARG
enum { FIRST_BUFFER = 77 };
#else
enum { FIRST_BUFFER = STATE };
#endif
#define LAYER(i)                                                                                             \
  {LLMC_ARG_BUFFER, FIRST_BUFFER}, {LLMC_ARG_WEIGHT, 0}, { LLMC_ARG_IMMEDIATE, i }
#define LAYERS_8(i)                                                                                          \
  LAYER(i), LAYER(i + 1), LAYER(i + 2), LAYER(i + 3), LAYER(i + 4), LAYER(i + 5), LAYER(i + 6), LAYER(i + 7)
static const llmc_arg args[] = {LAYERS_8(0),
                                LAYERS_8(8),
                                LAYERS_8(16),
                                {LLMC_ARG_BUFFER, STATE},
                                {LLMC_ARG_BUFFER, PACKED},
                                {LLMC_ARG_BUFFER, LOGITS},
                                {LLMC_ARG_IMMEDIATE, VOCAB + 16},
#ifdef FAKE_HIDDEN
                                {LLMC_ARG_BUFFER, STATE},
                                {LLMC_ARG_BUFFER, ROWS}
#endif
};
#define ATTEND(i) {1, i, LLMC_ROWS_TOKENS, 1, 3 * (i), 3, S_LINE, STATE, 8, 8, 8, 1, 1, LLMC_NONE, S_VALUES}
#define ATTEND_8(i)                                                                                          \
  ATTEND(i), ATTEND(i + 1), ATTEND(i + 2), ATTEND(i + 3), ATTEND(i + 4), ATTEND(i + 5), ATTEND(i + 6),       \
      ATTEND(i + 7)
static const llmc_dispatch dispatches[] = {
    {0, LLMC_NONE, LLMC_ROWS_TOKENS, 0, 0, 0, LLMC_NONE, LLMC_NONE, 0, 0, 0, 0, 0, LLMC_NONE, 0},
    ATTEND_8(0),
    ATTEND_8(8),
    ATTEND_8(16),
    {2, LLMC_NONE, LLMC_ROWS_ASKED, 1, 3 * LAYERS, 4, LLMC_NONE, LOGITS, 0, 0, 0, 0, 0, LLMC_NONE, HEAD_VALUES},
#ifdef FAKE_HIDDEN
    {3, LLMC_NONE, LLMC_ROWS_ASKED, 0, 3 * LAYERS + 4, 2, LLMC_NONE, ROWS, 0, 0, 0, 0, 0, LLMC_NONE, 0},
#endif
#ifdef FAKE_TYPES
    /* What depends on the storage type, one row for each; and one for hidden rows alone. */
    {0, LLMC_NONE, LLMC_ROWS_TOKENS, 0, 0, 0, LLMC_NONE, LLMC_NONE, 0, 0, 1000, 0, 100, 0, 0},
    {0, LLMC_NONE, LLMC_ROWS_TOKENS, 0, 0, 0, LLMC_NONE, LLMC_NONE, 0, 0, 3000, 0, 300, 2, 0},
    {0, LLMC_NONE, LLMC_ROWS_HIDDEN, 0, 0, 0, LLMC_NONE, LLMC_NONE, 50000, 20000, 0, 7000, 0, LLMC_NONE, 0},
#endif
};
static const llmc_kv_layout caches[] = {
    {S_CACHE, 1, 1, 4, 4, PAGE_TOKENS, LLMC_STORE_F16, LLMC_STORE_F16, PAGE_TOKENS * 8},
    {S_SECOND, 1, 1, 4, 4, PAGE_TOKENS, LLMC_STORE_F16, LLMC_STORE_F16, PAGE_TOKENS * 8},
#ifdef FAKE_TYPES
    {S_CACHE, 1, 1, 4, 4, PAGE_TOKENS, LLMC_STORE_Q8, LLMC_STORE_Q8, PAGE_TOKENS * 40},
    {S_SECOND, 1, 1, 4, 4, PAGE_TOKENS, LLMC_STORE_Q8, LLMC_STORE_Q8, PAGE_TOKENS * 40},
#endif
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#ifndef FAKE_ABI
#define FAKE_ABI LLMC_MODULE_ABI
#endif
#ifdef FAKE_NO_SYMBOL
#define TABLE_SYMBOL "another_name"
#else
#define TABLE_SYMBOL LLMC_MODULE_SYMBOL
#endif
/* In C the type already has the symbol's name. */
extern const llmc_module table __asm__(TABLE_SYMBOL) __attribute__((visibility("default")));
const llmc_module table = {LLMC_MODULE_MAGIC,
                           FAKE_ABI,
                           sizeof(llmc_module),
                           COUNT(variants),
                           COUNT(kernels),
                           COUNT(buffers),
                           COUNT(dispatches),
                           COUNT(args),
                           COUNT(caches),
                           VOCAB,
                           128,
                           LAYERS,
                           HIDDEN,
                           2,
                           1,
                           LOGITS,
                           HIDDEN_BUFFER,
                           USES_KEYS,
                           sizeof(strings),
                           0,
                           0,
                           1234,
                           LAYERS * 8,
                           variants,
                           kernels,
                           buffers,
                           dispatches,
                           args,
                           caches,
                           strings,
                           NULL};
