// RUN: %llmc-opt %s -o %t.before.mlir
// RUN: %llmc-opt %s -lm-fuse-rope-attention | diff %t.before.mlir -
//
// Nothing here may change.

lm.model @negative_nothing_appended {vocab = 8, context = 4} {
  lm.cache @kv {heads = 2, dim_k = 4, dim_v = 4}
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    %a = lm.attention %x, %K, %V, %keys, %tokens {heads = 2, kv_heads = 2, scale = 0.5, mask = causal} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
    lm.return %a : tensor<?x8xf32>
  }
}

lm.model @negative_append_to_another_cache {vocab = 8, context = 4} {
  lm.cache @kv {heads = 2, dim_k = 4, dim_v = 4}
  lm.cache @other {heads = 2, dim_k = 4, dim_v = 4}
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    lm.kv_append @kv, %x, %x, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    lm.kv_append @other, %x, %x, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    %a = lm.attention %x, %K, %V, %keys, %tokens {heads = 2, kv_heads = 2, scale = 0.5, mask = causal} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
    lm.return %a : tensor<?x8xf32>
  }
}

// The append would sink below the second view, which must see it.
lm.model @negative_two_views {vocab = 8, context = 4} {
  lm.cache @kv {heads = 2, dim_k = 4, dim_v = 4}
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    lm.kv_append @kv, %x, %x, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    %K2, %V2, %keys2 = lm.kv_view @kv, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    %a = lm.attention %x, %K, %V, %keys, %tokens {heads = 2, kv_heads = 2, scale = 0.5, mask = causal} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
    %b = lm.attention %a, %K2, %V2, %keys2, %tokens {heads = 2, kv_heads = 2, scale = 0.5, mask = causal} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
    lm.return %b : tensor<?x8xf32>
  }
}

lm.model @negative_two_attentions_of_a_view {vocab = 8, context = 4} {
  lm.cache @kv {heads = 2, dim_k = 4, dim_v = 4}
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    lm.kv_append @kv, %x, %x, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    %a = lm.attention %x, %K, %V, %keys, %tokens {heads = 2, kv_heads = 2, scale = 0.5, mask = causal} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
    %b = lm.attention %a, %K, %V, %keys, %tokens {heads = 2, kv_heads = 2, scale = 0.5, mask = full} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
    lm.return %b : tensor<?x8xf32>
  }
}

// One view for all layers, taken before the stack.
lm.model @negative_attention_in_the_stack {vocab = 8, context = 4} {
  lm.cache @kv {heads = 2, dim_k = 4, dim_v = 4}
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    lm.kv_append @kv, %x, %x, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
    %y = lm.layers count = 2 iter(%h = %x : tensor<?x8xf32>) {
      %a = lm.attention %h, %K, %V, %keys, %tokens {heads = 2, kv_heads = 2, scale = 0.5, mask = causal} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
      lm.yield %a : tensor<?x8xf32>
    }
    lm.return %y : tensor<?x8xf32>
  }
}
