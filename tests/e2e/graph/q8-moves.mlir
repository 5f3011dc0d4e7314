// Rows of 8-bit blocks permuted and joined, which loses nothing: the same logits as the checkpoint's own graph.
lm.model @q8_moves {vocab = 301, context = 1024} {
  lm.weights "../../fixtures/llama-q8_0.gguf"
  lm.cache @kv {heads = 2, dim_k = 16, dim_v = 16}
  %table = lm.weight "token_embd.weight" : <301x96>
  %norm = lm.weight "output_norm.weight" : <96>
  lm.forward(%tokens: !lm.tokens) {
    %x0 = lm.embed %tokens, %table : <301x96>
    %x = lm.layers count = 2 iter(%h = %x0 : tensor<?x96xf32>) {
      %g1 = lm.weight "blk.{i}.attn_norm.weight" : <96>
      %fq = lm.weight "blk.{i}.attn_q.weight" : <96x96>
      %wq = lm.w.permute %fq {shape = [6, 8, 2], order = [0, 2, 1]} : <96x96>
      %fk = lm.weight "blk.{i}.attn_k.weight" : <32x96>
      %wk = lm.w.permute %fk {shape = [2, 8, 2], order = [0, 2, 1]} : <32x96>
      %wv = lm.weight "blk.{i}.attn_v.weight" : <32x96>
      %wo = lm.weight "blk.{i}.attn_output.weight" : <96x96>
      %g2 = lm.weight "blk.{i}.ffn_norm.weight" : <96>
      %wg = lm.weight "blk.{i}.ffn_gate.weight" : <160x96>
      %wu = lm.weight "blk.{i}.ffn_up.weight" : <160x96>
      %wd = lm.weight "blk.{i}.ffn_down.weight" : <96x160>
      %wqkv = lm.w.concat %wq, %wk, %wv : !lm.weight<96x96>, !lm.weight<32x96>, !lm.weight<32x96> -> <160x96>
      %n  = lm.rms_norm %h, %g1 {eps = 1.0e-5} : <96>
      %qkv = lm.linear %n, %wqkv : <160x96>
      %q  = lm.slice %qkv [0:96] : tensor<?x160xf32> -> tensor<?x96xf32>
      %k  = lm.slice %qkv [96:128] : tensor<?x160xf32> -> tensor<?x32xf32>
      %v  = lm.slice %qkv [128:160] : tensor<?x160xf32> -> tensor<?x32xf32>
      %qr = lm.rope %q, %tokens {head_dim = 16, base = 1.0e4, style = half} : tensor<?x96xf32>
      %kr = lm.rope %k, %tokens {head_dim = 16, base = 1.0e4, style = half} : tensor<?x32xf32>
      lm.kv_append @kv, %kr, %v, %tokens : tensor<?x32xf32>, tensor<?x32xf32>
      %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x32xf32>, tensor<?x32xf32>
      %a  = lm.attention %qr, %K, %V, %keys, %tokens {heads = 6, kv_heads = 2, scale = 0.25, mask = causal} : tensor<?x96xf32>, tensor<?x32xf32>, tensor<?x32xf32>
      %o  = lm.linear %a, %wo : <96x96>
      %h1 = lm.add %h, %o : tensor<?x96xf32>
      %m  = lm.rms_norm %h1, %g2 {eps = 1.0e-5} : <96>
      %gt = lm.linear %m, %wg : <160x96>
      %u  = lm.linear %m, %wu : <160x96>
      %sg = lm.silu %gt : tensor<?x160xf32>
      %s  = lm.mul %sg, %u : tensor<?x160xf32>
      %d  = lm.linear %s, %wd : <96x160>
      %h2 = lm.add %h1, %d : tensor<?x96xf32>
      lm.yield %h2 : tensor<?x96xf32>
    }
    %asked = lm.asked_rows %x, %tokens : tensor<?x96xf32>
    %last = lm.rms_norm %asked, %norm {eps = 1.0e-5} : <96>
    %logits = lm.linear %last, %table : <301x96>
    lm.return %logits : tensor<?x301xf32>
  }
}
