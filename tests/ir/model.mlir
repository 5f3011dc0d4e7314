// RUN: %llmc-opt %s -o %t.mlir && FileCheck %s < %t.mlir
// RUN: %llmc-opt %t.mlir | diff %t.mlir -
// RUN: %llmc-opt %s -mlir-print-op-generic | %llmc-opt | diff %t.mlir -
// RUN: %llmc-opt %s -emit-bytecode | %llmc-opt | diff %t.mlir -
// RUN: %llmc-opt %tests/e2e/model/smollm2.mlir -o %t.smollm2.mlir && %llmc-opt %t.smollm2.mlir | diff %t.smollm2.mlir -
//
// A whole model with two kinds of layers, after the example in the README.

// CHECK: lm.model @two_kinds {context = 128, family = tiny, tokenizer = "tiny.gguf", vocab = 96} {
lm.model @two_kinds {vocab = 96, context = 128, family = tiny, tokenizer = "tiny.gguf"} {
  // CHECK: lm.weights "tiny.gguf"
  lm.weights "tiny.gguf"
  // CHECK: lm.cache @kv {dim_k = 4, dim_v = 4, heads = 1}
  lm.cache @kv {heads = 1, dim_k = 4, dim_v = 4}
  // CHECK: lm.cache @planned {dim_k = 4, dim_v = 4, heads = 1, page_tokens = 32, type = f16}
  lm.cache @planned {heads = 1, dim_k = 4, dim_v = 4, page_tokens = 32, type = f16}
  // CHECK: lm.cache @several {dim_k = 4, dim_v = 4, heads = 1, type = [f16, q8]}
  lm.cache @several {heads = 1, dim_k = 4, dim_v = 4, type = [f16, q8]}
  // CHECK: lm.table @base = [1.000000e+04, 1.000000e+06, 1.000000e+04]
  lm.table @base = [1.0e4, 1.0e6, 1.0e4]
  %table = lm.weight "token_embd.weight" : <96x8>
  // CHECK: lm.forward (%[[TOKENS:.*]]: !lm.tokens) {
  lm.forward(%tokens: !lm.tokens) {
    %x0 = lm.embed %tokens, %table : <96x8>
    // CHECK: %[[X:.*]] = lm.layers count = 3 kinds = [0, 1, 0] iter(%[[H:.*]] = %{{.*}} : tensor<?x8xf32>) {
    %x = lm.layers count = 3 kinds = [0, 1, 0] iter(%h = %x0 : tensor<?x8xf32>) {
      %wk = lm.weight "blk.{i}.attn_k.weight" : <4x8>
      %k = lm.linear %h, %wk : <4x8>
      // CHECK: lm.rope %{{.*}}, %[[TOKENS]] {base = @base, head_dim = 4, style = half} : tensor<?x4xf32>
      %kr = lm.rope %k, %tokens {head_dim = 4, base = @base} : tensor<?x4xf32>
      // CHECK: lm.kv_append @kv, %{{.*}}, %{{.*}}, %[[TOKENS]] : tensor<?x4xf32>, tensor<?x4xf32>
      lm.kv_append @kv, %kr, %k, %tokens : tensor<?x4xf32>, tensor<?x4xf32>
      // CHECK: %k, %v, %keys = lm.kv_view @kv, %[[TOKENS]] : tensor<?x4xf32>, tensor<?x4xf32>
      %K, %V, %keys = lm.kv_view @kv, %tokens : tensor<?x4xf32>, tensor<?x4xf32>
      // CHECK: lm.attention %[[H]], %k, %v, %keys, %[[TOKENS]] {heads = 2, kv_heads = 1,
      %a = lm.attention %h, %K, %V, %keys, %tokens {heads = 2, kv_heads = 1, scale = 0.5, mask = causal} : tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x4xf32>
      %h1 = lm.add %h, %a : tensor<?x8xf32>
      // CHECK: lm.yield %{{.*}} : tensor<?x8xf32>
      // CHECK-NEXT: }, {
      lm.yield %h1 : tensor<?x8xf32>
    }, {
      %wk = lm.weight "blk.{i}.attn_k.weight" : <4x8>
      %k = lm.linear %h, %wk : <4x8>
      // CHECK: lm.cached_attention @planned, %[[H]], %{{.*}}, %{{.*}}, %[[TOKENS]], %sinks : !lm.weight<2> q_gain(%head_norm : !lm.weight<4>) k_gain(%head_norm : !lm.weight<4>) {heads = 2, kv_heads = 1, mask = causal,
      // CHECK-SAME: norm_eps = 1.0e-06, norm_plus_one, rope_base = 10000.0, rope_style = half, scale = 0.5} : tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x4xf32>
      %sinks = lm.weight "blk.{i}.sinks" : <2>
      %head_norm = lm.weight "blk.{i}.head_norm" : <4>
      %a = lm.cached_attention @planned, %h, %k, %k, %tokens, %sinks : !lm.weight<2> q_gain(%head_norm : !lm.weight<4>) k_gain(%head_norm : !lm.weight<4>) {heads = 2, kv_heads = 1, scale = 0.5, mask = causal, norm_eps = 1.0e-6, norm_plus_one, rope_style = half, rope_base = 1.0e4} : tensor<?x8xf32>, tensor<?x4xf32>, tensor<?x4xf32>
      lm.yield %a : tensor<?x8xf32>
    }
    %asked = lm.asked_rows %x, %tokens : tensor<?x8xf32>
    %logits = lm.linear %asked, %table : <96x8>
    // CHECK: lm.return %{{.*}}, hidden = %{{[^ ]*}} : tensor<?x96xf32>, tensor<?x8xf32>
    lm.return %logits, hidden = %asked : tensor<?x96xf32>, tensor<?x8xf32>
  }
}

// The stack is optional, and so is everything outside `lm.forward`.
// CHECK: lm.model @no_layers {context = 1, vocab = 8} {
lm.model @no_layers {vocab = 8, context = 1} {
  %table = lm.weight "table" : <8x8>
  lm.forward(%tokens: !lm.tokens) {
    %x = lm.embed %tokens, %table : <8x8>
    lm.return %x : tensor<?x8xf32>
  }
}
