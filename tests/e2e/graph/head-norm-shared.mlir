// A norm for each head of q and k by a gain of 1 + g that the heads share, as attention takes it in.
lm.model @head_norm_shared {vocab = 301, context = 1024} {
  lm.weights "../../fixtures/llama-gqa.gguf"
  lm.cache @kv {heads = 2, dim_k = 18, dim_v = 18}
  %table = lm.weight "token_embd.weight" : <301x72>
  %norm = lm.weight "output_norm.weight" : <72>
  %head = lm.weight "output.weight" : <301x72>
  lm.forward(%tokens: !lm.tokens) {
    %x0 = lm.embed %tokens, %table : <301x72>
    %x = lm.layers count = 2 iter(%h = %x0 : tensor<?x72xf32>) {
      %g1 = lm.weight "blk.{i}.attn_norm.weight" : <72>
      %wq = lm.weight "blk.{i}.attn_q.weight" : <108x72>
      %wk = lm.weight "blk.{i}.attn_k.weight" : <36x72>
      %wv = lm.weight "blk.{i}.attn_v.weight" : <36x72>
      %wo = lm.weight "blk.{i}.attn_output.weight" : <72x108>
      %g2 = lm.weight "blk.{i}.ffn_norm.weight" : <72>
      %wg = lm.weight "blk.{i}.ffn_gate.weight" : <100x72>
      %wu = lm.weight "blk.{i}.ffn_up.weight" : <100x72>
      %wd = lm.weight "blk.{i}.ffn_down.weight" : <72x100>
      %gq = lm.w.rows %g1 [0:18] : <72> -> <18>
      %gk = lm.w.rows %g2 [54:72] : <72> -> <18>
      %n  = lm.rms_norm %h, %g1 {eps = 1.0e-5} : <72>
      %q  = lm.linear %n, %wq : <108x72>
      %k  = lm.linear %n, %wk : <36x72>
      %v  = lm.linear %n, %wv : <36x72>
      %qn = lm.rms_norm %q, %gq {eps = 0.25, group = 18, plus_one} : tensor<?x108xf32>, <18>
      %kn = lm.rms_norm %k, %gk {eps = 0.25, group = 18, plus_one} : tensor<?x36xf32>, <18>
      %qr = lm.rope %qn, %tokens {head_dim = 18, base = 5.0e5, style = interleaved} : tensor<?x108xf32>
      %kr = lm.rope %kn, %tokens {head_dim = 18, base = 5.0e5, style = interleaved} : tensor<?x36xf32>
      lm.kv_append @kv, %kr, %v, %tokens : tensor<?x36xf32>, tensor<?x36xf32>
      %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x36xf32>, tensor<?x36xf32>
      %a  = lm.attention %qr, %K, %V, %keys, %tokens {heads = 6, kv_heads = 2, scale = 0.23570226039551584, mask = causal} : tensor<?x108xf32>, tensor<?x36xf32>, tensor<?x36xf32>
      %o  = lm.linear %a, %wo : <72x108>
      %h1 = lm.add %h, %o : tensor<?x72xf32>
      %m  = lm.rms_norm %h1, %g2 {eps = 1.0e-5} : <72>
      %gt = lm.linear %m, %wg : <100x72>
      %u  = lm.linear %m, %wu : <100x72>
      %sg = lm.silu %gt : tensor<?x100xf32>
      %s  = lm.mul %sg, %u : tensor<?x100xf32>
      %d  = lm.linear %s, %wd : <72x100>
      %h2 = lm.add %h1, %d : tensor<?x72xf32>
      lm.yield %h2 : tensor<?x72xf32>
    }
    %asked = lm.asked_rows %x, %tokens : tensor<?x72xf32>
    %last = lm.rms_norm %asked, %norm {eps = 1.0e-5} : <72>
    %logits = lm.linear %last, %head : <301x72>
    lm.return %logits : tensor<?x301xf32>
  }
}
