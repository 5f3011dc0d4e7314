// RUN: %llmc-opt %s -split-input-file -verify-diagnostics -lm-plan-kv-cache

lm.model @read_before_append {vocab = 8, context = 4} {
  lm.cache @kv {heads = 1, dim_k = 8, dim_v = 8}
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    // expected-error @+1 {{'lm.kv_view' op reads the cache @kv before the layer has appended to it}}
    %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    %a = lm.attention %x, %K, %V, %keys, %tokens {heads = 1, kv_heads = 1, scale = 1, mask = causal} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
    lm.kv_append @kv, %x, %x, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    lm.return %a : tensor<?x8xf32>
  }
}

// -----
lm.model @two_appends {vocab = 8, context = 4} {
  lm.cache @kv {heads = 1, dim_k = 8, dim_v = 8}
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    %y = lm.layers count = 2 iter(%h = %x : tensor<?x8xf32>) {
      // expected-note @+1 {{first append is here}}
      lm.kv_append @kv, %h, %h, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
      // expected-error @+1 {{'lm.cached_attention' op appends to the cache @kv a second time in one layer}}
      %a = lm.cached_attention @kv, %h, %h, %h, %tokens {heads = 1, kv_heads = 1, scale = 1, mask = causal} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
      lm.yield %a : tensor<?x8xf32>
    }
    lm.return %y : tensor<?x8xf32>
  }
}
