#!/bin/bash
# compile_time.sh LLMC WORKDIR: compiles kernels for cuda of a model of the shape of an 8B, without its weights, and prints
# what they take of a processor. 32 layers take as long as 2, and two cores are done within 15 seconds.
set -u
llmc=$1 work=$2
rm -rf "$work"
mkdir -p "$work"
ulimit -v 8388608
fail() { echo "$*"; exit 1; }

model() { # LAYERS
  local hidden=4096 kv=1024 ffn=14336 vocab=128256
  cat << END
lm.model @shape {context = 8192, family = llama, vocab = $vocab} {
  lm.cache @kv {dim_k = 128, dim_v = 128, heads = 8}
  %table = lm.weight "table" : <${vocab}x$hidden>
  %output_norm = lm.weight "output_norm" : <$hidden>
  %output = lm.weight "output" : <${vocab}x$hidden>
  lm.forward (%tokens: !lm.tokens) {
    %embedded = lm.embed %tokens, %table : <${vocab}x$hidden>
    %x = lm.layers count = $1 iter(%h = %embedded : tensor<?x${hidden}xf32>) {
      %attn_norm = lm.weight "blk.{i}.attn_norm" : <$hidden>
      %attn_q = lm.weight "blk.{i}.attn_q" : <${hidden}x$hidden>
      %attn_k = lm.weight "blk.{i}.attn_k" : <${kv}x$hidden>
      %attn_v = lm.weight "blk.{i}.attn_v" : <${kv}x$hidden>
      %attn_output = lm.weight "blk.{i}.attn_output" : <${hidden}x$hidden>
      %ffn_norm = lm.weight "blk.{i}.ffn_norm" : <$hidden>
      %ffn_gate = lm.weight "blk.{i}.ffn_gate" : <${ffn}x$hidden>
      %ffn_up = lm.weight "blk.{i}.ffn_up" : <${ffn}x$hidden>
      %ffn_down = lm.weight "blk.{i}.ffn_down" : <${hidden}x$ffn>
      %attn_in = lm.rms_norm %h, %attn_norm {eps = 1.0e-05} : <$hidden>
      %q = lm.linear %attn_in, %attn_q : <${hidden}x$hidden>
      %new_k = lm.linear %attn_in, %attn_k : <${kv}x$hidden>
      %new_v = lm.linear %attn_in, %attn_v : <${kv}x$hidden>
      %q_rotated = lm.rope %q, %tokens {base = 5.0e+05, head_dim = 128, style = half} : tensor<?x${hidden}xf32>
      %k_rotated = lm.rope %new_k, %tokens {base = 5.0e+05, head_dim = 128, style = half} : tensor<?x${kv}xf32>
      lm.kv_append @kv, %k_rotated, %new_v, %tokens : tensor<?x${kv}xf32>, tensor<?x${kv}xf32>
      %k, %v, %keys = lm.kv_view @kv, %tokens : tensor<?x${kv}xf32>, tensor<?x${kv}xf32>
      %attended = lm.attention %q_rotated, %k, %v, %keys, %tokens {heads = 32, kv_heads = 8, mask = causal, scale = 0.088388346} : tensor<?x${hidden}xf32>, tensor<?x${kv}xf32>, tensor<?x${kv}xf32>
      %attn_out = lm.linear %attended, %attn_output : <${hidden}x$hidden>
      %h_attn = lm.add %h, %attn_out : tensor<?x${hidden}xf32>
      %mlp_in = lm.rms_norm %h_attn, %ffn_norm {eps = 1.0e-05} : <$hidden>
      %gate = lm.linear %mlp_in, %ffn_gate : <${ffn}x$hidden>
      %up = lm.linear %mlp_in, %ffn_up : <${ffn}x$hidden>
      %activated = lm.silu %gate : tensor<?x${ffn}xf32>
      %gated = lm.mul %activated, %up : tensor<?x${ffn}xf32>
      %mlp_out = lm.linear %gated, %ffn_down : <${hidden}x$ffn>
      %h_next = lm.add %h_attn, %mlp_out : tensor<?x${hidden}xf32>
      lm.yield %h_next : tensor<?x${hidden}xf32>
    }
    %asked = lm.asked_rows %x, %tokens : tensor<?x${hidden}xf32>
    %last = lm.rms_norm %asked, %output_norm {eps = 1.0e-05} : <$hidden>
    %logits = lm.linear %last, %output : <${vocab}x$hidden>
    lm.return %logits, hidden = %last : tensor<?x${vocab}xf32>, tensor<?x${hidden}xf32>
  }
}
END
}

TIMEFORMAT='%U %S'
milliseconds() { # LAYERS: of a processor, whatever else it does; the phase llvm leaves PTX and packs no weights
  model "$1" > "$work/model$1.mlir"
  { time "$llmc" compile "$work/model$1.mlir" --random-weights --quantize q4_0 --target cuda --stop-after llvm \
    --dump-ir "$work/dump$1" --no-cache --ptxas none || echo failed; } 2>&1 | awk '{ print int(1000 * ($1 + $2)) }'
}
few=$(milliseconds 2) many=$(milliseconds 32)
[ "$(ls "$work/dump32/kernels/"*.ptx | wc -l)" = "$(ls "$work/dump2/kernels/"*.ptx | wc -l)" ] || fail "other kernels"
echo "2 layers: $few ms, 32 layers: $many ms"
[ "$few" -gt 100 ] && [ "$many" -lt $((few + few / 2 + 1000)) ] || fail "the time depends on the layers"
[ "$many" -lt 30000 ] || fail "more than 15 seconds of two cores"
