/* module_abi.h: the contract between a generated model.so and the code that runs it.
 *
 * Standalone C11: the compiler includes this file to fill the tables, the runtime to read them, and neither
 * knows anything else of the other. All integers are little-endian. A model.so is one file:
 *
 *     ELF shared object | manifest (JSON) | tokenizer blob | padding | packed weights | llmc_footer
 *
 * The ELF part exports one symbol, `llmc_module`, a constant llmc_module. Manifest, tokenizer and weights
 * stand outside every ELF section and segment; the footer, the last bytes of the file, says where. The
 * runtime checks the footer and its hashes before it loads the ELF part, maps the weights read-only, and
 * hands their address to kernels.
 *
 * How a step runs. A step evaluates T tokens of any sequences. Every worker thread walks the dispatch table
 * in order and calls each row's kernel for a share of its work, or for several shares where the kernel allows
 * it; shares are never cut along a reduction. Where `barrier` is set all workers meet before the row. A
 * kernel may have two phases: `prepare` (workers together write a packed form of the activations) and `run`.
 * With fewer rows than `prepare_min_rows` the runtime skips `prepare` and its barrier, and `run` does that
 * work by itself in its worker's scratch.
 *
 * Devices. Beside the code for CPUs there may be code for other devices over the same packed weights; see
 * llmc_device. A model.so without devices says n_devices = 0; one without code for CPUs n_variants = 0.
 */
#ifndef LLMC_MODULE_ABI_H
#define LLMC_MODULE_ABI_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#define LLMC_MODULE_SYMBOL "llmc_module"
#define LLMC_MODULE_MAGIC "LLMCMOD" /* 7 characters and a NUL */
#define LLMC_FOOTER_MAGIC "LLMCEND"
#define LLMC_MODULE_ABI 9u      /* raised by every change of this file that an older reader would misread */
#define LLMC_MODULE_ALIGN 4096u /* file alignment of the weights */
#define LLMC_NONE 0xffffffffu   /* no layer, no buffer, no location */
#define LLMC_DEVICE_COUNTERS 256u /* llmc_step.counters */

/* CPU features that a variant needs; a bit each, tested against cpuid and XCR0. */
enum {
  LLMC_CPU_AVX2 = 1u << 0,   /* avx2, fma, f16c, bmi2: x86-64-v3 */
  LLMC_CPU_AVX512 = 1u << 1, /* avx512 f, bw, dq, vl, cd: x86-64-v4 */
  LLMC_CPU_AVX512VNNI = 1u << 2,
  LLMC_CPU_AVXVNNI = 1u << 3,
  LLMC_CPU_AVX512BF16 = 1u << 4,
  LLMC_CPU_AMX_INT8 = 1u << 5,
  LLMC_CPU_AMX_BF16 = 1u << 6,
  LLMC_CPU_AVX512FP16 = 1u << 7
};

/* What the rows of a buffer are. The number of rows is known only when a step runs. */
enum {
  LLMC_ROWS_TOKENS = 0, /* the T tokens of the step */
  LLMC_ROWS_ASKED = 1,  /* the tokens whose outputs are asked for, in order */
  LLMC_ROWS_KEYS =
      2, /* all cached tokens of the step's sequences, after its appends: (sequence, position) ascending */
  LLMC_ROWS_HIDDEN = 3 /* the rows of ASKED if the hidden row of any of them is asked for, else none: what
                          only hidden rows need costs nothing in other steps */
};
#define LLMC_ROW_SPACES 4

/* What a kernel multiplies; the rest of it is in float32. */
enum { LLMC_ARITHMETIC_F32 = 0, LLMC_ARITHMETIC_INT8 = 1, LLMC_ARITHMETIC_BF16 = 2 };

/* One token of a step. `seq` is the sequence's slot, the row of the page tables. */
typedef struct {
  int32_t id, seq, pos, asked;
} llmc_token_row;

/* One KV cache while a step runs. Page p of the pool starts at pages + p * page_bytes; the token at position
 * x of sequence slot s lies in page table[s * table_stride + x / page_tokens], row x % page_tokens. How a
 * page is laid out inside is the generated code's own affair. Pages are zero when first used. */
typedef struct {
  uint8_t *pages;
  const int32_t *table;
  uint64_t page_bytes, table_stride;
} llmc_kv_pool;

/* What every kernel sees of the running step. */
typedef struct llmc_step {
  uint64_t rows[LLMC_ROW_SPACES]; /* number of rows in each row space */
  const llmc_token_row *tokens;   /* [rows[TOKENS]] */
  const int32_t *asked;           /* [rows[ASKED]] index into tokens */
  const int32_t *keys; /* [rows[KEYS]][2] sequence slot, position; filled only if the module uses the space */
  const llmc_kv_pool *kv;  /* [n_caches] */
  uint8_t *const *scratch; /* [workers] private, 64-byte aligned, as large as the kernels declare */
  void (*count_load)(const struct llmc_step *, const void *address,
                     uint64_t bytes); /* called by instrumented kernels only */
  void *count_load_data;
  /* On devices, for llmc_device_sampling: */
  uint64_t n_best;     /* how many of the best logits of each asked row are wanted */
  uint8_t *candidates; /* rows of results; pinned memory of the host, which is written once and not read */
  int32_t *chosen;     /* the best token of the first asked row, for a step that begins with it */
  /* On devices, [LLMC_DEVICE_COUNTERS]: by them blocks of a launch find out who is the last one. All are 0
   * when a launch begins, and each launch leaves them so. */
  uint32_t *counters;
} llmc_step;

/* What one call is to do: the work of a kernel is cut into `count` shares, of which this is share `number`.
 */
typedef struct {
  uint32_t number, count;
  uint32_t worker; /* who calls: the number of its scratch */
  uint32_t
      is_again; /* 1: the worker has called `run` of this row before, its scratch is as that call left it */
} llmc_share;

/* A kernel's entry. args[i] is the i-th argument of the dispatch row: the address of a buffer or of weights,
 * or an immediate of 64 bits in place of the pointer. */
typedef void (*llmc_kernel_fn)(const llmc_step *step, const void *const *args, const llmc_share *share);

typedef struct {
  llmc_kernel_fn prepare; /* NULL: the kernel has one phase */
  llmc_kernel_fn run;
} llmc_kernel_entry;

/* A worker's scratch for one call: constant + per_row * rows + per_key * keys + per_row_key * rows * keys
 * bytes, where rows is the row count of the dispatch's row space and keys that of LLMC_ROWS_KEYS. */
typedef struct {
  uint32_t name; /* offset in strings: operation, shape and scheme, e.g. "norm_linear_576_q4_1_..." */
  uint32_t prepare_min_rows; /* the prepare phase runs for this many rows or more */
  uint32_t run_units; /* `run` has so many like pieces of work and may be cut into any number of shares up to
                         that, of which a worker runs as many as it comes to. 0: exactly one share for each
                         worker, numbered as the workers are; so it is in `prepare` always */
  uint32_t arithmetic; /* LLMC_ARITHMETIC_* */
  uint64_t scratch_constant, scratch_per_row, scratch_per_key, scratch_per_row_key;
} llmc_kernel;

typedef struct {
  const char *name;                 /* "avx2", "avx2-vnni", "avx512", "avx512-bf16", "amx" */
  uint64_t features;                /* LLMC_CPU_*: all must be present */
  const llmc_kernel_entry *entries; /* [n_kernels] */
} llmc_variant;

/* An arena buffer: rows * row_bytes bytes, 64-byte aligned; sizes are fixed when a session is made, for its
 * largest step. */
typedef struct {
  uint32_t rows; /* LLMC_ROWS_* */
  uint32_t name; /* offset in strings, for traces; LLMC_NONE: scratch shared by several values */
  uint64_t row_bytes;
} llmc_buffer;

enum { LLMC_ARG_BUFFER = 0, LLMC_ARG_WEIGHT = 1, LLMC_ARG_IMMEDIATE = 2 };
typedef struct {
  uint64_t kind;
  uint64_t value; /* buffer number, byte offset in the weights, or the immediate itself */
} llmc_arg;

/* One row of the dispatch table. Work done: flops_per_row * rows + flops_per_key * (sum over rows of the keys
 * each row sees); bytes read: weight_bytes + row_bytes * rows + key_bytes * keys. */
typedef struct {
  uint32_t kernel, layer; /* layer: LLMC_NONE outside the stack */
  uint32_t rows;    /* LLMC_ROWS_*: the space this kernel works over; with no rows the call is skipped */
  uint32_t barrier; /* 1: every earlier row must have ended in all workers */
  uint32_t first_arg, n_args;
  uint32_t location; /* offset in strings: where the operation came from; LLMC_NONE */
  uint32_t output;   /* the buffer it writes that a trace would show; LLMC_NONE */
  uint64_t weight_bytes, row_bytes, key_bytes, flops_per_row, flops_per_key;
  uint32_t
      cache; /* a number in caches: the row runs only where the session uses that cache. LLMC_NONE: always */
  uint32_t values; /* offset in strings: of each value that it writes the name and, in digits, the columns,
                      one string behind the other, and an empty one; they stand in `output` and the arguments
                      behind it. 0: not known */
} llmc_dispatch;

enum { LLMC_STORE_F32 = 1, LLMC_STORE_F16 = 2, LLMC_STORE_BF16 = 3, LLMC_STORE_Q8 = 4 }; /* as llmc_kv_type */
/* Entries with one name are one cache in several storage types: a session uses one of them, the first if not
 * told otherwise, and leaves out the dispatches of the others. */
typedef struct {
  uint32_t name; /* offset in strings */
  uint32_t layers, heads, dim_k, dim_v, page_tokens, type_k, type_v;
  uint64_t page_bytes; /* one page of all layers */
} llmc_kv_layout;

/* Code of one kernel for a device. */
enum {
  LLMC_IMAGE_PTX =
      1, /* text, with a NUL behind `size`; runs on devices of this architecture and later ones */
  LLMC_IMAGE_CUBIN = 2,  /* runs on devices of this major version and at least this minor one */
  LLMC_IMAGE_BITCODE = 3 /* the optimized LLVM module that PTX was made of, for an emulator; `arch` is 0 */
};
typedef struct {
  uint32_t kernel;   /* number in the kernels of the program; images stand in the order of kernels */
  uint32_t kind;     /* LLMC_IMAGE_* */
  uint32_t arch;     /* 80 for sm_80 */
  uint32_t is_exact; /* 1: for this architecture only, as sm_90a is */
  uint64_t size;     /* bytes at `data` */
  uint64_t hash;     /* XXH3-64 (seed 0) of these bytes */
  const void *data;
} llmc_device_image;

/* One launch of a kernel: a grid of (x, y, z) blocks of `threads` threads in a row. The parameters of every
 * entry are two addresses in device memory,
 *
 *     entry(const llmc_step *step, const void *const *args)
 *
 * `step` is a copy of llmc_step that the runtime keeps there, with device addresses in its fields: rows,
 * tokens, asked, keys, kv with its pages and tables, and scratch. `args` is that of the dispatch row: address
 * or immediate for each argument, 8 bytes apiece, so that one array for all of a program's args and one step
 * serve every launch, and a captured graph of launches stays right when what they hold is replaced.
 *
 *     x = blocks
 *     y = 1 if rows_per_block is 0, else ceil(rows / rows_per_block), at least 1, at most max_row_blocks
 *     z = 1 if keys_per_block is 0, else ceil(keys / keys_per_block), at least 1, at most max_key_blocks
 *
 * where rows is the number of rows in the dispatch's row space (of LLMC_ROWS_KEYS that number or a larger
 * one, since launches are chosen and counted once for steps that are alike) and keys the length of the
 * longest sequence of the step, after its appends. Blocks loop over what there is: any y and z of at least 1
 * and at most these limits give the same results, more than rows and keys ask for, too, so that a graph may
 * be captured for the largest step of a kind. With no rows a kernel does nothing. Shared memory is all
 * static: the images declare it. */
typedef struct {
  const char *entry;           /* symbol in the images of this kernel */
  uint32_t threads;            /* of a block, a multiple of 32, at most 1024 */
  uint32_t blocks;             /* 1 to 2^31 - 1 */
  uint32_t min_rows, max_rows; /* it is left out where rows is less or more; any number of rows of at least 1
                                  has a launch */
  uint32_t rows_per_block, max_row_blocks;
  uint32_t keys_per_block, max_key_blocks;
} llmc_device_launch;

/* A kernel is its launches, in order. Those before a launch and before its kernel in the table are done when
 * it starts, `barrier` set or not: it sees all that they wrote. What a kernel needs besides its arguments is
 * one of two:
 *   - scratch, as its row in `kernels` declares: its launches have x = z = 1, and block y works in
 *     step->scratch[y], which is as large as that row says (scratch_constant + ... bytes, 64-byte aligned);
 *   - memory that its launches and their blocks share: step->scratch[0] is the address of
 *     (common_per_row + common_per_row_key * keys) * tokens bytes, 256-byte aligned, where keys is as for
 *     launches, and tokens those of the step, but at most common_rows.
 * Nothing of either outlives the kernel. */
typedef struct {
  uint32_t first_launch, n_launches; /* in the launches of the device; at least one */
  uint64_t common_per_row, common_per_row_key, common_rows;
} llmc_device_kernel;

/* Choosing tokens. A sampler needs a few of the best logits of a row and, for the log-probability of its
 * token, the sum of exp(logit - best) over all; a device finds both, so that no row of logits has to leave
 * it. No op of a model does that, so it stands beside the program: one kernel that no dispatch names,
 * launched behind the dispatches over the rows of ASKED where step->n_best, at most `most`, is not 0. Its
 * arguments are the logits buffer and memory to work in, work_bytes for each row. A row of results, row_bytes
 * in step->candidates:
 *
 *     llmc_candidate best[most];
 *     float sums[n_sums];
 *
 * Of `best` the first n_best are set, best first, the lower token first among equals; -0 equals 0, and a NaN
 * is none; the token is -1 where there are no more. `sums` has LLMC_SAMPLING_SUM_LANES for each
 * LLMC_SAMPLING_SUM_COLUMNS logits: the sums over those whose numbers are equal modulo the former (of what
 * remains of vocab divided by that, all are added to the first), in f32 and in ascending order. Added up in
 * f64 in this order they are what the sampler of the CPU computes, bit for bit; without meaning where
 * best[0] is infinite or none. *step->chosen becomes best[0].token of the first row, or 0 if that is none. */
#define LLMC_SAMPLING_SUM_COLUMNS 1024
#define LLMC_SAMPLING_SUM_LANES 16
typedef struct {
  float logit;
  int32_t token;
} llmc_candidate;
typedef struct {
  uint32_t kernel; /* its number in the program's kernels */
  uint32_t most;   /* 0: there is none, and all is 0 */
  uint32_t n_sums, reserved;
  uint64_t row_bytes, work_bytes;
} llmc_device_sampling;

/* A kind of device. Its program is an llmc_module with kernels, buffers, dispatches, args and caches of its
 * own: the graph may be cut in another way than for CPUs. Its args point into the same weights, and what
 * describes the model (vocab, context, ...) is the same. It has no variants and no devices, unless it is the
 * outer llmc_module itself, as where a model.so has code for this device only. In its kernels
 * prepare_min_rows and run_units mean nothing. Rows of buffers and pages of caches look as they do on CPUs:
 * observers, logits and saved sequences read them in the same way. */
typedef struct {
  const char *name; /* "cuda" */
  const struct llmc_module *program;
  const llmc_device_kernel *kernels;  /* [program->n_kernels] */
  const llmc_device_launch *launches; /* [n_launches], those of a kernel one after another */
  const llmc_device_image *images;    /* [n_images]; each kernel has one of PTX and one of bitcode at least */
  uint64_t n_images, n_launches;
  llmc_device_sampling sampling;
} llmc_device;

typedef struct llmc_module {
  char magic[8];
  uint32_t abi, struct_size;
  uint32_t n_variants, n_kernels, n_buffers, n_dispatches, n_args, n_caches;
  uint32_t vocab, context, layers, hidden, heads, kv_heads;
  uint32_t logits_buffer; /* row space ASKED, f32, row stride = row_bytes of the buffer, the first `vocab`
                             columns count */
  uint32_t hidden_buffer; /* LLMC_NONE if the model does not return hidden rows */
  uint32_t uses_keys;     /* 1: llmc_step.keys must be filled */
  uint32_t n_strings;     /* bytes */
  uint32_t n_devices, reserved;
  uint64_t parameters, weight_bytes;
  const llmc_variant *variants; /* best first */
  const llmc_kernel *kernels;
  const llmc_buffer *buffers;
  const llmc_dispatch *dispatches;
  const llmc_arg *args;
  const llmc_kv_layout *caches;
  const char *strings; /* NUL-terminated strings, addressed by offset */
  const llmc_device *devices;
} llmc_module;

/* The last bytes of the file. Hashes are XXH3-64 (seed 0). */
typedef struct {
  char magic[8];
  uint32_t abi, footer_size;
  uint64_t file_size;
  uint64_t elf_size; /* from the start of the file */
  uint64_t manifest_offset, manifest_size;
  uint64_t tokenizer_offset, tokenizer_size; /* size 0: the model has no tokenizer */
  uint64_t weights_offset, weights_size;
  uint64_t head_hash;    /* of all bytes before weights_offset */
  uint64_t weights_hash; /* checked only on request */
  uint64_t footer_hash;  /* of this struct up to here */
} llmc_footer;

#ifdef __cplusplus
}
#endif
#endif
