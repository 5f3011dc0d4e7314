//===- Passes.td - every pass over the lm dialect -------------------------===//
#ifndef LLMC_PASSES_PASSES_TD
#define LLMC_PASSES_PASSES_TD

include "mlir/Pass/PassBase.td"

// Two blocks of lm text with "becomes" between them are an example: what stands in an entry of a model, and what the
// pass makes of it, with the options named behind "becomes, with". tests/passes/examples.test runs each.

def DecomposePass : Pass<"lm-decompose", "::llmc::lm::ModelOp"> {
  let summary = "write every op in terms of tensor, linalg, arith, math and the cache ops";
  let description = [{
    Replaces each op that has a decomposition by it, fused ops in two steps. What remains are those dialects, the cache
    ops, the stack, and the accessors `lm.token_rows` and `lm.weight_values`. This is the definition of every op; code
    generation uses it kernel by kernel for ops it has no own way to emit.

    ```mlir
    %w = lm.weight "w" : <8x8>
    %x = lm.embed %tokens, %w : <8x8>
    %y = lm.fused_linear %x weights(%w) residual(%x) {act = silu} : <8x8> -> tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
    ```
    becomes, with `only-fused`,
    ```mlir
    %w = lm.weight "w" : <8x8>
    %x = lm.embed %tokens, %w : <8x8>
    %z = lm.linear %x, %w : <8x8>
    %a = lm.silu %z : tensor<?x8xf32>
    %y = lm.add %x, %a : tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
    ```
  }];
  let options = [Option<"onlyFused", "only-fused", "bool", "false", "stop at the ops a person writes">];
}

def FuseEpiloguePass : Pass<"lm-fuse-epilogue", "::llmc::lm::ModelOp"> {
  let summary = "fold the activation, the scale and the residual that follow a matmul into it";
  let description = [{
    Saves writing and reading the matmul's result once more.

    ```mlir
    %w = lm.weight "w" : <8x8>
    %x = lm.embed %tokens, %w : <8x8>
    %z = lm.linear %x, %w : <8x8>
    %a = lm.silu %z : tensor<?x8xf32>
    %h = lm.add %a, %x : tensor<?x8xf32>
    lm.return %h : tensor<?x8xf32>
    ```
    becomes
    ```mlir
    %w = lm.weight "w" : <8x8>
    %x = lm.embed %tokens, %w : <8x8>
    %h = lm.fused_linear %x weights(%w) residual(%x) {act = silu} : <8x8> -> tensor<?x8xf32>
    lm.return %h : tensor<?x8xf32>
    ```

    Only where the matmul's result has no other reader, and in the order of the formula of `lm.fused_linear`: an
    activation, then a scale (`lm.scale`), then a residual.
  }];
  let statistics = [
    Statistic<"numActivations", "activations", "activations folded into a matmul">,
    Statistic<"numResiduals", "residuals", "residuals folded into a matmul">,
    Statistic<"numScales", "scales", "scales folded into a matmul">
  ];
}

def FuseQKVPass : Pass<"lm-fuse-qkv", "::llmc::lm::ModelOp"> {
  let summary = "run matmuls that share an input as one";
  let description = [{
    The query, key and value projections read the same rows: as one op they pack those rows once and cost one dispatch.
    Any matmuls with the same input (and, if fused with a norm, the same norm) qualify.

    ```mlir
    %wq = lm.weight "q" : <8x8>
    %wk = lm.weight "k" : <4x8>
    %x = lm.embed %tokens, %wq : <8x8>
    %q = lm.linear %x, %wq : <8x8>
    %k = lm.linear %x, %wk : <4x8>
    lm.return %q, hidden = %k : tensor<?x8xf32>, tensor<?x4xf32>
    ```
    becomes
    ```mlir
    %wq = lm.weight "q" : <8x8>
    %wk = lm.weight "k" : <4x8>
    %x = lm.embed %tokens, %wq : <8x8>
    %q_k:2 = lm.fused_linear %x weights(%wq, %wk) : <8x8>, <4x8> -> (tensor<?x8xf32>, tensor<?x4xf32>)
    lm.return %q_k#0, hidden = %q_k#1 : tensor<?x8xf32>, tensor<?x4xf32>
    ```

    Not merged: matmuls with an activation, a scale or a residual, and a biased with an unbiased one. Runs after
    lm-fuse-swiglu, which claims the pairs of a gated MLP.
  }];
  let statistics = [Statistic<"numMerged", "merged", "matmuls made of several">];
}

def FuseRMSNormMatmulPass : Pass<"lm-fuse-rmsnorm-matmul", "::llmc::lm::ModelOp"> {
  let summary = "compute a norm as the prologue of the matmuls that read it";
  let description = [{
    The normed rows are then packed (and quantized) as the matmul reads them and never stored.

    ```mlir
    %g = lm.weight "g" : <8>
    %w = lm.weight "w" : <8x8>
    %x = lm.embed %tokens, %w : <8x8>
    %n = lm.rms_norm %x, %g {eps = 1.0e-5} : <8>
    %y = lm.linear %n, %w : <8x8>
    lm.return %y : tensor<?x8xf32>
    ```
    becomes
    ```mlir
    %g = lm.weight "g" : <8>
    %w = lm.weight "w" : <8x8>
    %x = lm.embed %tokens, %w : <8x8>
    %y = lm.fused_linear %x norm(%g) weights(%w) {norm = rms, eps = 1.0e-5} : <8x8> -> tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
    ```

    Also for `lm.layer_norm`. Only where every reader of the norm is a matmul, else the norm would be computed twice;
    norms over groups (per head) are left alone.
  }];
  let statistics = [Statistic<"numFused", "fused", "matmuls that took in their norm">];
}

def FuseRopeAttentionPass : Pass<"lm-fuse-rope-attention", "::llmc::lm::ModelOp"> {
  let summary = "fold norms of heads, rope, append, view and attention into one op over the cache";
  let description = [{
    Attention then reads the cache where it lies, and the normed and rotated rows go straight into it.

    ```mlir
    lm.cache @kv {heads = 2, dim_k = 4, dim_v = 4}
    %w = lm.weight "w" : <8x8>
    %x = lm.embed %tokens, %w : <8x8>
    %q = lm.rope %x, %tokens {head_dim = 4, style = half, base = 1.0e4} : tensor<?x8xf32>
    %k = lm.rope %x, %tokens {head_dim = 4, style = half, base = 1.0e4} : tensor<?x8xf32>
    lm.kv_append @kv, %k, %x, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    %y = lm.attention %q, %K, %V, %keys, %tokens {heads = 2, kv_heads = 2, scale = 0.5, mask = causal} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
    ```
    becomes
    ```mlir
    lm.cache @kv {heads = 2, dim_k = 4, dim_v = 4}
    %w = lm.weight "w" : <8x8>
    %x = lm.embed %tokens, %w : <8x8>
    %y = lm.cached_attention @kv, %x, %x, %x, %tokens {heads = 2, kv_heads = 2, scale = 0.5, mask = causal, rope_style = half, rope_base = 1.0e4, rope_factor = 1.0} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
    lm.return %y : tensor<?x8xf32>
    ```

    Where q and k are rotated alike, or neither is; only if the ropes, the view and the append serve this attention
    alone, and the append stands just before the view. An `lm.rms_norm` of each head of q and one of k, before the ropes
    if there are any, go along where both have the same eps and plus_one, gains of a head's length or none, and no other
    reader. Other norms, or one of q alone, stay as they are: a remark says why.
  }];
  let statistics = [Statistic<"numFused", "fused", "attentions that took in their norms, rope and cache ops">];
}

def FuseSwigluPass : Pass<"lm-fuse-swiglu", "::llmc::lm::ModelOp"> {
  let summary = "compute the two matmuls of a gated MLP together and store only their product";
  let description = [{
    ```mlir
    %wgate = lm.weight "gate" : <8x8>
    %wup = lm.weight "up" : <8x8>
    %x = lm.embed %tokens, %wup : <8x8>
    %gate = lm.linear %x, %wgate : <8x8>
    %up = lm.linear %x, %wup : <8x8>
    %a = lm.silu %gate : tensor<?x8xf32>
    %s = lm.mul %a, %up : tensor<?x8xf32>
    lm.return %s : tensor<?x8xf32>
    ```
    becomes
    ```mlir
    %wgate = lm.weight "gate" : <8x8>
    %wup = lm.weight "up" : <8x8>
    %x = lm.embed %tokens, %wup : <8x8>
    %s = lm.fused_linear %x weights(%wgate, %wup) {act = silu, glu} : <8x8>, <8x8> -> tensor<?x8xf32>
    lm.return %s : tensor<?x8xf32>
    ```

    For every elementwise activation (SwiGLU, GeGLU, ReGLU; arXiv:2002.05202). Only where gate, up and the activation
    have no other reader, and both matmuls share input, norm and presence of a bias.
  }];
  let statistics = [Statistic<"numFused", "fused", "gated pairs fused">];
}

def PlanKVCachePass : Pass<"lm-plan-kv-cache", "::llmc::lm::ModelOp"> {
  let summary = "decide how each cache is stored";
  let description = [{
    Sets `page_tokens` and `type` (one, or the list that a session chooses from) of every `lm.cache` that does not say so. A page is also the block of keys over
    which attention sums, so its size is part of the arithmetic: it is the same for every batch and every machine.
    Checks that each layer appends to a cache at most once and never reads what it does not append, and moves nothing.

    ```mlir
    lm.cache @kv {heads = 2, dim_k = 4, dim_v = 4}
    %w = lm.weight "w" : <8x8>
    %x = lm.embed %tokens, %w : <8x8>
    lm.return %x : tensor<?x8xf32>
    ```
    becomes, with `type=f16 page-tokens=64`,
    ```mlir
    lm.cache @kv {heads = 2, dim_k = 4, dim_v = 4, page_tokens = 64, type = f16}
    %w = lm.weight "w" : <8x8>
    %x = lm.embed %tokens, %w : <8x8>
    lm.return %x : tensor<?x8xf32>
    ```
  }];
  let options = [
    Option<"pageTokens", "page-tokens", "int64_t", "32", "tokens in a page">,
    Option<"type", "type", "std::string", "\"f32\"", "how numbers are stored: f32, f16, bf16 or q8, or several by commas">
  ];
}

def QuantizePass : Pass<"lm-quantize", "::llmc::lm::ModelOp"> {
  let summary = "choose the scheme that each matrix is stored in";
  let description = [{
    Rules name a scheme for all matrices (`q4_0`), for those with a tensor whose name matches (`ffn_down=q6_k`, with the
    number of the layer in the name), or come from a file (`@rules.txt`, one a line). The last rule that matches decides;
    a scheme alone is for the rest. A matrix made by an expression of several tensors gets one scheme, a tied table
    too. Vectors (norm gains, biases) stay as they are.

    ```mlir
    %w = lm.weight "table" : <8x32>
    %x = lm.embed %tokens, %w : <8x32>
    %y = lm.layers count = 2 iter(%h = %x : tensor<?x32xf32>) {
      %down = lm.weight "blk.{i}.ffn_down" : <32x32>
      %d = lm.linear %h, %down : <32x32>
      lm.yield %d : tensor<?x32xf32>
    }
    %logits = lm.linear %y, %w : <8x32>
    lm.return %logits : tensor<?x8xf32>
    ```
    becomes, with `rules=table=keep,q4_0,blk\.0\.ffn_down=q8_0`,
    ```mlir
    %w = lm.weight "table" : <8x32>
    %x = lm.embed %tokens, %w : <8x32>
    %y = lm.layers count = 2 iter(%h = %x : tensor<?x32xf32>) {
      %down = lm.weight "blk.{i}.ffn_down" : <32x32>
      %q = lm.w.quantize %down {to = [q8_0, q4_0]} : <32x32>
      %d = lm.linear %h, %q : <32x32>
      lm.yield %d : tensor<?x32xf32>
    }
    %logits = lm.linear %y, %w : <8x32>
    lm.return %logits : tensor<?x8xf32>
    ```

    A four-bit scheme alone gives q6_k to what stands
    outside the layers, the embedding and the output. Where rows end within a block of 256, q4_k alone means q5_0 and
    q6_k means q8_0, which are smaller than padded blocks; `.=q4_k` pads. A rule that matches no matrix is an error.
  }];
  let options = [ListOption<"rules", "rules", "std::string", "SCHEME, REGEX=SCHEME or @FILE each">];
  let statistics = [Statistic<"numQuantized", "quantized", "matrices given a scheme">];
}

def PackBF16Pass : Pass<"lm-pack-bf16", "::llmc::lm::ModelOp"> {
  let summary = "store bf16 matrices in 12 bits, without loss";
  let description = [{
    Gives matrices that are stored as bf16 the scheme `bf16z` (ir/quant/CodedFloat.h), which holds the same numbers in
    three quarters of the bytes and is decoded as it is multiplied: a single sequence's tokens, which wait for memory,
    come sooner, and no logit changes a bit. Only where matmuls and embeddings alone read the matrix, and
    only where its numbers fit, in each layer for itself: for every 16 rows, all but one in 512 have one of 15
    exponents or are zero or subnormal.

    ```mlir
    %w = lm.weight "table" : <8x32>
    %x = lm.embed %tokens, %w : <8x32>
    %logits = lm.linear %x, %w : <8x32>
    lm.return %logits : tensor<?x8xf32>
    ```
    becomes
    ```mlir
    %w = lm.weight "table" : <8x32>
    %z = lm.w.quantize %w {to = bf16z} : <8x32>
    %x = lm.embed %tokens, %z : <8x32>
    %logits = lm.linear %x, %z : <8x32>
    lm.return %logits : tensor<?x8xf32>
    ```

    The compiler looks at the numbers. For GPUs, for kernels by decomposition and with activations of bf16 nothing is
    packed, and a written `bf16z` becomes `bf16`. Without the numbers, in llmc-opt, every matrix is taken for bf16 that fits.
  }];
  let statistics = [Statistic<"numPacked", "packed", "matrices stored in 12 bits">];
}

#endif
