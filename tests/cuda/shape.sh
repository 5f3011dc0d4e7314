# Sourced by tests of kernels whose model is only its shape: lm text of a Llama, or, with norms of the heads of q and k, of a
# Qwen3, without weights.
model() { # LAYERS HIDDEN HEADS KV_HEADS HEAD_DIM FFN VOCAB [norms]
  local hidden=$2 heads=$3 kv_heads=$4 dim=$5 ffn=$6 vocab=$7
  local queries=$((heads * dim)) kv=$((kv_heads * dim)) q=q k=new_k norms=
  [ -z "${8:-}" ] || q=q_normed k=k_normed norms="\
      %attn_q_norm = lm.weight \"blk.{i}.attn_q_norm\" : <$dim>
      %attn_k_norm = lm.weight \"blk.{i}.attn_k_norm\" : <$dim>
      %q_normed = lm.rms_norm %q, %attn_q_norm {eps = 1.0e-06, group = $dim} : tensor<?x${queries}xf32>, <$dim>
      %k_normed = lm.rms_norm %new_k, %attn_k_norm {eps = 1.0e-06, group = $dim} : tensor<?x${kv}xf32>, <$dim>"
  cat << END
lm.model @shape {context = 8192, family = llama, vocab = $vocab} {
  lm.cache @kv {dim_k = $dim, dim_v = $dim, heads = $kv_heads}
  %table = lm.weight "table" : <${vocab}x$hidden>
  %output_norm = lm.weight "output_norm" : <$hidden>
  %output = lm.weight "output" : <${vocab}x$hidden>
  lm.forward (%tokens: !lm.tokens) {
    %embedded = lm.embed %tokens, %table : <${vocab}x$hidden>
    %x = lm.layers count = $1 iter(%h = %embedded : tensor<?x${hidden}xf32>) {
      %attn_norm = lm.weight "blk.{i}.attn_norm" : <$hidden>
      %attn_q = lm.weight "blk.{i}.attn_q" : <${queries}x$hidden>
      %attn_k = lm.weight "blk.{i}.attn_k" : <${kv}x$hidden>
      %attn_v = lm.weight "blk.{i}.attn_v" : <${kv}x$hidden>
      %attn_output = lm.weight "blk.{i}.attn_output" : <${hidden}x$queries>
      %ffn_norm = lm.weight "blk.{i}.ffn_norm" : <$hidden>
      %ffn_gate = lm.weight "blk.{i}.ffn_gate" : <${ffn}x$hidden>
      %ffn_up = lm.weight "blk.{i}.ffn_up" : <${ffn}x$hidden>
      %ffn_down = lm.weight "blk.{i}.ffn_down" : <${hidden}x$ffn>
      %attn_in = lm.rms_norm %h, %attn_norm {eps = 1.0e-05} : <$hidden>
      %q = lm.linear %attn_in, %attn_q : <${queries}x$hidden>
      %new_k = lm.linear %attn_in, %attn_k : <${kv}x$hidden>
      %new_v = lm.linear %attn_in, %attn_v : <${kv}x$hidden>
$norms
      %q_rotated = lm.rope %$q, %tokens {base = 5.0e+05, head_dim = $dim, style = half} : tensor<?x${queries}xf32>
      %k_rotated = lm.rope %$k, %tokens {base = 5.0e+05, head_dim = $dim, style = half} : tensor<?x${kv}xf32>
      lm.kv_append @kv, %k_rotated, %new_v, %tokens : tensor<?x${kv}xf32>, tensor<?x${kv}xf32>
      %k, %v, %keys = lm.kv_view @kv, %tokens : tensor<?x${kv}xf32>, tensor<?x${kv}xf32>
      %attended = lm.attention %q_rotated, %k, %v, %keys, %tokens {heads = $heads, kv_heads = $kv_heads, mask = causal, scale = 0.0625} : tensor<?x${queries}xf32>, tensor<?x${kv}xf32>, tensor<?x${kv}xf32>
      %attn_out = lm.linear %attended, %attn_output : <${hidden}x$queries>
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
