// SmolLM2-135M, written by hand. The weights stay in the GGUF file beside this text.
lm.model @smollm2 {vocab = 49152, context = 8192, tokenizer = "smollm2.gguf"} {
  lm.weights "smollm2.gguf"
  lm.cache @kv {heads = 3, dim_k = 64, dim_v = 64}
  %table = lm.weight "token_embd.weight" : <49152x576>
  %norm  = lm.weight "output_norm.weight" : <576>
  lm.forward(%tokens: !lm.tokens) {
    %x0 = lm.embed %tokens, %table : <49152x576>
    %x  = lm.layers count = 30 iter(%h = %x0 : tensor<?x576xf32>) {
      %g1 = lm.weight "blk.{i}.attn_norm.weight" : <576>
      %wq = lm.weight "blk.{i}.attn_q.weight" : <576x576>
      %wk = lm.weight "blk.{i}.attn_k.weight" : <192x576>
      %wv = lm.weight "blk.{i}.attn_v.weight" : <192x576>
      %wo = lm.weight "blk.{i}.attn_output.weight" : <576x576>
      %g2 = lm.weight "blk.{i}.ffn_norm.weight" : <576>
      %wg = lm.weight "blk.{i}.ffn_gate.weight" : <1536x576>
      %wu = lm.weight "blk.{i}.ffn_up.weight" : <1536x576>
      %wd = lm.weight "blk.{i}.ffn_down.weight" : <576x1536>
      %n  = lm.rms_norm %h, %g1 {eps = 1.0e-5} : <576>
      %q  = lm.linear %n, %wq : <576x576>
      %k  = lm.linear %n, %wk : <192x576>
      %v  = lm.linear %n, %wv : <192x576>
      %qr = lm.rope %q, %tokens {head_dim = 64, base = 1.0e5, style = interleaved} : tensor<?x576xf32>
      %kr = lm.rope %k, %tokens {head_dim = 64, base = 1.0e5, style = interleaved} : tensor<?x192xf32>
      lm.kv_append @kv, %kr, %v, %tokens : tensor<?x192xf32>, tensor<?x192xf32>
      %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x192xf32>, tensor<?x192xf32>
      %a  = lm.attention %qr, %K, %V, %keys, %tokens {heads = 9, kv_heads = 3, scale = 0.125, mask = causal} : tensor<?x576xf32>, tensor<?x192xf32>, tensor<?x192xf32>
      %o  = lm.linear %a, %wo : <576x576>
      %h1 = lm.add %h, %o : tensor<?x576xf32>
      %m  = lm.rms_norm %h1, %g2 {eps = 1.0e-5} : <576>
      %gt = lm.linear %m, %wg : <1536x576>
      %u  = lm.linear %m, %wu : <1536x576>
      %sg = lm.silu %gt : tensor<?x1536xf32>
      %s  = lm.mul %sg, %u : tensor<?x1536xf32>
      %d  = lm.linear %s, %wd : <576x1536>
      %h2 = lm.add %h1, %d : tensor<?x576xf32>
      lm.yield %h2 : tensor<?x576xf32>
    }
    %asked = lm.asked_rows %x, %tokens : tensor<?x576xf32>
    %last = lm.rms_norm %asked, %norm {eps = 1.0e-5} : <576>
    %logits = lm.linear %last, %table : <49152x576>
    lm.return %logits : tensor<?x49152xf32>
  }
}
