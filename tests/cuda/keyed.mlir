// Ops on the visible keys themselves: a step has more rows of these than tokens.
lm.model @keyed {context = 256, family = llama, vocab = 64} {
  lm.cache @kv {dim_k = 16, dim_v = 16, heads = 1}
  %table = lm.weight "table" : <64x16>
  %output = lm.weight "output" : <64x16>
  lm.forward (%tokens: !lm.tokens) {
    %h = lm.embed %tokens, %table : <64x16>
    %kg = lm.weight "kg" : <16>
    %wk = lm.weight "wk" : <16x16>
    %k0 = lm.linear %h, %wk : <16x16>
    lm.kv_append @kv, %k0, %h, %tokens : tensor<?x16xf32>, tensor<?x16xf32>
    %k, %v, %keys = lm.kv_view @kv, %tokens : tensor<?x16xf32>, tensor<?x16xf32>
    %kn = lm.rms_norm %k, %kg {eps = 1.0e-05} : <16>
    %a = lm.attention %h, %kn, %v, %keys, %tokens {heads = 1, kv_heads = 1, mask = causal, scale = 0.25} : tensor<?x16xf32>, tensor<?x16xf32>, tensor<?x16xf32>
    %asked = lm.asked_rows %a, %tokens : tensor<?x16xf32>
    %logits = lm.linear %asked, %output : <64x16>
    lm.return %logits : tensor<?x64xf32>
  }
}
