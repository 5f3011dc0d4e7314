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
#define LLMC_TOK_VERSION 2u
#define LLMC_TOK_ALIGN 8u       /* of the block and of each section */
#define LLMC_TOK_MAX_PROBE 128u /* a hash table's entries lie at most that far behind their home slot */

/* How pieces of text become tokens. */
enum {
  LLMC_TOK_NONE = 0,           /* a model without tokenizer: no tokens, text is refused */
  LLMC_TOK_BYTE_LEVEL_BPE = 1, /* merges that start from bytes (GPT-2, Llama 3, Qwen) */
  LLMC_TOK_CHARACTER_BPE = 2,  /* merges that start from characters (SentencePiece BPE, also by its scores) */
  LLMC_TOK_UNIGRAM = 3,        /* the path of the highest sum of scores (SentencePiece Unigram) */
  LLMC_TOK_N_KINDS = 4
};

/* Header flags. A reader refuses bits that it does not know. */
enum {
  LLMC_TOK_IGNORE_MERGES = 1, /* a piece that is a token as a whole is that token */
  LLMC_TOK_EMIT_UNK = 2,      /* what has no token becomes the unknown token; otherwise it is dropped */
  LLMC_TOK_FUSE_UNK = 4,      /* neighbouring unknown characters become one unknown token */
  LLMC_TOK_BYTE_FALLBACK = 8, /* a character without token becomes the tokens of its bytes, if it has all */
  LLMC_TOK_STRIP_SPACE = 16,  /* decoding drops one space at the start of a text */
  LLMC_TOK_STRIP_LAST = 32,   /* decoding drops one space at the end of a text */
  LLMC_TOK_CUT_AT_MARKS = 64, /* no token holds U+2581 behind a byte outside of header.before_mark: a piece
                                 may be cut there without changing its tokens */
  LLMC_TOK_KNOWN_FLAGS = 127
};

/* Token attributes: the low bits are one of the kinds (numbered as in GGUF), plus flag bits. */
enum {
  LLMC_TOK_NORMAL = 1,
  LLMC_TOK_UNKNOWN = 2,
  LLMC_TOK_CONTROL = 3,      /* special: found in text only on request, dropped from output on request */
  LLMC_TOK_USER_DEFINED = 4, /* found in any text, before the pre-tokenizer */
  LLMC_TOK_UNUSED = 5,
  LLMC_TOK_BYTE = 6,
  LLMC_TOK_KIND_MASK = 7,
  LLMC_TOK_WHOLE = 128 /* a piece of this spelling is this token, without merging */
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
  LLMC_TOK_SEC_OFFSETS = 0,  /* uint32_t[n + 1]: token i is TEXT[offsets[i] .. offsets[i + 1]) */
  LLMC_TOK_SEC_TEXT = 1,     /* the bytes that each token stands for (not its printable spelling) */
  LLMC_TOK_SEC_ATTR = 2,     /* uint8_t[n] */
  LLMC_TOK_SEC_SCORES = 3,   /* float[n] for LLMC_TOK_UNIGRAM, else absent */
  LLMC_TOK_SEC_INDEX = 4,    /* hash table, uint32_t[2^k]: id + 1 of a token by its spelling, 0 empty; no
                                special tokens */
  LLMC_TOK_SEC_MERGES = 5,   /* hash table, llmc_tok_merge[2^k], or absent */
  LLMC_TOK_SEC_BYTES = 6,    /* int32_t[256]: the token of each single byte, -1 none */
  LLMC_TOK_SEC_SPECIALS = 7, /* llmc_tok_special[]: tokens that are found in text; sorted by bytes, no two
                                equal */
  LLMC_TOK_SEC_STEPS = 8,    /* llmc_tok_step[]: the pre-tokenizer, in order */
  LLMC_TOK_SEC_STOPS = 9,    /* int32_t[]: every token that ends a turn; ascending */
  LLMC_TOK_SEC_TEMPLATES =
      10, /* llmc_tok_template[]: the default one, if any, has the empty name and is first */
  LLMC_TOK_SEC_STRINGS = 11,          /* bytes that the records refer to */
  LLMC_TOK_SEC_SPELLING_OFFSETS = 12, /* uint32_t[n + 1], or absent: tokens are spelled as their bytes */
  LLMC_TOK_SEC_SPELLING =
      13,                  /* what text has to hold for a token, after normalization ("\u2581" for a space) */
  LLMC_TOK_SEC_NORMS = 14, /* llmc_tok_norm[]: the normalizer, in order */
  LLMC_TOK_SEC_TRIE = 15,  /* llmc_tok_node[] for LLMC_TOK_UNIGRAM: the spellings as a double array */
  LLMC_TOK_SEC_PREFIX = 16, /* int32_t[]: the tokens in front of a whole text (BOS) */
  LLMC_TOK_SEC_SUFFIX = 17, /* int32_t[]: the tokens behind it (EOS) */
  LLMC_TOK_N_SECTIONS = 18,
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
  uint32_t kind, flags;
  float unknown_score; /* LLMC_TOK_UNIGRAM: of a character without token */
  uint32_t n_vocab, n_sections;
  llmc_tok_string pre_name;    /* which pre-tokenizer, for display */
  llmc_tok_string word_prefix; /* spelled in front of every character of a piece but the first ("##") */
  llmc_tok_string word_suffix; /* spelled behind the last character of a piece ("</w>") */
  uint8_t before_mark[32];     /* bit b: see LLMC_TOK_CUT_AT_MARKS */
  int32_t special[LLMC_TOK_MAX_ROLES];
  llmc_tok_section section[LLMC_TOK_MAX_SECTIONS];
} llmc_tok_header;

/* left, right -> id; the lowest rank merges first, the leftmost of equal ones. Empty: left is UINT32_MAX. */
typedef struct {
  uint32_t left, right, rank, id;
} llmc_tok_merge;

/* The double array: from node p the byte b leads to node base + b, if that one's parent is p. Node 0 is the
 * root and nobody's child. */
typedef struct {
  uint32_t base;
  uint32_t parent; /* UINT32_MAX: the slot is free */
  int32_t token;   /* whose spelling ends here, -1 none */
} llmc_tok_node;

enum {
  LLMC_TOK_LSTRIP = 1,      /* takes the white space in front of it along */
  LLMC_TOK_RSTRIP = 2,      /* and behind it */
  LLMC_TOK_SINGLE_WORD = 4, /* only where no letter, digit or underscore touches it */
  LLMC_TOK_NORMALIZED = 8,  /* found in normalized text, its own text normalized too */
  LLMC_TOK_SPELLED = 16,    /* found in normalized text by its spelling */
  LLMC_TOK_KNOWN_SPECIAL_FLAGS = 31
};
typedef struct {
  uint32_t id, flags;
} llmc_tok_special;

/* What happens to the text between special tokens before it is split. */
enum {
  LLMC_TOK_NORM_NFC = 1,
  LLMC_TOK_NORM_NFD = 2,
  LLMC_TOK_NORM_NFKC = 3,
  LLMC_TOK_NORM_NFKD = 4,
  LLMC_TOK_NORM_LOWERCASE = 5,
  LLMC_TOK_NORM_STRIP_ACCENTS = 6,    /* drops the combining marks */
  LLMC_TOK_NORM_STRIP = 7,            /* white space at the ends; flags: LLMC_TOK_LSTRIP, LLMC_TOK_RSTRIP */
  LLMC_TOK_NORM_PREPEND = 8,          /* a */
  LLMC_TOK_NORM_REPLACE = 9,          /* every a by b */
  LLMC_TOK_NORM_REPLACE_PATTERN = 10, /* every match of the pattern a by b */
  LLMC_TOK_NORM_CHARSMAP = 11,        /* a is a precompiled map (see below), applied to grapheme clusters */
  LLMC_TOK_NORM_SENTENCEPIECE = 12,   /* a is a precompiled map or empty; flags: LLMC_TOK_SP_... */
  LLMC_TOK_NORM_BERT = 13             /* flags: LLMC_TOK_BERT_... */
};
enum {
  LLMC_TOK_SP_PREFIX_FIRST = 1, /* a space mark in front of the text */
  LLMC_TOK_SP_PREFIX_EACH = 2,  /* and behind every special token */
  LLMC_TOK_SP_COLLAPSE = 4,     /* white space at the ends goes, runs of it become one */
  LLMC_TOK_SP_ESCAPE = 8,       /* spaces become U+2581 */
  LLMC_TOK_KNOWN_SP_FLAGS = 15
};
enum {
  LLMC_TOK_BERT_CLEAN = 1,
  LLMC_TOK_BERT_CHINESE = 2,
  LLMC_TOK_BERT_STRIP_ACCENTS = 4,
  LLMC_TOK_BERT_LOWERCASE = 8,
  LLMC_TOK_KNOWN_BERT_FLAGS = 15
};
/* A precompiled map is what SentencePiece stores: the size of a darts double array, the array, and strings
 * that end in NUL, to whose first bytes the array leads. */
typedef struct {
  uint32_t type, flags;
  llmc_tok_string a, b;
} llmc_tok_norm;

/* The pre-tokenizer: a step is applied to every piece of the step before. Patterns are PCRE2 (UTF, UCP,
 * MULTILINE). */
enum {
  LLMC_TOK_STEP_SPLIT = 1,        /* by a pattern */
  LLMC_TOK_STEP_PREFIX_SPACE = 2, /* a space in front, unless the piece starts with one */
  LLMC_TOK_STEP_METASPACE = 3     /* spaces become the mark `pattern`; flags: LLMC_TOK_META_... */
};
enum {
  LLMC_TOK_ISOLATED = 0, /* matches and what lies between them are pieces */
  LLMC_TOK_REMOVED = 1,  /* matches are dropped */
  LLMC_TOK_MERGED_WITH_PREVIOUS = 2,
  LLMC_TOK_MERGED_WITH_NEXT = 3,
  LLMC_TOK_CONTIGUOUS = 4 /* matches that touch are one piece */
};
enum {
  LLMC_TOK_SPLIT_INVERT = 1,      /* what lies between the matches counts as match, and the matches do not */
  LLMC_TOK_META_PREFIX_FIRST = 1, /* the mark in front of the text, unless it is there */
  LLMC_TOK_META_PREFIX_EACH = 2,  /* in front of every piece */
  LLMC_TOK_META_SPLIT = 4,        /* a piece begins at every mark */
  LLMC_TOK_KNOWN_STEP_FLAGS = 7
};
typedef struct {
  uint32_t type, behaviour, flags, reserved;
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
