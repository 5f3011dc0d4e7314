//===- Passes.td - every pass over the lm dialect -------------------------===//
#ifndef LLMC_PASSES_PASSES_TD
#define LLMC_PASSES_PASSES_TD

include "mlir/Pass/PassBase.td"

def DecomposePass : Pass<"lm-decompose", "::llmc::lm::ModelOp"> {
  let summary = "write every op in terms of tensor, linalg, arith, math and the cache ops";
  let description = [{
    Replaces each op that has a decomposition by it, fused ops in two steps. What remains are those dialects, the cache
    ops, the stack, and the accessors `lm.token_rows` and `lm.weight_values`. This is the definition of every op; code
    generation uses it kernel by kernel for ops it has no own way to emit.
  }];
  let options = [Option<"onlyFused", "only-fused", "bool", "false", "stop at the ops a person writes">];
}

def FuseEpiloguePass : Pass<"lm-fuse-epilogue", "::llmc::lm::ModelOp"> {
  let summary = "fold the activation and the residual that follow a matmul into it";
  let description = [{
    Saves writing and reading the matmul's result once more.

        %z = lm.linear %x, %w : <576x1536>            %h = lm.fused_linear %x weights(%w) residual(%r)
        %h = lm.add %z, %r : tensor<?x576xf32>   =>         : <576x1536> -> tensor<?x576xf32>

    Only where the matmul's result has no other reader. An activation folds only before a residual, as the formula of
    `lm.fused_linear` has them in that order.
  }];
  let statistics = [
    Statistic<"numActivations", "activations", "activations folded into a matmul">,
    Statistic<"numResiduals", "residuals", "residuals folded into a matmul">
  ];
}

def FuseQKVPass : Pass<"lm-fuse-qkv", "::llmc::lm::ModelOp"> {
  let summary = "run matmuls that share an input as one";
  let description = [{
    The query, key and value projections read the same rows: as one op they pack those rows once and cost one dispatch.
    Any matmuls with the same input (and, if fused with a norm, the same norm) qualify.

        %q = lm.fused_linear %h norm(%g) weights(%wq) …      %q, %k = lm.fused_linear %h norm(%g) weights(%wq, %wk) …
        %k = lm.fused_linear %h norm(%g) weights(%wk) …  =>

    Not merged: matmuls with an activation or a residual, and a biased with an unbiased one. Runs after
    lm-fuse-swiglu, which claims the pairs of a gated MLP.
  }];
  let statistics = [Statistic<"numMerged", "merged", "matmuls merged into an earlier one">];
}

def FuseRMSNormMatmulPass : Pass<"lm-fuse-rmsnorm-matmul", "::llmc::lm::ModelOp"> {
  let summary = "compute a norm as the prologue of the matmuls that read it";
  let description = [{
    The normed rows are then packed (and quantized) as the matmul reads them and never stored.

        %n = lm.rms_norm %h, %g {eps = 1.0e-5} : <576>      %q = lm.fused_linear %h norm(%g) weights(%wq)
        %q = lm.linear %n, %wq : <576x576>              =>        {norm = rms, eps = 1.0e-5} : <576x576> -> …

    Also for `lm.layer_norm`. Only where every reader of the norm is a matmul, else the norm would be computed twice;
    norms over groups (per head) are left alone.
  }];
  let statistics = [Statistic<"numFused", "fused", "matmuls that took in their norm">];
}

def FuseRopeAttentionPass : Pass<"lm-fuse-rope-attention", "::llmc::lm::ModelOp"> {
  let summary = "fold rope, append, view and attention into one op over the cache";
  let description = [{
    Attention then reads the cache where it lies, and the rotated rows go straight into it.

        rope(q), rope(k), kv_append, kv_view, attention => lm.cached_attention @kv, %q, %k, %v, %tokens {…}

    Where q and k are rotated alike, or neither is; only if the ropes, the view and the append serve this attention
    alone, and the append stands just before the view.
  }];
  let statistics = [Statistic<"numFused", "fused", "attentions that took in their rope and cache ops">];
}

def FuseSwigluPass : Pass<"lm-fuse-swiglu", "::llmc::lm::ModelOp"> {
  let summary = "compute the two matmuls of a gated MLP together and store only their product";
  let description = [{
        %g = lm.linear %m, %wgate : <1536x576>
        %u = lm.linear %m, %wup : <1536x576>            %s = lm.fused_linear %m weights(%wgate, %wup)
        %a = lm.silu %g : tensor<?x1536xf32>        =>        {act = silu, glu} : …
        %s = lm.mul %a, %u : tensor<?x1536xf32>

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

        lm.cache @kv {heads = 3, dim_k = 64, dim_v = 64}
        =>  lm.cache @kv {heads = 3, dim_k = 64, dim_v = 64, page_tokens = 32, type = f16}
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

        %wd = lm.weight "blk.{i}.ffn_down.weight"      %wd = lm.weight "blk.{i}.ffn_down.weight" : <576x1536>
            : <576x1536>                           =>  %q = lm.w.quantize %wd {to = [q6_k, q4_0]} : <576x1536>
        %y = lm.linear %x, %wd : <576x1536>            %y = lm.linear %x, %q : <576x1536>

    with the rules `q4_0` and `blk\.0\.ffn_down=q6_k` and two layers. A four-bit scheme alone gives q6_k to what stands
    outside the layers, the embedding and the output. Where rows end within a block of 256, q4_k alone means q5_0 and
    q6_k means q8_0, which are smaller than padded blocks; `.=q4_k` pads. A rule that matches no matrix is an error.
  }];
  let options = [ListOption<"rules", "rules", "std::string", "SCHEME, REGEX=SCHEME or @FILE each">];
  let statistics = [Statistic<"numQuantized", "quantized", "matrices given a scheme">];
}

#endif
