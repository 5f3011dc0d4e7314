// Three kinds of layers: attention alone; no rotation and a squared ReLU without gate; the usual one.
lm.model @layer_kinds {vocab = 301, context = 1024} {
  lm.weights "../../fixtures/llama-mqa.gguf"
  lm.cache @kv {heads = 1, dim_k = 18, dim_v = 18}
  %table = lm.weight "token_embd.weight" : <301x72>
  %norm = lm.weight "output_norm.weight" : <72>
  lm.forward(%tokens: !lm.tokens) {
    %x0 = lm.embed %tokens, %table : <301x72>
    %x = lm.layers count = 3 kinds = [1, 0, 2] iter(%h = %x0 : tensor<?x72xf32>) {
      %g1 = lm.weight "blk.{i}.attn_norm.weight" : <72>
      %wq = lm.weight "blk.{i}.attn_q.weight" : <54x72>
      %wk = lm.weight "blk.{i}.attn_k.weight" : <18x72>
      %wv = lm.weight "blk.{i}.attn_v.weight" : <18x72>
      %wo = lm.weight "blk.{i}.attn_output.weight" : <72x54>
      %n  = lm.rms_norm %h, %g1 {eps = 1.0e-5} : <72>
      %q  = lm.linear %n, %wq : <54x72>
      %k  = lm.linear %n, %wk : <18x72>
      %v  = lm.linear %n, %wv : <18x72>
      %qr = lm.rope %q, %tokens {head_dim = 18, base = 1.0e4, style = interleaved} : tensor<?x54xf32>
      %kr = lm.rope %k, %tokens {head_dim = 18, base = 1.0e4, style = interleaved} : tensor<?x18xf32>
      lm.kv_append @kv, %kr, %v, %tokens : tensor<?x18xf32>, tensor<?x18xf32>
      %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x18xf32>, tensor<?x18xf32>
      %a  = lm.attention %qr, %K, %V, %keys, %tokens {heads = 3, kv_heads = 1, scale = 0.23570226039551584, mask = causal} : tensor<?x54xf32>, tensor<?x18xf32>, tensor<?x18xf32>
      %o  = lm.linear %a, %wo : <72x54>
      %h1 = lm.add %h, %o : tensor<?x72xf32>
      lm.yield %h1 : tensor<?x72xf32>
    }, {
      %g1 = lm.weight "blk.{i}.attn_norm.weight" : <72>
      %wq = lm.weight "blk.{i}.attn_q.weight" : <54x72>
      %wk = lm.weight "blk.{i}.attn_k.weight" : <18x72>
      %wv = lm.weight "blk.{i}.attn_v.weight" : <18x72>
      %wo = lm.weight "blk.{i}.attn_output.weight" : <72x54>
      %g2 = lm.weight "blk.{i}.ffn_norm.weight" : <72>
      %wu = lm.weight "blk.{i}.ffn_up.weight" : <100x72>
      %wd = lm.weight "blk.{i}.ffn_down.weight" : <72x100>
      %n  = lm.rms_norm %h, %g1 {eps = 1.0e-5} : <72>
      %q  = lm.linear %n, %wq : <54x72>
      %k  = lm.linear %n, %wk : <18x72>
      %v  = lm.linear %n, %wv : <18x72>
      lm.kv_append @kv, %k, %v, %tokens : tensor<?x18xf32>, tensor<?x18xf32>
      %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x18xf32>, tensor<?x18xf32>
      %a  = lm.attention %q, %K, %V, %keys, %tokens {heads = 3, kv_heads = 1, scale = 0.23570226039551584, mask = causal} : tensor<?x54xf32>, tensor<?x18xf32>, tensor<?x18xf32>
      %o  = lm.linear %a, %wo : <72x54>
      %h1 = lm.add %h, %o : tensor<?x72xf32>
      %m  = lm.rms_norm %h1, %g2 {eps = 1.0e-5} : <72>
      %u  = lm.linear %m, %wu : <100x72>
      %s  = lm.relu2 %u : tensor<?x100xf32>
      %d  = lm.linear %s, %wd : <72x100>
      %h2 = lm.add %h1, %d : tensor<?x72xf32>
      lm.yield %h2 : tensor<?x72xf32>
    }, {
      %g1 = lm.weight "blk.{i}.attn_norm.weight" : <72>
      %wq = lm.weight "blk.{i}.attn_q.weight" : <54x72>
      %wk = lm.weight "blk.{i}.attn_k.weight" : <18x72>
      %wv = lm.weight "blk.{i}.attn_v.weight" : <18x72>
      %wo = lm.weight "blk.{i}.attn_output.weight" : <72x54>
      %g2 = lm.weight "blk.{i}.ffn_norm.weight" : <72>
      %wg = lm.weight "blk.{i}.ffn_gate.weight" : <100x72>
      %wu = lm.weight "blk.{i}.ffn_up.weight" : <100x72>
      %wd = lm.weight "blk.{i}.ffn_down.weight" : <72x100>
      %n  = lm.rms_norm %h, %g1 {eps = 1.0e-5} : <72>
      %q  = lm.linear %n, %wq : <54x72>
      %k  = lm.linear %n, %wk : <18x72>
      %v  = lm.linear %n, %wv : <18x72>
      %qr = lm.rope %q, %tokens {head_dim = 18, base = 1.0e4, style = interleaved} : tensor<?x54xf32>
      %kr = lm.rope %k, %tokens {head_dim = 18, base = 1.0e4, style = interleaved} : tensor<?x18xf32>
      lm.kv_append @kv, %kr, %v, %tokens : tensor<?x18xf32>, tensor<?x18xf32>
      %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x18xf32>, tensor<?x18xf32>
      %a  = lm.attention %qr, %K, %V, %keys, %tokens {heads = 3, kv_heads = 1, scale = 0.23570226039551584, mask = causal} : tensor<?x54xf32>, tensor<?x18xf32>, tensor<?x18xf32>
      %o  = lm.linear %a, %wo : <72x54>
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
    %logits = lm.linear %last, %table : <301x72>
    lm.return %logits : tensor<?x301xf32>
  }
}
