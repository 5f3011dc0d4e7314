//===- Specs.h - what kernels compute ---------------------------*- C++ -*-===//
//
// The families of kernels that have emitters of their own, each described by plain data. What a target makes
// of one is its own affair; what it must compute stands here.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_CODEGEN_EMIT_SPECS_H
#define LLMC_CODEGEN_EMIT_SPECS_H

#include "codegen/emit/KVStorage.h"
#include "ir/quant/QuantScheme.h"

#include "llvm/ADT/SmallVector.h"

namespace llmc::emit {

enum class Activation { None, Relu, Relu2, GeluErf, GeluTanh, GeluQuick, Silu, Sigmoid, Tanh };
enum class Norm { None, Rms, Layer };
/// What the activations are rounded to before a product. F16 and BF16 are multiplied as the f32 they stand
/// for.
enum class ActivationType { F32, F16, BF16, Int8 };

/// y_i = epilogue(norm(x) * W_i^T + b_i) for one or more weights that share x.
/// Arguments: x, [gain], [norm bias], W_0..W_n, [b_0..b_n], [residual], y_0..y_m, packed
/// x [rows, k] and y_i [rows, n_i] are f32 buffers whose row stride is the width rounded up to 16 floats;
/// columns beyond the width are written as zero or as whatever zero weights give. Gain and biases are f32,
/// padded with zeros to a multiple of 16. `packed` is an arena buffer of packedRowBytes() bytes a row; it is
/// not used if that is 0.
struct LinearSpec {
  struct Weight {
    const quant::QuantScheme *scheme;
    int64_t n;
  };
  int64_t k = 0;
  Norm norm = Norm::None;
  double eps = 0;
  bool normPlusOne = false; // the gain is 1 + g
  bool normGain = false, normBias = false;
  llvm::SmallVector<Weight> weights;
  bool bias = false;                 // one for each weight
  Activation act = Activation::None; // of every output, or of the gate when glu is set
  bool glu = false;                  // outputs y_i = act(W_2i x) * (W_2i+1 x)
  double scale = 1;                  // of every output, before the residual
  bool residual = false;             // single output: y = residual + scale * act(...)
  ActivationType activations = ActivationType::F32;
  uint32_t rowSpace = 0;   // LLMC_ROWS_*: what the rows of x are
  bool countLoads = false; // CPUs report every read of weights through llmc_step.count_load
};

/// A norm by itself. Arguments: x, [gain], [norm bias], y; rows are as in LinearSpec, and so are the bits.
struct NormSpec {
  int64_t k = 0;
  Norm norm = Norm::Rms;
  double eps = 0;
  bool plusOne = false, gain = false, bias = false;
  uint32_t rowSpace = 0; // LLMC_ROWS_*
};

/// Norms of heads + rope + append + attention over the paged cache (see lm.cached_attention).
/// Arguments: q, k, v, [sinks f32[heads]], [gain of q's heads f32[dimK]], [gain of k's heads f32[dimK]],
/// [rope frequencies f32[ropeDims/2]], immediates: [tokens of the window,] cache number, byte offset of this
/// layer's K in a page, of its V; then the output. Rows are as in LinearSpec; gains and frequencies are
/// padded with zeros to a multiple of 16.
struct AttentionSpec {
  int64_t heads = 0, kvHeads = 0, dimK = 0, dimV = 0;
  double scale = 1;
  bool causal = true;
  bool hasWindow = false; // keys j with i - window < j <= i
  bool hasSinks = false;  // a logit of each head without a value; not on CPUs
  double softcap = 0;     // 0: none
  bool headNorms = false; // RMS norms of each head of q and k, before the rotation
  double normEps = 0;
  bool normPlusOne = false; // gains are 1 + g
  bool gainQ = false, gainK = false;
  int64_t ropeDims = 0; // 0: no rotation
  bool ropeInterleaved = false;
  double ropeFactor = 1; // multiplies cos and sin
  int64_t pageTokens = 32;
  const KVType *cacheType = &kvType("f32");
  bool mayRound =
      false; // CPUs may round queries, keys, probabilities and values to bf16, where that is quicker
  bool countLoads = false; // CPUs report every read of the cache through llmc_step.count_load
  KVLayout layout() const { return {cacheType, kvHeads, dimK, dimV, pageTokens}; }
};
/// Rows of an embedding table, times `scale`. Arguments: W, y.
struct EmbedSpec {
  const quant::QuantScheme *scheme;
  int64_t vocab, width;
  double scale = 1;
  uint32_t rowSpace = 0; // LLMC_ROWS_TOKENS or LLMC_ROWS_ASKED
};

} // namespace llmc::emit
#endif
