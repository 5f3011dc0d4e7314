// RUN: %llmc-opt %s -lm-plan-kv-cache -o %t.mlir && FileCheck %s < %t.mlir
// RUN: %llmc-opt %t.mlir -lm-plan-kv-cache | diff %t.mlir -
// RUN: %llmc-opt %s -lm-plan-kv-cache="page-tokens=64 type=f16" | FileCheck %s --check-prefix=OPTIONS
// RUN: %llmc-opt %s -lm-plan-kv-cache="type=bf16,q8" | FileCheck %s --check-prefix=LIST

// What the text says itself stays.
// CHECK-LABEL: lm.model @planned
// CHECK: lm.cache @plain {dim_k = 8, dim_v = 8, heads = 1, page_tokens = 32, type = f32}
// CHECK: lm.cache @typed {dim_k = 8, dim_v = 8, heads = 1, page_tokens = 32, type = f16}
// CHECK: lm.cache @paged {dim_k = 8, dim_v = 8, heads = 1, page_tokens = 16, type = f32}
// CHECK: lm.kv_append @plain
// CHECK-NEXT: lm.kv_view @plain
// LIST: lm.cache @plain {dim_k = 8, dim_v = 8, heads = 1, page_tokens = 32, type = [bf16, q8]}
// LIST: lm.cache @typed {dim_k = 8, dim_v = 8, heads = 1, page_tokens = 32, type = f16}
// OPTIONS: lm.cache @plain {dim_k = 8, dim_v = 8, heads = 1, page_tokens = 64, type = f16}
// OPTIONS: lm.cache @typed {dim_k = 8, dim_v = 8, heads = 1, page_tokens = 64, type = f16}
// OPTIONS: lm.cache @paged {dim_k = 8, dim_v = 8, heads = 1, page_tokens = 16, type = f16}
lm.model @planned {vocab = 8, context = 4} {
  lm.cache @plain {heads = 1, dim_k = 8, dim_v = 8}
  lm.cache @typed {heads = 1, dim_k = 8, dim_v = 8, type = f16}
  lm.cache @paged {heads = 1, dim_k = 8, dim_v = 8, page_tokens = 16}
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    // Two kinds of layers, each with an append of its own to the same cache; another cache in between.
    %y = lm.layers count = 2 kinds = [1, 0] iter(%h = %x : tensor<?x8xf32>) {
      lm.kv_append @plain, %h, %h, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
      %K, %V, %keys = lm.kv_view @plain, %tokens : tensor<?x8xf32>, tensor<?x8xf32>
      %a = lm.attention %h, %K, %V, %keys, %tokens {heads = 1, kv_heads = 1, scale = 1, mask = causal} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
      lm.yield %a : tensor<?x8xf32>
    }, {
      %a = lm.cached_attention @plain, %h, %h, %h, %tokens {heads = 1, kv_heads = 1, scale = 1, mask = causal} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
      %b = lm.cached_attention @typed, %a, %h, %h, %tokens {heads = 1, kv_heads = 1, scale = 1, mask = causal} : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
      lm.yield %b : tensor<?x8xf32>
    }
    lm.return %y : tensor<?x8xf32>
  }
}
