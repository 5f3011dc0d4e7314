/* simt_abi.h: the contract between GPU kernels that were compiled for the CPU and the emulator that runs
 * them.
 *
 * Standalone C11, as module_abi.h. The code is a shared object with one exported symbol, LLMC_SIMT_SYMBOL: a
 * table of the modules in it; behind it stands an llmc_simt_footer. Each module names the place of a pointer
 * that the emulator sets before anything runs. Through it a kernel reaches whatever a GPU gives a thread
 * beyond arithmetic and plain loads and stores.
 *
 * Each convergent operation, each asynchronous copy and, in instrumented code, each access of memory is a
 * site, with a number of its own: by it threads are known to be at the same place of a program. */
#ifndef LLMC_SIMT_ABI_H
#define LLMC_SIMT_ABI_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#define LLMC_SIMT_SYMBOL "llmc_simt_library"
#define LLMC_SIMT_MAGIC "LLMCSIM" /* 7 characters and a NUL */
#define LLMC_SIMT_ABI 4u
#define LLMC_SIMT_WARP 32u
#define LLMC_SIMT_WORDS 16u /* most words that a warp operation takes or gives */
/* Matrix operations that follow each other are one meeting, a run. */
#define LLMC_SIMT_RUN 32u    /* most operations of a run */
#define LLMC_SIMT_RUN_IN 12u /* words from the mask of one to where that of the next would stand */
#define LLMC_SIMT_RUN_OUT 4u /* words from the results of one to those of the next */

/* What a site does. The words of a warp operation begin with the mask of the lanes that take part; behind it
 * stand the operands in the order of PTX, and the results likewise. */
enum {
  LLMC_SIMT_BARRIER = 0,       /* all threads of the block, at this site */
  LLMC_SIMT_BARRIER_ANYWHERE,  /* all threads of the block, each at a barrier of the same number */
  LLMC_SIMT_WARP_BARRIER,      /* mask */
  LLMC_SIMT_SHUFFLE_BUTTERFLY, /* mask, value, lane mask, clamp and segment -> value, from inside */
  LLMC_SIMT_SHUFFLE_INDEX,
  LLMC_SIMT_SHUFFLE_UP,
  LLMC_SIMT_SHUFFLE_DOWN,
  LLMC_SIMT_VOTE_ALL, /* mask, 0 or 1 -> 0 or 1 */
  LLMC_SIMT_VOTE_ANY,
  LLMC_SIMT_VOTE_UNIFORM,
  LLMC_SIMT_VOTE_BALLOT, /* -> a bit for each lane */
  LLMC_SIMT_REDUCE_ADD,  /* mask, value -> value */
  LLMC_SIMT_REDUCE_MIN,
  LLMC_SIMT_REDUCE_MAX,
  LLMC_SIMT_REDUCE_UMIN,
  LLMC_SIMT_REDUCE_UMAX,
  LLMC_SIMT_REDUCE_AND,
  LLMC_SIMT_REDUCE_OR,
  LLMC_SIMT_REDUCE_XOR,
  LLMC_SIMT_LDMATRIX, /* mask, address (2 words) -> `count` matrices of 8 x 8 halves, a word each */
  LLMC_SIMT_LDMATRIX_TRANSPOSED,
  LLMC_SIMT_MMA_F16_F32, /* m16n8k16: mask, A (4), B (2), C (4) -> D (4) */
  LLMC_SIMT_MMA_F16_F16, /* m16n8k16: mask, A (4), B (2), C (2) -> D (2) */
  LLMC_SIMT_MMA_BF16_F32,
  LLMC_SIMT_MMA_S8_S32, /* m16n8k32: mask, A (4), B (2), C (4) -> D (4) */
  LLMC_SIMT_COPY_ASYNC, /* global to shared memory */
  LLMC_SIMT_LOAD,
  LLMC_SIMT_STORE,
  LLMC_SIMT_ATOMIC,
  LLMC_SIMT_OPERATIONS
};

/* Address spaces, with the numbers of NVPTX. A generic address is of any. */
enum {
  LLMC_SIMT_SPACE_GENERIC = 0,
  LLMC_SIMT_SPACE_GLOBAL = 1,
  LLMC_SIMT_SPACE_SHARED = 3,
  LLMC_SIMT_SPACE_CONSTANT = 4,
  LLMC_SIMT_SPACE_LOCAL = 5
};

typedef struct {
  uint32_t operation;
  uint32_t count; /* matrices of LDMATRIX; of an access the alignment in bytes */
  uint32_t space; /* of an access, what the address is said to be of: LLMC_SIMT_SPACE_* */
  /* Of the first matrix operation of a run, how many there are: theirs are the sites from here on. */
  uint8_t run;
  /* Of a product, where not all operands stand in words: C is the result of the operation that many before
   * it, and B stands in the result of the one so many before it, from that word on. 0: it stands in words. */
  uint8_t sum_from, columns_from, columns_word;
  const char *text; /* the instruction, and where in the module it stands */
} llmc_simt_site;

/* Numbers that a thread can ask for: x, y, z of each, then single ones. */
enum {
  LLMC_SIMT_THREAD = 0,
  LLMC_SIMT_THREADS = 3,
  LLMC_SIMT_BLOCK = 6,
  LLMC_SIMT_BLOCKS = 9,
  LLMC_SIMT_LANE = 12,
  LLMC_SIMT_WARP_NUMBER = 13
};

/* Functions of one f32 that the CPU has no instruction for. */
enum {
  LLMC_SIMT_EXP2 = 0,
  LLMC_SIMT_LOG2,
  LLMC_SIMT_SIN,
  LLMC_SIMT_COS,
  LLMC_SIMT_TANH,
  LLMC_SIMT_FLUSH = 16 /* or-ed: denormal operands and results are zero */
};

typedef struct {
  uint32_t (*number)(uint32_t which);
  uint8_t *(*shared)(void); /* where the block's shared memory begins */
  void (*barrier)(uint32_t site, uint32_t number);
  void (*warp)(uint32_t site, const uint32_t *in, uint32_t *out);
  /* Of `bytes` bytes the first `source_bytes` are read, the others are zero. */
  void (*copy_async)(uint32_t site, void *to, const void *from, uint32_t bytes, uint32_t source_bytes);
  void (*commit_copies)(void);
  void (*wait_copies)(
      uint32_t groups); /* until at most so many groups are pending; ~0: all copies are done */
  float (*math)(uint32_t function, float x);
  /* In instrumented code: */
  void (*access)(uint32_t site, const void *address, uint64_t bytes); /* before it is done */
  void (*fence)(void); /* of both kinds, acquire and release, for all threads of the device */
} llmc_simt_calls;

typedef struct {
  const char *name;
  uint64_t offset, bytes; /* in the block's shared memory; bytes 0: as large as the launch says */
} llmc_simt_shared;

typedef struct {
  const char *name;
  const void *address;
  uint64_t bytes;
} llmc_simt_global;

typedef struct {
  const char *name;
  void (*run)(void *const *params); /* params[i]: the address of the i-th parameter */
  const uint32_t *shared;           /* [n_shared] the shared variables that it or what it calls uses */
  uint32_t n_shared, n_params;
  uint32_t max_threads;  /* of a block; 0: not said */
  uint32_t shared_bytes; /* of those whose size is known, as ptxas places them */
} llmc_simt_kernel;

typedef struct {
  uint64_t source_hash;  /* XXH3-64 (seed 0) of the bitcode this was made from */
  uint64_t shared_bytes; /* where shared memory of the launch's size begins */
  uint32_t n_kernels, n_sites, n_shared, n_globals;
  const llmc_simt_calls **calls;
  const llmc_simt_kernel *kernels;
  const llmc_simt_site *sites;
  const llmc_simt_shared *shared;
  const llmc_simt_global *globals; /* variables in global and constant memory */
} llmc_simt_code;

typedef struct {
  char magic[8];
  uint32_t abi, struct_size;
  uint32_t n_codes;
  uint32_t is_instrumented; /* 1: accesses are sites, too */
  const llmc_simt_code *const *codes;
} llmc_simt_library;

/* The last bytes of the file, outside the shared object. They are looked at before anything in it is loaded.
 */
#define LLMC_SIMT_FOOTER_MAGIC "LLMCSIE"
typedef struct {
  char magic[8];
  uint64_t hash; /* XXH3-64 (seed 0) of all bytes of the file before it */
} llmc_simt_footer;

#ifdef __cplusplus
}
#endif
#endif
