// A layer whose matrices are much larger than its vectors, for counting what kernels load.
lm.model @counted {context = 256, family = llama, vocab = 1040} {
  lm.cache @kv {dim_k = 64, dim_v = 64, heads = 2}
  %table = lm.weight "table" : <1040x512>
  %output_norm = lm.weight "output_norm" : <512>
  %output = lm.weight "output" : <1040x512>
  lm.forward (%tokens: !lm.tokens) {
    %embedded = lm.embed %tokens, %table : <1040x512>
    %x = lm.layers count = 2 iter(%h = %embedded : tensor<?x512xf32>) {
      %attn_norm = lm.weight "blk.{i}.attn_norm" : <512>
      %attn_q = lm.weight "blk.{i}.attn_q" : <512x512>
      %attn_k = lm.weight "blk.{i}.attn_k" : <128x512>
      %attn_v = lm.weight "blk.{i}.attn_v" : <128x512>
      %attn_output = lm.weight "blk.{i}.attn_output" : <512x512>
      %ffn_norm = lm.weight "blk.{i}.ffn_norm" : <512>
      %ffn_gate = lm.weight "blk.{i}.ffn_gate" : <1024x512>
      %ffn_up = lm.weight "blk.{i}.ffn_up" : <1024x512>
      %ffn_down = lm.weight "blk.{i}.ffn_down" : <512x1024>
      %attn_in = lm.rms_norm %h, %attn_norm {eps = 1.0e-05} : <512>
      %q = lm.linear %attn_in, %attn_q : <512x512>
      %new_k = lm.linear %attn_in, %attn_k : <128x512>
      %new_v = lm.linear %attn_in, %attn_v : <128x512>
      %q_rotated = lm.rope %q, %tokens {base = 1.0e+04, head_dim = 64, style = half} : tensor<?x512xf32>
      %k_rotated = lm.rope %new_k, %tokens {base = 1.0e+04, head_dim = 64, style = half} : tensor<?x128xf32>
      lm.kv_append @kv, %k_rotated, %new_v, %tokens : tensor<?x128xf32>, tensor<?x128xf32>
      %k, %v, %keys = lm.kv_view @kv, %tokens : tensor<?x128xf32>, tensor<?x128xf32>
      %attended = lm.attention %q_rotated, %k, %v, %keys, %tokens {heads = 8, kv_heads = 2, mask = causal, scale = 0.125} : tensor<?x512xf32>, tensor<?x128xf32>, tensor<?x128xf32>
      %attn_out = lm.linear %attended, %attn_output : <512x512>
      %h_attn = lm.add %h, %attn_out : tensor<?x512xf32>
      %mlp_in = lm.rms_norm %h_attn, %ffn_norm {eps = 1.0e-05} : <512>
      %gate = lm.linear %mlp_in, %ffn_gate : <1024x512>
      %up = lm.linear %mlp_in, %ffn_up : <1024x512>
      %activated = lm.silu %gate : tensor<?x1024xf32>
      %gated = lm.mul %activated, %up : tensor<?x1024xf32>
      %mlp_out = lm.linear %gated, %ffn_down : <512x1024>
      %h_next = lm.add %h_attn, %mlp_out : tensor<?x512xf32>
      lm.yield %h_next : tensor<?x512xf32>
    }
    %asked = lm.asked_rows %x, %tokens : tensor<?x512xf32>
    %last = lm.rms_norm %asked, %output_norm {eps = 1.0e-05} : <512>
    %logits = lm.linear %last, %output : <1040x512>
    lm.return %logits, hidden = %last : tensor<?x1040xf32>, tensor<?x512xf32>
  }
}
