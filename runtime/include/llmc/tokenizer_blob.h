/* tokenizer_blob.h: the binary layout of a compiled tokenizer.
 *
 * One contiguous, position-independent, little-endian block, aligned to 8 bytes: a header, then sections that
 * the header's directory locates. The compiler writes it from a model's tokenizer description; the runtime
 * maps it and reads nothing else. A reader refuses another version; sections behind those it knows are
 * ignored, so that additions that an old reader may ignore need no new version. C11 and C++17; needs no other
 * header of llmc. */
#ifndef LLMC_TOKENIZER_BLOB_H
#define LLMC_TOKENIZER_BLOB_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __cplusplus
extern "C" {
#endif

#define LLMC_TOK_MAGIC 0x4b4f544cu /* "LTOK" */
#define LLMC_TOK_VERSION 1u
#define LLMC_TOK_ALIGN 8u       /* of the block and of each section */
#define LLMC_TOK_MAX_PROBE 128u /* a hash table's entries lie at most that far behind their home slot */

/* How text becomes tokens. */
enum {
  LLMC_TOK_NONE = 0,           /* a model without tokenizer: no tokens, text is refused */
  LLMC_TOK_BYTE_LEVEL_BPE = 1, /* merges over bytes (GPT-2, Llama 3, Qwen) */
  LLMC_TOK_SCORED_BPE = 2,     /* reserved: merges by score (SentencePiece BPE) */
  LLMC_TOK_UNIGRAM = 3,        /* reserved: most probable path (SentencePiece Unigram) */
  LLMC_TOK_WORDPIECE = 4       /* reserved: longest match (BERT) */
};

/* Header flags. A reader refuses bits that it does not know. */
enum {
  LLMC_TOK_ADD_BOS = 1,
  LLMC_TOK_ADD_EOS = 2,
  LLMC_TOK_IGNORE_MERGES = 4, /* a piece that is a token as a whole is that token */
  LLMC_TOK_EMIT_UNK = 8,      /* a byte without token becomes the unknown token; otherwise it is dropped */
  LLMC_TOK_KNOWN_FLAGS = 15
};

/* What happens to text between special tokens before it is split, in this order. */
enum { LLMC_TOK_NORM_NFC = 1, LLMC_TOK_KNOWN_NORMS = 1 };

/* Token attributes: the low bits are one of the kinds (numbered as in GGUF), plus flag bits. */
enum {
  LLMC_TOK_NORMAL = 1,
  LLMC_TOK_UNKNOWN = 2,
  LLMC_TOK_CONTROL = 3,      /* special: found in text only on request, dropped from output on request */
  LLMC_TOK_USER_DEFINED = 4, /* found in any text, before the pre-tokenizer */
  LLMC_TOK_UNUSED = 5,
  LLMC_TOK_BYTE = 6,
  LLMC_TOK_KIND_MASK = 7,
  LLMC_TOK_WHOLE =
      128 /* merging this token's bytes yields this token: a piece equal to it needs no merging */
};

/* Index into header.special. -1 is none. */
enum {
  LLMC_TOK_BOS = 0,
  LLMC_TOK_EOS = 1,
  LLMC_TOK_EOT = 2, /* end of a turn */
  LLMC_TOK_EOM = 3, /* end of a message (a tool call follows) */
  LLMC_TOK_UNK = 4,
  LLMC_TOK_PAD = 5,
  LLMC_TOK_SEP = 6,
  LLMC_TOK_CLS = 7,
  LLMC_TOK_MASK = 8,
  LLMC_TOK_FIM_PRE = 9,
  LLMC_TOK_FIM_SUF = 10,
  LLMC_TOK_FIM_MID = 11,
  LLMC_TOK_FIM_PAD = 12,
  LLMC_TOK_FIM_REP = 13,
  LLMC_TOK_FIM_SEP = 14,
  LLMC_TOK_N_ROLES = 15,
  LLMC_TOK_MAX_ROLES = 32
};

/* Index into header.section. n is n_vocab. An absent section has size 0. */
enum {
  LLMC_TOK_SEC_OFFSETS = 0, /* uint32_t[n + 1]: token i is TEXT[offsets[i] .. offsets[i + 1]) */
  LLMC_TOK_SEC_TEXT = 1,    /* the bytes that each token stands for (not its printable spelling) */
  LLMC_TOK_SEC_ATTR = 2,    /* uint8_t[n] */
  LLMC_TOK_SEC_SCORES = 3,  /* float[n], or absent */
  LLMC_TOK_SEC_INDEX =
      4, /* hash table, uint32_t[2^k]: id + 1 of a token by its bytes, 0 empty; no special tokens */
  LLMC_TOK_SEC_MERGES = 5, /* hash table, llmc_tok_merge[2^k], or absent */
  LLMC_TOK_SEC_BYTES = 6,  /* int32_t[256]: the token of each single byte, -1 none */
  LLMC_TOK_SEC_SPECIALS =
      7, /* llmc_tok_special[]: tokens that are found in text; sorted by bytes, no two equal */
  LLMC_TOK_SEC_STEPS = 8, /* llmc_tok_step[]: the pre-tokenizer, in order */
  LLMC_TOK_SEC_STOPS = 9, /* int32_t[]: every token that ends a turn; ascending */
  LLMC_TOK_SEC_TEMPLATES =
      10, /* llmc_tok_template[]: the default one, if any, has the empty name and is first */
  LLMC_TOK_SEC_STRINGS = 11, /* UTF-8 that the records above refer to */
  LLMC_TOK_N_SECTIONS = 12,
  LLMC_TOK_MAX_SECTIONS = 32
};

typedef struct {
  uint64_t offset, size;
} llmc_tok_section; /* bytes from the start of the block */
typedef struct {
  uint32_t offset, size;
} llmc_tok_string; /* in the STRINGS section */

typedef struct {
  uint32_t magic, version;
  uint64_t total_size;
  uint32_t header_size; /* sizeof(llmc_tok_header) of the writer */
  uint32_t kind, flags, normalizers;
  uint32_t n_vocab, n_sections;
  llmc_tok_string pre_name; /* which pre-tokenizer, for display */
  int32_t special[LLMC_TOK_MAX_ROLES];
  llmc_tok_section section[LLMC_TOK_MAX_SECTIONS];
} llmc_tok_header;

/* left, right -> id; the lowest rank merges first. Empty: left is UINT32_MAX. */
typedef struct {
  uint32_t left, right, rank, id;
} llmc_tok_merge;

/* flags: reserved, 0 (stripping of white space beside the token, whole words only). */
typedef struct {
  uint32_t id, flags;
} llmc_tok_special;

/* A step splits every piece of the step before by a PCRE2 pattern (UTF, UCP, MULTILINE). */
enum { LLMC_TOK_STEP_SPLIT = 1 };
enum {
  LLMC_TOK_ISOLATED = 0, /* matches and what lies between them are pieces */
  LLMC_TOK_REMOVED = 1,  /* matches are dropped */
  LLMC_TOK_MERGED_WITH_PREVIOUS = 2,
  LLMC_TOK_MERGED_WITH_NEXT = 3,
  LLMC_TOK_CONTIGUOUS = 4 /* matches that touch are one piece */
};
typedef struct {
  uint32_t type, behaviour;
  llmc_tok_string pattern;
} llmc_tok_step;

typedef struct {
  llmc_tok_string name, text;
} llmc_tok_template;

/* Home slots: the top k bits of a table of 2^k entries. */
static inline uint64_t llmc_tok_hash_bytes(const char *p, size_t n) {
  uint64_t h = 0x9e3779b97f4a7c15u ^ n, w;
  for (; n >= 8; p += 8, n -= 8) {
    memcpy(&w, p, 8);
    h = (h ^ w) * 0xbf58476d1ce4e5b9u;
    h ^= h >> 31;
  }
  w = 0;
  for (size_t i = 0; i < n; ++i)
    w |= (uint64_t)(unsigned char)p[i] << (8 * i);
  h = (h ^ w) * 0xbf58476d1ce4e5b9u;
  h ^= h >> 31;
  return h * 0x94d049bb133111ebu;
}
static inline uint64_t llmc_tok_hash_pair(uint32_t left, uint32_t right) {
  uint64_t h = ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15u;
  h ^= h >> 29;
  return h * 0xbf58476d1ce4e5b9u;
}

#ifdef __cplusplus
}
#endif
#endif
